"""Intervals for predictions of numbers, from the errors on examples that were held out."""

from __future__ import annotations

import math

import numpy as np

LEVEL = 0.9


def half_width(errors: np.ndarray, *, level: float = LEVEL) -> float:
    """Half the width of an interval around a prediction that holds `level` of new values, whatever they are spread by.

    The quantile of the absolute errors of n examples that were held out is taken at (n + 1) / n times the level, which
    is what makes the promise hold for few of them; below the 9 that nine tenths need, the largest error is all there
    is, and the promise is one of n / (n + 1).

    Args:
        errors: (n,) true less predicted value, of examples that the prediction was not fitted on.

    Raises:
        ValueError: no example.

    Source: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, Distribution-Free Predictive Inference for Regression, JASA
    113, 2018, section 2.2 (split conformal); Barber, Candès, Ramdas and Tibshirani, Predictive inference with the
    jackknife+, Annals of Statistics 49, 2021 (errors of cross-validation instead of those of a part).
    """
    sizes = np.sort(np.abs(np.asarray(errors, dtype=np.float64)))
    if not len(sizes):
        raise ValueError("an interval needs at least one error")
    return float(sizes[min(len(sizes), math.ceil((len(sizes) + 1) * level)) - 1])


def coverage(errors: np.ndarray, width: float) -> float:
    """Share of values that lie within `width` of their prediction."""
    return float(np.mean(np.abs(errors) <= width))
