"""The losses that the solver minimises: what each needs to know of the true answers, and one pass's share of its work.

A loss knows the true answers and each problem's example weights; it is handed weights and a slice of features, and
gives losses and residuals. Problems are k (folds), outputs c (classes or labels), and a slice has m rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

Live = slice | np.ndarray  # the problems that a slice of rows counts in
Slice = tuple[np.ndarray, slice, Live]  # features (m, r + 1), which rows they are, the problems that they count in

_LEAST_CURVATURE = 1e-3  # of the largest between classes
_MOST_ROTATED = 1000  # classes, beyond which the eigenvectors between them take longer than all else
_LEAST_SHARE = 1e-4  # of a class, in the bias that is started from
_HIGHEST = 80.0  # logit on the wrong side: exp of it is still float32
_TINY = 1e-30
_MOST_SIGNS = 2**24  # of labels that are kept as float32: 64 MB; more are made anew in each pass
_ROWS = 2**17  # gone through at a time before the first pass


class Loss(Protocol):
    """A loss of c outputs that is convex in the logits."""

    @property
    def outputs(self) -> int:
        """c."""
        ...

    def start(self) -> np.ndarray:
        """(k, c) the biases that are best, or nearly, without features."""
        ...

    def residuals(self, at: np.ndarray, x: np.ndarray, rows: slice, live: Live) -> tuple[np.ndarray, np.ndarray]:
        """Weighted losses (k,) of these rows, and their derivative by the logits (k, c, m), for the live problems.

        Args:
            at: (k, c, r + 1), of the live problems only.
        """
        ...

    def curvature(self, at: np.ndarray, slices: Iterable[Slice]) -> tuple[np.ndarray, np.ndarray | None]:
        """The mean Hessian by the logits of an example: eigenvalues (k, c) and -vectors (k, c, c); None: the axes."""
        ...


class Softmax:
    """Log loss of exactly one true class among c."""

    def __init__(self, y: np.ndarray, weights: np.ndarray, n_classes: int) -> None:
        """`y` (n,) class indices; `weights` (k, n) float32, rows sum to 1."""
        self.y, self.w, self.outputs = y, weights, n_classes
        self.shares = np.stack([np.bincount(y, weights=w, minlength=n_classes) for w in weights]).astype(np.float32)

    def start(self) -> np.ndarray:
        """The log of the class shares."""
        return np.asarray(np.log(np.maximum(self.shares, _LEAST_SHARE)))

    def residuals(self, at: np.ndarray, x: np.ndarray, rows: slice, live: Live) -> tuple[np.ndarray, np.ndarray]:
        """As in `Loss`: weight times (probability - truth)."""
        y, w = self.y[rows], self.w[live, rows]
        own = (slice(None), y, np.arange(len(y)))
        p, total, own_logit = _exponentials(at, x, own)
        losses = np.einsum("kn,kn->k", w, np.log(total) - own_logit)
        p *= (w / total)[:, None]  # now weight times probability
        p[own] -= w
        return losses, p

    def curvature(self, at: np.ndarray, slices: Iterable[Slice]) -> tuple[np.ndarray, np.ndarray | None]:
        """As in `Loss`: the mean covariance of the classes' indicators."""
        k, c, _ = at.shape
        if c > _MOST_ROTATED:
            return self._variances(at, slices), None
        between, mean = np.zeros((k, c, c), dtype=np.float32), np.zeros((k, c), dtype=np.float32)
        for x, rows, live in slices:
            y = self.y[rows]
            p, total, _ = _exponentials(at[live], x, (slice(None), y, np.arange(len(y))))
            p /= total[:, None]
            weighted = p * self.w[live, None, rows]
            mean[live] += weighted.sum(axis=2)
            between[live] -= weighted @ p.transpose(0, 2, 1)
        between[:, np.arange(c), np.arange(c)] += mean
        size, rotation = np.linalg.eigh(between)
        return np.maximum(size, _LEAST_CURVATURE * size[:, -1:]), rotation  # one is flat: adding to every class

    def _variances(self, at: np.ndarray, slices: Iterable[Slice]) -> np.ndarray:
        """(k, c) the mean variance of each class's indicator: of very many classes two hardly ever vary together."""
        found = np.zeros(at.shape[:2], dtype=np.float32)
        for x, rows, live in slices:
            y = self.y[rows]
            p, total, _ = _exponentials(at[live], x, (slice(None), y, np.arange(len(y))))
            p /= total[:, None]
            found[live] += np.vecdot(p * (1 - p), self.w[live, None, rows])
        return np.maximum(found, _LEAST_CURVATURE * found.max(axis=1, keepdims=True))


class Sigmoid:
    """The sum over c labels of the log loss of yes and no, each label having its own answer.

    A label that is the same in all examples of a problem has its best bias at infinity: there it keeps the one that it
    starts from, and counts in no loss.
    """

    def __init__(self, y: np.ndarray, weights: np.ndarray) -> None:
        """`y` (n, c) of 0 and 1; `weights` (k, n) float32, rows sum to 1."""
        self.w, self.y, self.outputs = weights, y, y.shape[1]
        self.sign = _signs(y) if y.size <= _MOST_SIGNS else None
        counted = weights > 0
        n, shape = counted.sum(axis=1, keepdims=True), (len(weights), y.shape[1])
        there, share = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.float32)
        for start in range(0, len(y), _ROWS):
            rows = slice(start, start + _ROWS)
            there += counted[:, rows] @ (y[rows] > 0).astype(np.int64)
            share += weights[:, rows] @ y[rows].astype(np.float32)
        self.varies = ((there > 0) & (there < n)).astype(np.float32)  # (k, c)
        least = 0.5 / (n + 1)  # half an example each way: Krichevsky and Trofimov, 1981
        self.shares = np.clip(share, least, 1 - least).astype(np.float32)

    def start(self) -> np.ndarray:
        """The log odds of the labels' shares."""
        return np.asarray(np.log(self.shares) - np.log1p(-self.shares))

    def residuals(self, at: np.ndarray, x: np.ndarray, rows: slice, live: Live) -> tuple[np.ndarray, np.ndarray]:
        """As in `Loss`: weight times (probability - truth)."""
        sign = _signs(self.y[rows]) if self.sign is None else self.sign[:, rows]
        w, varies = self.w[live, None, rows], self.varies[live]
        z = logits(at, x)
        z *= sign  # now how far the label is on its wrong side
        e = np.exp(np.minimum(z, _HIGHEST, out=z), out=z)
        losses = np.vecdot(np.log1p(e), w)
        e /= 1 + e
        e *= w * varies[:, :, None]
        e *= sign
        return (losses * varies).sum(axis=1), e

    def curvature(self, at: np.ndarray, slices: Iterable[Slice]) -> tuple[np.ndarray, np.ndarray | None]:
        """As in `Loss`: the mean variance of each label."""
        mean = np.zeros(at.shape[:2], dtype=np.float32)
        for x, rows, live in slices:
            e = np.exp(-np.abs(logits(at[live], x)))
            mean[live] += np.vecdot(e / np.square(1 + e), self.w[live, None, rows])
        return mean, None


def _signs(y: np.ndarray) -> np.ndarray:
    """(m, c) of 0 and 1 -> (c, m) float32, -1 where the label is there."""
    return np.ascontiguousarray((1 - 2 * y.T).astype(np.float32))


def logits(at: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(k, c, r + 1) and (m, r + 1) -> (k, c, m)."""
    return (at.reshape(-1, at.shape[2]) @ x.T).reshape(*at.shape[:2], len(x))


def _exponentials(
    at: np.ndarray, x: np.ndarray, own: tuple[slice, np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """exp(logits) (k, c, m), their sums (k, m) and the logits of the true classes (k, m).

    Taking each column's maximum off first is safe and costs as much as all the rest, so it is done only where a sum
    leaves float32. It hardly ever does: weights sum to zero over the classes, so logits do not drift away from 0.
    """
    z = logits(at, x)
    own_logit = z[own]
    with np.errstate(over="ignore"):
        p = np.exp(z, out=z)
        total = p.sum(axis=1)
    if not (total.max() < 1 / _TINY and total.min() > _TINY):
        z = logits(at, x)
        z -= z.max(axis=1, keepdims=True)
        own_logit = z[own]
        p = np.exp(z, out=z)
        total = p.sum(axis=1)
    return p, total, own_logit
