"""Draws of groups with replacement, and the interval that a figure's values over such draws span."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headstart.evaluate.intervals import wilson
from headstart.values import Interval

TIMES = 2000  # draws
_DRAWN = 500_000  # numbers at once: 2 MB stay in the processor's cache


def numbered(groups: np.ndarray | None, n: int) -> np.ndarray:
    """(n,) int64, 0 to g - 1: which unit of the draws each example belongs to.

    Args:
        groups: (n,) int, equal numbers belong together; None, or one group alone: each example is a unit.
        n: how many examples.

    Raises:
        ValueError: another number of groups than of examples.
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups for {n} examples")
    _, of = np.unique(groups, return_inverse=True)
    return of if n and of.max() > 0 else np.arange(n)


def draws(of: np.ndarray, *, seed: int = 0, times: int = TIMES) -> Iterator[np.ndarray]:
    """How often each of n examples was drawn, (b, n) float32 a block of draws; the units are drawn, g of g.

    Args:
        of: (n,) from `numbered`, n > 0.
        seed: of the draws. times: how many draws all blocks have together.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; with a group as the unit.
    """
    rng, g = np.random.default_rng(seed), int(of.max()) + 1
    block = max(1, _DRAWN // len(of))
    for first in range(0, times, block):
        b = min(block, times - first)
        cells = rng.integers(0, g, size=(b, g)) + g * np.arange(b)[:, None]
        counts = np.bincount(cells.ravel(), minlength=b * g).reshape(b, g).astype(np.float32)
        yield counts if g == len(of) and np.array_equal(of, np.arange(g)) else counts[:, of]


def percentile_interval(values: np.ndarray, *, share_of: int | None = None) -> Interval:
    """The 95 % interval of a figure: 2.5th to 97.5th percentile of its values over the draws in which it is defined.

    Args:
        values: (times,), nan in draws in which the figure is not defined; in none: (nan, nan).
        share_of: how many units were drawn, for a figure between 0 and 1: where all values are 0, or all are 1, the
            draws say nothing of what was not seen, and the interval is Wilson's for so many trials.
    """
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return Interval(float("nan"), float("nan"))
    if share_of is not None and np.all(known == known[0]) and known[0] in (0, 1):
        return wilson(int(known[0]) * share_of, share_of)
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(low), float(high))
