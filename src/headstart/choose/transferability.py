"""What features say about classes without a head being trained. Arrays in, numbers out."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 5
_SHUFFLES = 99
_ENOUGH = 30  # examples below which shuffled labels tell nothing
_REACHES = (8.0, 0.4)  # powers of ten up and down that are searched, first widely, then closely
_TRIED = 41
_TINY = 1e-30


def logme(features: np.ndarray, y: np.ndarray, *, n_classes: int) -> float:
    """Log evidence of a Bayesian linear model, an example, averaged over "this class or not". Higher is better.

    The targets 0 and 1 are y ~ N(F w, 1 / beta), the weights w ~ N(0, 1 / alpha); both precisions are those with the
    most evidence. In the basis of F's singular vectors all of it is sums over s_i, the squared singular values, and for
    a given t = alpha / beta the best beta is known: n / R with R(t) = |F m - y|^2 + t |m|^2, which is
    the sum of t / (t + s_i) times the squared length of y along direction i. What is left depends on t alone:
    n / 2 (log(n / (2 pi R)) - 1) + 1 / 2 sum_i log(t / (t + s_i)). It may have several maxima, so t is searched for.

    Args:
        features: (n, d). y: (n,) class indices.

    Source: You, Liu, Wang and Long, LogME: Practical Assessment of Pre-trained Models for Transfer Learning, ICML 2021.
    """
    x = np.asarray(features, dtype=np.float64)
    s, along = _singular(x, np.eye(n_classes)[y])  # (r,), (r, c): squared length of each target along each direction
    rest = np.maximum(np.bincount(y, minlength=n_classes) - along.sum(axis=0), 0)

    def at(t: np.ndarray) -> np.ndarray:  # (c,) -> (c,)
        kept = t / (t + s[:, None])
        misfit = np.maximum((along * kept).sum(axis=0) + rest, _TINY)
        return (np.log(len(x) / (2 * np.pi * misfit)) - 1 + np.log(kept).sum(axis=0) / len(x)) / 2

    t = np.full(n_classes, s.mean() if len(s) else 1.0)
    for reach in _REACHES:
        tried = t * np.logspace(-reach, reach, _TRIED)[:, None]
        values = np.stack([at(row) for row in tried])
        t = tried[values.argmax(axis=0), np.arange(n_classes)]
    return float(at(t).mean())


def neighbours(features: np.ndarray, y: np.ndarray, groups: np.ndarray, *, n_classes: int) -> float:
    """Accuracy of the vote of the five nearest others by cosine; those of the same group do not vote.

    Args:
        features: (n, d). y: (n,) class indices. groups: (n,) equal for duplicates and pieces of one text.
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
        features: (n, d). y: (n,) class indices.
        groups: (n,) equal for duplicates and pieces of one text, of which the first counts.

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


def _ratio(x: np.ndarray, y: np.ndarray, total: float) -> float:
    """Between classes over within, each by its degrees of freedom; x is centred, `total` its squared length."""
    order = np.argsort(y, kind="stable")
    counts = np.bincount(y)
    sums = np.add.reduceat(x[order], np.cumsum(counts) - counts, axis=0)
    between = float((np.square(sums).sum(axis=1) / counts).sum())
    within = max(total - between, _TINY)
    return (between / (len(counts) - 1)) / (within / (len(y) - len(counts)))
