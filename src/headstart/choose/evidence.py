"""What features say about classes without a head being trained. Arrays in, numbers out."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 5
_SHUFFLES = 99
_ENOUGH = 30  # examples below which shuffled labels tell nothing
_STEPS = 200
_CLOSE = 1e-7  # relative change of alpha / beta at which the evidence stands still
_TINY = 1e-30


def logme(features: np.ndarray, y: np.ndarray, *, n_classes: int) -> float:
    """Log evidence of a Bayesian linear model, an example, averaged over "this class or not". Higher is better.

    The targets 0 and 1 are y ~ N(F w, 1 / beta), the weights w ~ N(0, 1 / alpha). Both precisions are those with the
    most evidence, found by going back and forth between alpha = g / |m|^2, beta = (n - g) / |F m - y|^2 and the
    posterior mean m, where g = sum_i s_i / (alpha / beta + s_i) counts the weights that the data decide. In the basis
    of F's singular vectors all of it is sums over s_i, the squared singular values, and all classes go at once.

    Args:
        features: (n, d). y: (n,) class indices.

    Source: You, Liu, Wang and Long, LogME: Practical Assessment of Pre-trained Models for Transfer Learning, ICML 2021,
    equations 2 to 4.
    """
    x = np.asarray(features, dtype=np.float64)
    n, d = x.shape
    s, along = _singular(x, np.eye(n_classes)[y])  # (r,), (r, c): squared length of each target along each direction
    rest = np.maximum(np.bincount(y, minlength=n_classes) - along.sum(axis=0), 0)
    s = s[:, None]
    t = np.ones(n_classes)  # alpha / beta
    for _ in range(_STEPS):
        alpha, beta = _precisions(s, along, rest, t, n)
        last, t = t, np.clip(alpha / beta, 1e-12, 1e12)
        if (np.abs(t / last - 1) < _CLOSE).all():
            break
    alpha, beta = _precisions(s, along, rest, t, n)
    m2, error = _fit(s, along, rest, alpha / beta)
    log_det = np.log(alpha + beta * s).sum(axis=0) + (d - len(s)) * np.log(alpha)
    evidence = n * np.log(beta / (2 * np.pi)) + d * np.log(alpha) - beta * error - alpha * m2 - log_det
    return float((evidence / 2 / n).mean())


def neighbours(features: np.ndarray, y: np.ndarray, groups: np.ndarray, *, n_classes: int) -> float:
    """Accuracy of the vote of the five nearest others by cosine; those of the same group do not vote.

    Args:
        features: (n, d). y: (n,) class indices. groups: (n,) equal for duplicates.
    """
    z = np.asarray(features, dtype=np.float32)
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    cosine = z @ z.T
    cosine[groups[:, None] == groups[None, :]] = -np.inf
    k = min(NEIGHBOURS, len(y))
    nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
    counts = np.isfinite(np.take_along_axis(cosine, nearest, axis=1))
    votes = np.zeros((len(y), n_classes))
    np.add.at(votes, (np.arange(len(y))[:, None], y[nearest]), counts)
    return float((votes.argmax(axis=1) == y).mean())


def separation(features: np.ndarray, y: np.ndarray, groups: np.ndarray) -> float:
    """How far apart the class means lie, where 1 is the most that 99 shufflings of the labels gave.

    Far apart means: squared distance of class means from the mean of all, over that of examples from the mean of their
    class. Below 1 the model sees nothing that these labels have in common, such as in noise. nan below 30 examples.

    Args:
        features: (n, d). y: (n,) class indices. groups: (n,) equal for duplicates, of which the first counts.

    Source: Anderson, A new method for non-parametric multivariate analysis of variance, Austral Ecology 26, 2001.
    """
    first = np.sort(np.unique(groups, return_index=True)[1])
    x, y = np.asarray(features, dtype=np.float32)[first], y[first]
    present, y = np.unique(y, return_inverse=True)
    if len(y) < _ENOUGH or len(y) <= len(present) or len(present) < 2:
        return float("nan")
    x = x - x.mean(axis=0)
    total = float(np.square(x).sum())
    rng = np.random.default_rng(0)
    true = _ratio(x, y, total)
    shuffled = max(_ratio(x, rng.permutation(y), total) for _ in range(_SHUFFLES))
    return true / max(shuffled, _TINY)


def _singular(x: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values (r,), and (r, c) squared lengths of the targets along the left singular vectors."""
    n, d = x.shape
    if n <= d:
        s, left = np.linalg.eigh(x @ x.T)
        kept = s > s.max(initial=0.0) * n * np.finfo(np.float64).eps
        return s[kept], np.square(left[:, kept].T @ targets)
    s, right = np.linalg.eigh(x.T @ x)
    kept = s > s.max(initial=0.0) * n * np.finfo(np.float64).eps
    return s[kept], np.square((x @ right[:, kept]).T @ targets) / s[kept][:, None]


def _fit(s: np.ndarray, along: np.ndarray, rest: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(c,) |m|^2 and |F m - y|^2, at alpha / beta = t."""
    return (s * along / (t + s) ** 2).sum(axis=0), (along * (t / (t + s)) ** 2).sum(axis=0) + rest


def _precisions(
    s: np.ndarray, along: np.ndarray, rest: np.ndarray, t: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """(c,) alpha and beta with the most evidence, given the posterior at alpha / beta = t."""
    m2, error = _fit(s, along, rest, t)
    decided = (s / (t + s)).sum(axis=0)
    return np.maximum(decided, _TINY) / np.maximum(m2, _TINY), np.maximum(n - decided, _TINY) / np.maximum(error, _TINY)


def _ratio(x: np.ndarray, y: np.ndarray, total: float) -> float:
    """Between classes over within, each by its degrees of freedom; x is centred, `total` its squared length."""
    order = np.argsort(y, kind="stable")
    counts = np.bincount(y)
    sums = np.add.reduceat(x[order], np.cumsum(counts) - counts, axis=0)
    between = float((np.square(sums).sum(axis=1) / counts).sum())
    within = max(total - between, _TINY)
    return (between / (len(counts) - 1)) / (within / (len(y) - len(counts)))
