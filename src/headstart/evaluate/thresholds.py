"""A threshold for each label: from which probability it is given."""

from __future__ import annotations

import numpy as np

_COMMON = 10.0  # positives that the threshold which suits all labels counts as, beside a label's own
_GRID = np.linspace(0.02, 0.9, 45)
_LOWEST, _HIGHEST = 0.01, 0.95


def best_thresholds(probabilities: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(c,) thresholds that make F1 high on examples that the probabilities were not fitted on.

    The threshold with the best F1 of a label with three positives is chance, so each is drawn, on the scale of log
    odds, towards the one threshold with the best mean F1 of all labels: as much as ten positives weigh.

    Args:
        probabilities: (n, c). y: (n, c) of 0 and 1.

    Source: Lipton, Elkan and Naryanaswamy, Optimal Thresholding of Classifiers to Maximize F1 Measure, ECML 2014 (a
    threshold a label, and why rare labels' ones are noise); the drawing together is ours.
    """
    y = np.asarray(y) > 0
    common = _best_common(probabilities, y)
    found = np.full(y.shape[1], common)
    for label in range(y.shape[1]):
        positives = int(y[:, label].sum())
        if positives:
            own = _best(probabilities[:, label], y[:, label])
            odds = (positives * _odds(own) + _COMMON * _odds(common)) / (positives + _COMMON)
            found[label] = 1 / (1 + np.exp(-odds))
    return np.clip(found, _LOWEST, _HIGHEST)


def _best(p: np.ndarray, y: np.ndarray) -> float:
    """The threshold of one label with the highest F1, in the middle between two probabilities."""
    order = np.argsort(-p, kind="stable")
    hits, given, ranked = np.cumsum(y[order]), np.arange(1, len(p) + 1), p[order]
    last = np.append(ranked[1:] < ranked[:-1], True)  # equal probabilities are judged alike
    f1 = np.where(last, 2 * hits / (given + y.sum()), -1.0)
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(p) else 0.0
    return float(np.clip((ranked[best] + below) / 2, _LOWEST, _HIGHEST))


def _best_common(probabilities: np.ndarray, y: np.ndarray) -> float:
    """The one threshold for all labels with the highest mean F1 of those that occur."""
    occurs, means = y.any(axis=0), []
    for threshold in _GRID:
        given = probabilities >= threshold
        hits = (given & y).sum(axis=0)
        f1 = 2 * hits / np.maximum(given.sum(axis=0) + y.sum(axis=0), 1)
        means.append(f1[occurs].mean() if occurs.any() else 0.0)
    return float(_GRID[int(np.argmax(means))])


def _odds(p: float) -> float:
    return float(np.log(p / (1 - p)))
