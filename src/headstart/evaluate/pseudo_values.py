"""Pseudo-values: what each example adds to a metric that is no mean over examples. Their mean is the metric exactly,
their spread says how uncertain it is; so F1 and average precision are compared pair by pair, as losses are.

They are those of the infinitesimal jackknife: the metric, and n times its derivative by the weight of the example.
Where examples have weights, (n,) above 0, n is their sum, and the weighted mean of the values is the weighted metric.

Leaving examples out, as the jackknife does, gives nearly the same where each class has many of them. Where a class has
one, it takes the class out of the mean, and that example's value is off by the number of all examples over that of the
classes: such values do not even have the metric as their mean.

Sources: Jaeckel, The Infinitesimal Jackknife, Bell Laboratories, 1972; Efron, The Jackknife, the Bootstrap and Other
Resampling Plans, SIAM, 1982, chapter 6. The jackknife's own pseudo-values: Tukey, Bias and Confidence in Not Quite
Large Samples, Annals of Mathematical Statistics 29, 1958.
"""

from __future__ import annotations

import numpy as np

Weights = np.ndarray | None


def class_f1_values(y: np.ndarray, given: np.ndarray, n_classes: int, weights: Weights = None) -> np.ndarray:
    """(n,) pseudo-values of the mean F1 over the classes that occur, of (n,) true and (n,) given classes.

    F1 of a class is 2 h / d, where h examples are rightly given it, and d are given it or are of it, each counted
    where it is. A weight more of an example changes that by (2 h' - F1 d') / d, where h' and d' are its own part of
    the counts.
    """
    right, w = y == given, np.ones(len(y)) if weights is None else weights
    both = np.bincount(y, w, n_classes) + np.bincount(given, w, n_classes)
    hits, occurs = np.bincount(y, right * w, n_classes), both > 0
    d = np.where(occurs, both, 1)
    f1 = 2 * hits / d
    change = 2 * right / d[y] - f1[y] / d[y] - f1[given] / d[given]
    return np.asarray(f1[occurs].mean() + w.sum() / occurs.sum() * change)


def balanced_costs(y: np.ndarray, given: np.ndarray, n_classes: int, weights: Weights = None) -> np.ndarray:
    """(n,) costs whose mean is what balanced accuracy lacks of 1, of (n,) true and (n,) given classes: a wrong answer
    costs as much more as its class is rarer."""
    w = np.ones(len(y)) if weights is None else weights
    count = np.bincount(y, w, n_classes)
    return np.asarray((y != given) * w.sum() / ((count > 0).sum() * count[y]))


def macro_f1_values(there: np.ndarray, given: np.ndarray, weights: Weights = None) -> np.ndarray:
    """(n,) pseudo-values of the mean F1 over the labels that occur, of (n, c) true and (n, c) given labels."""
    w = np.ones(len(there)) if weights is None else weights
    hits, both = there & given, there.astype(np.float64) + given
    d = w @ both
    occurs = d > 0
    if not occurs.any():
        return np.ones(len(there))  # nothing was to be found, and nothing is given
    f1 = 2 * (w @ hits[:, occurs]) / d[occurs]
    change = ((2 * hits[:, occurs] - f1 * both[:, occurs]) / d[occurs]).mean(axis=1)
    return np.asarray(f1.mean() + w.sum() * change)


def micro_f1_values(there: np.ndarray, given: np.ndarray, weights: Weights = None) -> np.ndarray:
    """(n,) pseudo-values of the F1 of all decisions in one pot, of (n, c) true and (n, c) given labels."""
    each = None if weights is None else np.repeat(weights, there.shape[1])
    return macro_f1_values(there.reshape(-1, 1), given.reshape(-1, 1), each).reshape(there.shape).mean(axis=1)


def precision_values(there: np.ndarray, scores: np.ndarray, weights: Weights = None) -> np.ndarray:
    """(n,) pseudo-values of the mean average precision over the labels that any example has.

    Args:
        there: (n, c) bool. scores: (n, c), higher where the label is likelier; equal ones share a place.
    """
    n, labels = len(there), np.flatnonzero(there.any(axis=0))
    w = np.ones(n) if weights is None else weights
    values = [_one_precision(there[:, label], scores[:, label], w) for label in labels]
    return np.mean(values, axis=0) if values else np.ones(n)


def _one_precision(hit: np.ndarray, scores: np.ndarray, w: np.ndarray) -> np.ndarray:
    """(n,) of one label.

    Average precision is the mean of h / s over the hits, where s examples rank as high as the hit, and h of them are
    hits. A weight more of an example changes h (if it is a hit) and s of each hit at its place or below.
    """
    _, place = np.unique(-scores, return_inverse=True)
    hits, s = np.bincount(place, hit * w), np.bincount(place, w).cumsum()
    precision = hits.cumsum() / s
    average = float((hits * precision).sum() / hits.sum())
    below = (hits / s)[::-1].cumsum()[::-1], (hits * precision / s)[::-1].cumsum()[::-1]
    change = hit * (precision[place] - average + below[0][place]) - below[1][place]
    return np.asarray(average + w.sum() / hits.sum() * change)
