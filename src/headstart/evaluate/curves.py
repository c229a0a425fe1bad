"""Curves of a score: arrays in, points out, of a bounded number however many examples there are.

Probabilities are taken to the six digits that predictions are written with: who acts on a point by what `predict` says
gets what the point says.
"""

from __future__ import annotations

import numpy as np

from headstart.evaluate.metrics import BINS, bin_of

MOST_COVERAGES = 101
MOST_THRESHOLDS = 201
_DIGITS = 6

Point = dict[str, float]


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Point]:
    """How often answers are right beside how sure they are, in the bins of the calibration error; none for empty ones.

    Args:
        confidence: (n,) from 0 to 1. right: (n,) bool.

    Returns:
        A bin a dict: low, high (it holds more than low, up to high), n, and mean confidence and accuracy in it.

    Source: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, figure 1.
    """
    which = bin_of(confidence, bins)
    counts = np.bincount(which, minlength=bins)
    some = np.flatnonzero(counts)
    sure, hits = (np.bincount(which, weights=values)[some] for values in (confidence, right))
    n = counts[some]
    return _points(low=some / bins, high=(some + 1) / bins, n=n, confidence=sure / n, accuracy=hits / n)


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> list[Point]:
    """How often answers are right where only the surest are given; equally sure ones are given together.

    Args:
        confidence: (n,) from 0 to 1, n > 0. right: (n,) bool.

    Returns:
        At most 101 points, the surest answers first: coverage (the share that is answered), accuracy of these, and the
        confidence from which on they are answered. The last one is of all answers.

    Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 11, 2010.
    """
    sure, last, order = _from_the_highest(confidence)
    answered, hits = last + 1, np.cumsum(np.asarray(right)[order])[last]
    some = _evenly(answered, MOST_COVERAGES)
    n, k = answered[some], hits[some]
    return _points(coverage=n / len(order), accuracy=k / n, confidence=sure[some])


def precision_recall(probability: np.ndarray, positive: np.ndarray) -> list[Point]:
    """Precision and recall of one class of two, by the probability from which on it is answered.

    Args:
        probability: (n,) of the class, from 0 to 1. positive: (n,) bool, which examples are of it.

    Returns:
        At most 201 points, the highest threshold first; none where no example is of the class.

    Source: Davis and Goadrich, The Relationship between Precision-Recall and ROC Curves, ICML 2006.
    """
    total = int(np.sum(positive))
    if total == 0:
        return []
    thresholds, last, order = _from_the_highest(probability)
    called, hits = last + 1, np.cumsum(np.asarray(positive)[order])[last]
    some = _evenly(hits / total + called / len(order), MOST_THRESHOLDS)  # a rare class is found early, the rest late
    n, k = called[some], hits[some]
    return _points(threshold=thresholds[some], precision=k / n, recall=k / total)


def _from_the_highest(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(m,) the values that occur, descending; (m,) the last place of each; and (n,) the rows in that order."""
    rounded = np.round(np.asarray(values, dtype=np.float64), _DIGITS)
    order = np.argsort(-rounded, kind="stable")
    down = rounded[order]
    last = np.flatnonzero(np.append(down[1:] != down[:-1], True))
    return down[last], last, order


def _evenly(along: np.ndarray, most: int) -> np.ndarray:
    """At most so many places along an ascending measure, about evenly, the first and the last among them."""
    if len(along) <= most:
        return np.arange(len(along))
    return np.unique(np.searchsorted(along, np.linspace(along[0], along[-1], most)))


def _points(**columns: np.ndarray) -> list[Point]:
    """A point a row, its values under the names of the columns."""
    rows = zip(*(np.round(column, _DIGITS).tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
