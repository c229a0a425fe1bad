"""Features in the eigenbasis of their covariance, where columns are uncorrelated and the solver is fast.

Columns are divided by the square root of their standard deviation. Dividing by all of it makes every column count
alike, also those in which nothing happens, and costs one to two points on photos; not dividing at all leaves the
penalty at the mercy of a few loud columns (docs/accuracy.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.backbone import Matrix
from headstart.storage.matrix import blocks, room_for

_KEPT = 0.99  # share of the variance in the directions that are kept; the rest costs time and brings nothing
_LEAST_DEVIATION = 1e-6  # of the largest; columns below are constant


@dataclass(frozen=True)
class Basis:
    """A linear map from raw features to columns that are uncorrelated, widest first."""

    mean: np.ndarray  # (d,) float32
    scale: np.ndarray  # (d,) float32
    rotation: np.ndarray  # (d, r) float32, orthonormal columns
    variance: np.ndarray  # (r,) float32, descending

    def transform(self, features: Matrix) -> Matrix:
        """(n, d) -> (n, r + 1): the last column is 1, so that a bias is a weight like any other."""
        r = self.rotation.shape[1]
        out = room_for(len(features), r + 1)
        for rows, block in blocks(features):
            made = np.ones((len(block), r + 1), dtype=np.float32)
            made[:, :-1] = ((block - self.mean) / self.scale) @ self.rotation
            out[rows] = made
        return out

    def fold_in(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights and bias (c, r + 1) on transformed features -> (c, d) and (c,) on the raw ones, float64."""
        at = at.astype(np.float64)
        raw = at[:, :-1] @ self.rotation.T.astype(np.float64) / self.scale
        return raw, at[:, -1] - raw @ self.mean


def fit_basis(features: Matrix, weights: np.ndarray | None = None) -> Basis:
    """Made from (n, d) features; exact also where d > n, at the cost of the smaller of the two sides.

    Args:
        weights: (n,) above 0, how much each row counts; None: all alike.
    """
    n, d = features.shape
    share = None if weights is None else (weights / weights.mean()).astype(np.float32)[:, None]
    mean = np.asarray(sum(_total(x, share, rows) for rows, x in blocks(features)) / n).astype(np.float32)
    squares = sum(_total(np.square(x - mean), share, rows) for rows, x in blocks(features))
    deviation = np.sqrt(squares / n)
    varies = deviation > _LEAST_DEVIATION * max(1e-12, float(deviation.max(initial=0.0)))
    scale = np.sqrt(np.where(varies, deviation, 1))
    scale *= max(1e-12, float(np.sqrt(np.mean((deviation / scale)[varies] ** 2)))) if varies.any() else 1
    scale = scale.astype(np.float32)  # the mean variance of the columns that vary is now 1: penalties are comparable
    if d <= n:
        gram = np.zeros((d, d), dtype=np.float64)
        for rows, block in blocks(features):
            standard = (block - mean if share is None else np.sqrt(share[rows]) * (block - mean)) / scale
            gram += standard.T @ standard
        values, vectors = _leading(gram / n)
        rotation = vectors
    else:
        standard = (features[:] - mean if share is None else np.sqrt(share) * (features[:] - mean)) / scale
        values, vectors = _leading(standard @ standard.T / n)
        rotation = standard.T @ (vectors / np.sqrt(np.where(values > 0, n * values, 1)))  # all alike: no direction
    return Basis(mean, scale, np.ascontiguousarray(rotation, dtype=np.float32), values.astype(np.float32))


def _total(block: np.ndarray, share: np.ndarray | None, rows: slice) -> np.ndarray:
    """(d,) float64 sums over the rows of a block, each counted by its share; None: once, and nothing is multiplied."""
    return np.asarray((block if share is None else share[rows] * block).sum(axis=0, dtype=np.float64))


def _leading(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (r,), descending, and eigenvectors (d, r) of the directions that hold 99 % of the variance."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float32))
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    r = 1 + int(np.searchsorted(np.cumsum(values), _KEPT * values.sum()))
    return values[:r], vectors[:, :r]
