"""Intervals of figures that are functions of sums over examples, by drawing groups of examples again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headstart.values import Interval

_TIMES = 2000
_DRAWN = 500_000  # numbers at once (4 MB)


def intervals(
    sums: np.ndarray, groups: np.ndarray, figures: Callable[[np.ndarray], dict[str, np.ndarray]], *, seed: int = 0
) -> dict[str, Interval]:
    """95 % percentile intervals of several figures from the same draws.

    Args:
        sums: (n, m) what each example adds to the sums that the figures are made of; one column should count it.
        groups: (n,) int, equal numbers are drawn together.
        figures: (draws, m) sums -> (draws,) of each figure; where one is no number, the draw does not count.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    _, of = np.unique(groups, return_inverse=True)
    of = of if of.max(initial=0) > 0 else np.arange(len(sums))  # one group alone: its examples are drawn
    k = int(of.max(initial=-1)) + 1
    by_group = np.stack([np.bincount(of, weights=column, minlength=k) for column in sums.T.astype(np.float64)], axis=1)
    rng, share, block = np.random.default_rng(seed), np.full(k, 1 / k), max(1, _DRAWN // k)
    made: dict[str, list[np.ndarray]] = {}
    for first in range(0, _TIMES, block):
        draws = rng.multinomial(k, share, size=min(block, _TIMES - first))
        for name, values in figures(draws @ by_group).items():
            made.setdefault(name, []).append(values)
    return {name: _ends(np.concatenate(values)) for name, values in made.items()}


def _ends(values: np.ndarray) -> Interval:
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(low), float(high))
