"""How far a fact alone, which has nothing to do with it, tells an example's class: arrays in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.evaluate.intervals import share_interval
from headstart.values import Interval

_BINS = 16  # of a number
_CLEARLY = 0.1  # of what the commonest class gets wrong, that is told at the lower end of the interval


@dataclass(frozen=True)
class Telling:
    """How well a fact alone tells the class, on examples held out."""

    accuracy: float
    majority: float  # share of the commonest class
    interval: Interval  # 95 %, of the accuracy
    hits: np.ndarray  # (n,) bool: whose class the fact told
    cells: np.ndarray  # (n,) int64: the value, or range, of each

    @property
    def clearly(self) -> bool:
        """Whether it tells more than chance and a little."""
        return self.interval.low > self.majority + _CLEARLY * (1 - self.majority)


def cells_of(values: np.ndarray) -> np.ndarray:
    """(n,) int64 from 0: equal words in one cell, numbers in at most 16 of about as many; what is not known in one."""
    if values.dtype == object:
        return np.asarray(np.unique(values.astype(str), return_inverse=True)[1].ravel(), dtype=np.int64)
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if len(distinct) > _BINS:
        distinct = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.asarray(np.where(np.isnan(values), len(distinct) + 1, np.searchsorted(distinct, values)), dtype=np.int64)


def telling(cells: np.ndarray, y: np.ndarray, fold: np.ndarray, groups: np.ndarray | None = None) -> Telling:
    """The commonest class of each cell, found without a fold, against the classes of that fold.

    Args:
        cells: (n,) from `cells_of`. y: (n,) class indices. fold: (n,) which fold each row is held out in.
        groups: (n,) whose each example is; None: each by itself.
    """
    n, c = len(y), int(y.max()) + 1
    keys, of = np.unique(cells * c + y, return_inverse=True)
    hits = np.zeros(n, dtype=bool)
    for number in np.unique(fold):
        held = fold == number
        counts = np.bincount(of.ravel()[~held], minlength=len(keys))
        commonest = int(np.bincount(y[~held], minlength=c).argmax())
        order = np.lexsort((keys, counts))  # the last of a cell is its commonest class
        best = {int(keys[k]) // c: int(keys[k]) % c for k in order.tolist() if counts[k]}
        pairs = zip(cells[held].tolist(), y[held].tolist(), strict=True)
        hits[held] = [best.get(cell, commonest) == mine for cell, mine in pairs]
    majority = float(np.bincount(y).max() / n)
    return Telling(float(hits.mean()), majority, share_interval(hits, groups), hits, cells)
