"""Standardised features in the eigenbasis of their covariance, where columns are uncorrelated and solvers fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.matrix import blocks, room_for
from headstart.values import Matrix

_LEAST_VARIANCE = 1e-6  # of the largest; directions below are rounding, and are dropped
_LEAST_SCALE = 1e-6


@dataclass(frozen=True)
class Basis:
    """A linear map from raw features to columns that are uncorrelated, widest first."""

    mean: np.ndarray  # (d,) float32
    scale: np.ndarray  # (d,) float32, 1 where a feature is constant
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


def fit_basis(features: Matrix) -> Basis:
    """Made from (n, d) features; exact also where d > n, at the cost of the smaller of the two sides."""
    n, d = features.shape
    mean = (sum(block.sum(axis=0, dtype=np.float64) for _, block in blocks(features)) / n).astype(np.float32)
    squares = sum(np.square(block - mean).sum(axis=0, dtype=np.float64) for _, block in blocks(features))
    scale = np.sqrt(squares / n).astype(np.float32)
    scale = np.where(scale > _LEAST_SCALE * max(1e-12, float(scale.max(initial=0.0))), scale, 1).astype(np.float32)
    if d <= n:
        gram = np.zeros((d, d), dtype=np.float64)
        for _, block in blocks(features):
            standard = (block - mean) / scale
            gram += standard.T @ standard
        values, vectors = np.linalg.eigh((gram / n).astype(np.float32))
        kept = values > values[-1] * _LEAST_VARIANCE
        values, rotation = values[kept][::-1], vectors[:, kept][:, ::-1]
    else:
        standard = (features[:] - mean) / scale
        values, vectors = np.linalg.eigh(standard @ standard.T / n)
        kept = values > values[-1] * _LEAST_VARIANCE
        values = values[kept][::-1]
        rotation = standard.T @ (vectors[:, kept][:, ::-1] / np.sqrt(n * values))
    return Basis(mean, scale, np.ascontiguousarray(rotation, dtype=np.float32), values.astype(np.float32))
