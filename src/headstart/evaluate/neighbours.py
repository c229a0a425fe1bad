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
        """How many neighbours each example has."""
        return self.rows.shape[1]


def nearest(
    asked: np.ndarray, known: np.ndarray, k: int, *, groups: tuple[np.ndarray, np.ndarray] | None = None
) -> Neighbours:
    """The k nearest known examples of each that is asked about, by cosine; of equally near ones, any.

    Args:
        asked, known: (n, d) and (m, d) float32, of length 1. k: fewer where there are not as many.
        groups: (n,) and (m,) int; what is of the same group comes last, with a cosine of -2: the example itself, and
            what is nearly the same.
    """
    n, k = len(asked), min(k, len(known))
    found = Neighbours(np.empty((n, k), dtype=np.int64), np.empty((n, k), dtype=np.float32))
    same = None if groups is None else _Groups(groups[1])
    step = max(1, _TILE // max(1, len(known)))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        cosines = asked[rows] @ known.T
        if groups is not None and same is not None:
            cosines[same.places(groups[0][rows])] = -2.0
        best = cosines.argmax(axis=1)[:, None] if k == 1 else np.argpartition(cosines, -k, axis=1)[:, -k:]
        best = np.take_along_axis(best, np.argsort(-np.take_along_axis(cosines, best, 1), axis=1), 1)
        found.rows[rows], found.cosines[rows] = best, np.take_along_axis(cosines, best, 1)
    return found


def nearest_others(features: Matrix, k: int) -> Neighbours:
    """The k nearest other rows of each, by cosine; of many rows, among some thousands of them, evenly spread.

    Args:
        features: (n, d), n of at least 2; a row is no neighbour of its own. k: fewer where there are not as many.
    """
    n, d = features.shape
    rows = _spread(n, max(k + 1, min(_MOST_BYTES // (4 * d), max(_FEWEST, _MOST_PAIRS // n))))
    known = np.empty((len(rows), d), dtype=np.float32)
    for here, block in blocks(features):
        mine = slice(*np.searchsorted(rows, (here.start, here.stop)))
        known[mine] = of_length_one(block[rows[mine] - here.start])
    k = min(k, len(rows) - 1)
    found = Neighbours(np.empty((n, k), dtype=np.int64), np.empty((n, k), dtype=np.float32))
    for here, block in blocks(features):
        near = nearest(of_length_one(block), known, k, groups=(np.arange(here.start, here.stop), rows))
        found.rows[here], found.cosines[here] = rows[near.rows], near.cosines
    return found


def of_length_one(block: np.ndarray) -> np.ndarray:
    """(n, d) float32 rows of length 1."""
    x = np.asarray(block, dtype=np.float32)
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.float32(1e-12)))


class _Groups:
    """Which known examples are of each group: found by bisection, where comparing all with all costs as much as the
    cosines."""

    def __init__(self, known: np.ndarray) -> None:
        self._order = np.argsort(known, kind="stable")
        self._sorted = known[self._order]

    def places(self, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of what is of the same group."""
        first, end = (np.searchsorted(self._sorted, groups, side=side) for side in ("left", "right"))
        counts = end - first
        rows = np.repeat(np.arange(len(groups)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return rows, self._order[np.repeat(first, counts) + within]


def _spread(n: int, most: int) -> np.ndarray:
    """(m,) at most so many of n rows, ascending; those of a class, which mostly stand together, by its share."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.int64)
