"""Temperature scaling: one number that makes probabilities honest and leaves every prediction as it was."""

from __future__ import annotations

from math import exp, log

import numpy as np

LOWEST, HIGHEST = 0.05, 20.0
_ROWS = 2048  # gone through at a time: they stay in the processor's cache


def temperature(logits: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The T in [0.05, 20] for which softmax(logits / T) has the least log loss; 1 where T makes no difference.

    One example more is counted, whose class nobody knows: without it ten examples that are all answered rightly would
    make every answer certain. Among a thousand it is not noticed. The examples' labels are smoothed by its share,
    as Platt does (Probabilistic Outputs for Support Vector Machines, 1999).

    Args:
        logits: (n, n_classes), of examples that the classifier was not fitted on.
        y: (n,) class indices.
        weights: (n,) at least 0, how many examples each one counts for; None: one.

    Raises:
        ValueError: no example, or no weight above 0.

    Source: Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    z = np.asarray(logits, dtype=np.float32)
    w = np.ones(len(z)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(z) == 0 or not w.sum() > 0:
        raise ValueError("temperature needs at least one example with a weight above 0")
    counted = float(w.sum())
    w = w / counted
    z = z - z[np.arange(len(z)), np.asarray(y)][:, None]  # now the true class has logit 0
    z = z - z.mean(axis=1, keepdims=True) / (1 + counted)  # now what is wanted of each has: a share of it is any class

    # In b = 1/T the loss is convex: its slope is E_p[z], which only grows, for its own slope is Var_p[z].
    # So find the one root of the slope by Newton in log b, and halve the bracket wherever a step would leave it.
    low, high = log(1 / HIGHEST), log(1 / LOWEST)
    at_low, at_high = _slope(z, w, exp(low))[0], _slope(z, w, exp(high))[0]
    if at_low >= 0 or at_high <= 0:
        return 1.0 if at_low >= 0 >= at_high else (HIGHEST if at_low >= 0 else LOWEST)
    u = 0.0
    for _ in range(100):
        slope, curvature = _slope(z, w, exp(u))
        low, high = (u, high) if slope < 0 else (low, u)
        change = exp(u) * curvature
        step = u - slope / change if change > 0 else low
        following = step if low < step < high else (low + high) / 2
        if abs(following - u) < 1e-6:
            break
        u = following
    return exp(-u)


def _slope(z: np.ndarray, w: np.ndarray, b: float) -> tuple[float, float]:
    """First and second derivative of the weighted log loss by b, where what is wanted has logit 0."""
    first = second = 0.0
    for start in range(0, len(z), _ROWS):
        part = z[start : start + _ROWS]
        p = part * np.float32(b)
        p -= p.max(axis=1, keepdims=True)
        np.exp(p, out=p)
        total = p.sum(axis=1)
        p *= part
        mean = p.sum(axis=1) / total
        square = np.einsum("nc,nc->n", p, part) / total
        first += float(w[start : start + _ROWS] @ mean)
        second += float(w[start : start + _ROWS] @ (square - mean**2))
    return first, second


def sigmoid_temperature(logits: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The T in [0.05, 20] for which sigmoid(logits / T) has the least log loss over all labels; 1 where none has.

    One example more is counted, that has each label by its share of the others: without it examples whose labels are
    all told apart would make every answer certain.

    Args:
        logits: (n, c), of examples that the classifiers were not fitted on.
        y: (n, c) of 0 and 1, any number of labels an example.
        weights: as of `temperature`.

    Raises:
        ValueError: no example.

    Source: as of `temperature`, for binary logistic regressions that share one T.
    """
    z, there = np.asarray(logits, dtype=np.float32), np.asarray(y, dtype=np.float32)
    w = np.ones((1, 1), dtype=np.float32) if weights is None else np.asarray(weights, dtype=np.float32)[:, None]
    n = len(z) if weights is None else float(weights.sum())
    if not n > 0:
        raise ValueError("temperature needs at least one example with a weight above 0")
    share = ((w * there).sum(axis=0, dtype=np.float64) + 0.5) / (n + 1)
    weighted = w * z
    told = float(np.einsum("nc,nc->", there, weighted, dtype=np.float64))
    wanted = (n * told + float(weighted.sum(axis=0, dtype=np.float64) @ share)) / (n + 1)

    def slope(b: float) -> float:
        """Of the log loss by b = 1/T, which is convex in b; what is wanted of each label is its smoothed truth."""
        parts = (slice(start, start + _ROWS) for start in range(0, len(z), _ROWS))
        half = np.float32(b / 2)
        return sum(float(np.vdot(weighted[part], 0.5 + 0.5 * np.tanh(z[part] * half))) for part in parts) - wanted

    low, high = log(1 / HIGHEST), log(1 / LOWEST)
    at_low, at_high = slope(exp(low)), slope(exp(high))
    if at_low >= 0 or at_high <= 0:
        return 1.0 if at_low >= 0 >= at_high else (HIGHEST if at_low >= 0 else LOWEST)
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if slope(exp(middle)) < 0 else (low, middle)
    return exp(-(low + high) / 2)


def answer_temperature(scores: np.ndarray, right: np.ndarray) -> float:
    """The T in [0.05, 20] for which the best answer's share of softmax(scores / T) best tells whether it is right.

    Unlike in `temperature`, the true answer need not be among those that are scored. So what is minimised is the log
    loss of right and wrong, in one unknown; it need not be convex, and is looked at on a grid. Right and wrong are
    taken for a little less than certain (Platt, Probabilistic Outputs for Support Vector Machines, 1999), or a few
    questions that are all answered rightly would make every answer certain.

    Args:
        scores: (n, k) log probabilities of answers to questions that the model was not fitted on, the best one first;
            -inf fills up rows with fewer.
        right: (n,) bool, whether the first one is right.

    Raises:
        ValueError: no question.
    """
    z = np.asarray(scores, dtype=np.float64)
    if len(z) == 0:
        raise ValueError("a temperature needs at least one question")
    z = z - z[:, :1]
    hits = int(np.sum(right))
    wanted = np.where(right, (hits + 1) / (hits + 2), 1 / (len(z) - hits + 2))
    grid = np.exp(np.linspace(log(LOWEST), log(HIGHEST), 241))

    def loss(t: float) -> float:
        confidence = np.clip(1.0 / np.exp(z / t).sum(axis=1), 1e-12, 1 - 1e-12)
        return float(-(wanted * np.log(confidence) + (1 - wanted) * np.log(1 - confidence)).mean())

    return float(min(grid, key=lambda t: (loss(t), abs(log(t)))))
