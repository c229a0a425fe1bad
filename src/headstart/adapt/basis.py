"""Features in the eigenbasis of their covariance, where columns are uncorrelated and the solver is fast.

Columns are divided by the square root of their standard deviation. Dividing by all of it makes every column count
alike, also those in which nothing happens, and costs one to two points on photos; not dividing at all leaves the
penalty at the mercy of a few loud columns (docs/accuracy.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from headstart.adapt.moments import Moments
from headstart.adapt.policy import MANY
from headstart.backbone import Matrix
from headstart.storage import matrix
from headstart.storage.matrix import blocks, room_for, take

_KEPT = 0.99  # share of the variance in the directions that are kept; the rest costs time and brings nothing
_ALIGNED = 16  # float32 numbers of a cache line: rows that begin within one are written in three times the time
_LEAST_DEVIATION = 1e-6  # of the largest; columns below are constant


@dataclass(frozen=True)
class Basis:
    """A linear map from raw features to columns that are uncorrelated, widest first."""

    mean: np.ndarray  # (d,) float32
    scale: np.ndarray  # (d,) float32
    rotation: np.ndarray  # (d, r) float32, orthonormal columns
    variance: np.ndarray  # (r,) float32, descending

    def transform(self, features: Matrix) -> Matrix:
        """(n, d) -> (n, r + 1): the last column is 1, so that a bias is a weight like any other.

        Of very many rows that is not written down, but made where it is asked for.
        """
        n, r = len(features), self.rotation.shape[1]
        if n > MANY.rows and 4 * n * (r + 1) > matrix.MOST_IN_MEMORY:
            return Unwritten(self, features)
        out = room_for(n, r + 1)
        for rows, block in blocks(features):
            out[rows] = self.transformed(block)
        return out

    def transformed(self, block: np.ndarray) -> np.ndarray:
        """(m, d) -> (m, r + 1), as `transform` has them."""
        made = np.ones((len(block), self.rotation.shape[1] + 1), dtype=np.float32)
        made[:, :-1] = ((block - self.mean) / self.scale) @ self.rotation
        return made

    def fold_in(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights and bias (c, r + 1) on transformed features -> (c, d) and (c,) on the raw ones, float64."""
        at = at.astype(np.float64)
        raw = at[:, :-1] @ self.rotation.T.astype(np.float64) / self.scale
        return raw, at[:, -1] - raw @ self.mean


class Unwritten:
    """(n, r + 1) transformed features of very many examples, of which only the raw ones exist.

    A copy of them would be twice the size of a store, and take as long as several passes over it. A solver goes by
    `centred` rows and the `map` instead: what is linear in the transformed features is linear in those.
    """

    def __init__(self, basis: Basis, features: Matrix) -> None:
        self.basis, self.features = basis, features
        self.shape = (len(features), basis.rotation.shape[1] + 1)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.basis.transformed(self.features[rows])

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        raise TypeError("transformed features that are not written down cannot be changed")

    def take(self, rows: np.ndarray) -> Matrix:
        """The given rows, ascending, as a matrix of their own."""
        return self.basis.transform(take(self.features, rows))

    def centred(self, rows: slice) -> np.ndarray:
        """(m, d + 1) float32: raw features less their mean, and a column of ones."""
        block = self.features[rows]
        n, d = block.shape
        made = np.empty((n, -(-(d + 1) // _ALIGNED) * _ALIGNED), dtype=np.float32)[:, : d + 1]
        np.subtract(block, self.basis.mean, out=made[:, :-1])
        made[:, -1] = 1
        return made

    @cached_property
    def map(self) -> np.ndarray:
        """(d + 1, r + 1) float32: from centred rows to transformed ones."""
        d, r = self.basis.rotation.shape
        made = np.zeros((d + 1, r + 1), dtype=np.float32)
        made[:-1, :-1] = self.basis.rotation / self.basis.scale[:, None]
        made[-1, -1] = 1
        return made


def fit_basis(features: Matrix, weights: np.ndarray | None = None) -> Basis:
    """Made from (n, d) features; exact also where d > n, at the cost of the smaller of the two sides.

    Args:
        weights: (n,) above 0, how much each row counts; None: all alike.
    """
    n, d = features.shape
    if n > MANY.rows:
        return basis_of(Moments.of(features, weights))
    share = None if weights is None else (weights / weights.mean()).astype(np.float32)[:, None]
    mean = np.asarray(sum(_total(x, share, rows) for rows, x in blocks(features)) / n).astype(np.float32)
    squares = sum(_total(np.square(x - mean), share, rows) for rows, x in blocks(features))
    scale = _scale(np.sqrt(squares / n))
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


def basis_of(moments: Moments) -> Basis:
    """The same from moments of more rows than columns, so that it can be had anew when examples come or go."""
    covariance = moments.covariance
    scale = _scale(np.sqrt(np.maximum(np.diag(covariance), 0)))
    values, vectors = _leading(covariance / np.outer(scale, scale))
    rotation = np.ascontiguousarray(vectors, dtype=np.float32)
    return Basis(moments.mean.astype(np.float32), scale, rotation, values.astype(np.float32))


def _scale(deviation: np.ndarray) -> np.ndarray:
    """(d,) float32 by what columns of this deviation are divided: the mean variance of those that vary is 1 then, so
    that penalties are comparable."""
    varies = deviation > _LEAST_DEVIATION * max(1e-12, float(deviation.max(initial=0.0)))
    scale = np.sqrt(np.where(varies, deviation, 1))
    scale *= max(1e-12, float(np.sqrt(np.mean((deviation / scale)[varies] ** 2)))) if varies.any() else 1
    return np.asarray(scale, dtype=np.float32)


def _total(block: np.ndarray, share: np.ndarray | None, rows: slice) -> np.ndarray:
    """(d,) float64 sums over the rows of a block, each counted by its share; None: once, and nothing is multiplied."""
    return np.asarray((block if share is None else share[rows] * block).sum(axis=0, dtype=np.float64))


def _leading(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (r,), descending, and eigenvectors (d, r) of the directions that hold 99 % of the variance."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float32))
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    r = 1 + int(np.searchsorted(np.cumsum(values), _KEPT * values.sum()))
    return values[:r], vectors[:, :r]
