"""Metrics: arrays in, numbers out. `y` and `predicted` are (n,) class indices; every function needs n > 0."""

from __future__ import annotations

import numpy as np

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
BINS = 15  # of confidence
_OF_MAD = 1.4826  # a normal distribution's deviation, in median absolute deviations
_TINY = float(np.finfo(np.float64).eps)


def softmax(logits: np.ndarray) -> Floats:
    """Probabilities from logits, computed in float64.

    Args:
        logits: (n, n_classes).

    Returns:
        (n, n_classes) float64; each row sums to 1.
    """
    z = np.asarray(logits, dtype=np.float64)
    e = np.exp(z - z.max(axis=1, keepdims=True))  # the largest exponent is 0: nothing overflows
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def log_losses(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) log loss of each example, nats, in the logits' own precision and without a bound.

    Args:
        logits: (n, n_classes).
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y])


def mean(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The mean; weighted, where weights (n,) are given."""
    return float(values.mean() if weights is None else np.average(values, weights=weights))


def accuracy(y: np.ndarray, predicted: np.ndarray) -> float:
    """Share of examples whose class was predicted."""
    return float(np.mean(np.asarray(y) == np.asarray(predicted)))


def confusion(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """(n_classes, n_classes) int64 counts; rows: true class, columns: predicted."""
    cells = np.asarray(y, dtype=np.int64) * n_classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes).astype(np.int64)


def confused(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """(m, 3) int64: true class, predicted class, how often; a row a pair that occurs, in their order."""
    cells = np.asarray(y, dtype=np.int64) * n_classes + np.asarray(predicted, dtype=np.int64)
    pairs, counts = np.unique(cells, return_counts=True)
    return np.column_stack([*np.divmod(pairs, n_classes), counts]).astype(np.int64)


def per_class(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> tuple[Floats, Floats, Floats, np.ndarray]:
    """Precision, recall, F1 and count of each class.

    Returns:
        Three (n_classes,) float64, 0 where undefined, and an (n_classes,) int64.
    """
    y, predicted = np.asarray(y), np.asarray(predicted)
    called, count = (np.bincount(labels, minlength=n_classes) for labels in (predicted, y))
    hits = np.bincount(y[y == predicted], minlength=n_classes)
    # f1 = 2 p r / (p + r) = 2 hits / (called + count): one division, and 0/0 only for a class that never occurs
    return _ratio(hits, called), _ratio(hits, count), _ratio(2 * hits, called + count), count


def balanced_accuracy(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> float:
    """Mean recall of the classes that occur in `y`: accuracy, were all of them as frequent.

    Source: Brodersen et al., The balanced accuracy and its posterior distribution, ICPR 2010.
    """
    _, recall, _, count = per_class(y, predicted, n_classes)
    return float(recall[count > 0].mean())


def macro_f1(y: np.ndarray, predicted: np.ndarray, n_classes: int) -> float:
    """Mean F1 over the classes that occur in `y` or in `predicted`, each counting alike."""
    f1 = per_class(y, predicted, n_classes)[2]
    occurs = np.zeros(n_classes, dtype=bool)
    occurs[np.asarray(y)] = occurs[np.asarray(predicted)] = True
    return float(f1[occurs].mean())


def macro_f1_of_draws(y: np.ndarray, predicted: np.ndarray, drawn: np.ndarray, n_classes: int) -> Floats:
    """(b,) macro F1 of each draw, in which each example counts as often as (b, n) says."""
    hits, count, called = (
        _sums_by(drawn, of, n_classes, some) for of, some in ((y, y == predicted), (y, None), (predicted, None))
    )
    both = called + count
    return np.asarray(_ratio(2 * hits, both).sum(axis=1) / np.maximum((both > 0).sum(axis=1), 1))


def _sums_by(drawn: np.ndarray, of: np.ndarray, n: int, some: np.ndarray | None) -> Floats:
    """(b, n) sums of the columns of (b, m) that are of each class; some: (m,) bool, which columns count."""
    rows = np.argsort(of, kind="stable") if some is None else np.flatnonzero(some)[np.argsort(of[some], kind="stable")]
    sums = np.zeros((len(drawn), n))
    if len(rows):
        there, firsts = np.unique(of[rows], return_index=True)
        sums[:, there] = np.add.reduceat(drawn[:, rows], firsts, axis=1, dtype=np.float64)
    return sums


def log_loss(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -log(probability of the true class), in nats; probabilities are clipped to float64's resolution."""
    p = np.asarray(probabilities, dtype=np.float64)[np.arange(len(y)), np.asarray(y)]
    return float(-np.log(np.clip(p, _TINY, 1.0 - _TINY)).mean())


def expected_calibration_error(y: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> float:
    """Mean gap between confidence and accuracy over equal-width bins (low, high] of confidence, weighted by their size.

    Source: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    confidence = p.max(axis=1)
    right = (p.argmax(axis=1) == np.asarray(y)).astype(np.float64)
    which = bin_of(confidence, bins)
    # (size / n) * |mean right - mean confidence| = |sum of (right - confidence)| / n in each bin
    gaps = np.bincount(which, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(p))


def bin_of(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """(n,) int64, which of the equal-width bins (low, high] each confidence lies in."""
    return np.clip(np.ceil(np.asarray(confidence) * bins).astype(np.int64) - 1, 0, bins - 1)


def robust_deviation(values: np.ndarray) -> float:
    """The standard deviation of numbers as their median absolute deviation has it, which a few odd ones do not move.

    Source: Rousseeuw and Croux, Alternatives to the Median Absolute Deviation, JASA 88, 1993.
    """
    return _OF_MAD * float(np.median(np.abs(values - np.median(values))))


def _ratio(part: np.ndarray, whole: np.ndarray) -> Floats:
    return np.asarray(part / np.maximum(whole, 1), dtype=np.float64)  # where the whole is 0, so is the part
