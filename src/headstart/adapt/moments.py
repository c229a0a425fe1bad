"""What a linear head needs to know of examples that are many: their number, mean and scatter, as a value that adds up.

Examples of two machines or two days are one sum, and an example that has to go is taken off again: what is left is as
if it had never been there, but for the last digits of float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.backbone import Matrix
from headstart.storage.matrix import ahead, blocks


@dataclass(frozen=True)
class Moments:
    """Weighted first and second moments of rows of features, about their own mean."""

    n: float  # the sum of the weights
    mean: np.ndarray  # (d,) float64
    scatter: np.ndarray  # (d, d) float64: the weighted sum of (x - mean)(x - mean)'

    @staticmethod
    def none(width: int) -> Moments:
        """Of no rows at all."""
        return Moments(0.0, np.zeros(width), np.zeros((width, width)))

    @staticmethod
    def of(features: Matrix, weights: np.ndarray | None = None) -> Moments:
        """Of (n, d) features, in one pass; `weights` (n,) at least 0, None: one each.

        Each block is centred on itself before it is multiplied, in float32, and blocks are added in float64: a mean
        that is far from 0 costs no digits.
        """
        total = Moments.none(features.shape[1])
        for rows, block in ahead(blocks(features)):
            total += _of_block(block, None if weights is None else weights[rows])
        return total

    def __add__(self, other: Moments) -> Moments:
        """Of the rows of both (Chan, Golub and LeVeque 1979)."""
        n = self.n + other.n
        if not n:
            return self
        apart = other.mean - self.mean
        between = np.outer(apart * (self.n * other.n / n), apart)
        return Moments(n, self.mean + apart * (other.n / n), self.scatter + other.scatter + between)

    def __sub__(self, other: Moments) -> Moments:
        """Of the rows of this one that are not the other's, which must be among them.

        Raises:
            ValueError: the other weighs more.
        """
        n = self.n - other.n
        if n < 0:
            raise ValueError(f"moments of {other.n:g} examples cannot be taken off those of {self.n:g}")
        if not n:
            return Moments.none(len(self.mean))
        mean = (self.n * self.mean - other.n * other.mean) / n
        apart = other.mean - mean
        between = np.outer(apart * (n * other.n / self.n), apart)
        return Moments(n, mean, self.scatter - other.scatter - between)

    @property
    def covariance(self) -> np.ndarray:
        """(d, d) float64."""
        return self.scatter / max(self.n, 1e-300)


def _of_block(block: np.ndarray, weights: np.ndarray | None) -> Moments:
    n = float(len(block) if weights is None else weights.sum(dtype=np.float64))
    if not n:
        return Moments.none(block.shape[1])
    total = block.sum(axis=0, dtype=np.float64) if weights is None else weights @ block.astype(np.float64)
    mean = total / n
    near = mean.astype(np.float32)
    centred, off = block - near, mean - near
    scatter = centred.T @ (centred if weights is None else weights.astype(np.float32)[:, None] * centred)
    return Moments(n, mean, scatter - n * np.outer(off, off))
