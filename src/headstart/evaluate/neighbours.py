"""The nearest examples of each, by the angle between their features: arrays in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.backbone import Matrix
from headstart.storage.matrix import blocks

# Examples that neighbours are looked for among: 64 MB of them (of 768 columns 21,845), and fewer for very many rows, so
# that 100,000 of them take no longer than 16,000.
_MOST_BYTES, _MOST_PAIRS, _FEWEST = 64 * 2**20, 2**28, 2048
_TILE = 2**22  # cosines at a time


@dataclass(frozen=True)
class Neighbours:
    """The nearest other examples of each, nearest first."""

    rows: np.ndarray  # (n, k) int64
    cosines: np.ndarray  # (n, k) float32

    @property
    def k(self) -> int:
        """How many of each."""
        return self.rows.shape[1]


def nearest(features: Matrix, k: int) -> Neighbours:
    """The k nearest of each row by cosine; of many rows, among some thousands of them, evenly spread.

    Args:
        features: (n, d), n of at least 2; a row is no neighbour of its own. k: fewer where there are not as many.
    """
    n, d = features.shape
    known = _spread(n, max(k + 1, min(_MOST_BYTES // (4 * d), max(_FEWEST, _MOST_PAIRS // n))))
    others = np.empty((len(known), d), dtype=np.float32)
    for rows, block in blocks(features):
        mine = slice(*np.searchsorted(known, (rows.start, rows.stop)))
        others[mine] = _of_length_one(block[known[mine] - rows.start])
    k = min(k, len(known) - 1)
    found = Neighbours(np.empty((n, k), dtype=np.int64), np.empty((n, k), dtype=np.float32))
    step = max(1, _TILE // len(known))
    for rows, block in blocks(features):
        for start in range(0, len(block), step):
            part = block[start : start + step]
            here = np.arange(rows.start + start, rows.start + start + len(part))
            cosines = _of_length_one(part) @ others.T
            at = np.searchsorted(known, here)
            itself = np.flatnonzero(known[np.minimum(at, len(known) - 1)] == here)
            cosines[itself, at[itself]] = -2.0
            best = np.argpartition(cosines, -k, axis=1)[:, -k:]
            best = np.take_along_axis(best, np.argsort(-np.take_along_axis(cosines, best, 1), axis=1), 1)
            found.rows[here], found.cosines[here] = known[best], np.take_along_axis(cosines, best, 1)
    return found


def _spread(n: int, most: int) -> np.ndarray:
    """(m,) at most so many of n rows, ascending; those of a class, which mostly stand together, by its share."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.int64)


def _of_length_one(block: np.ndarray) -> np.ndarray:
    return block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), np.float32(1e-12))
