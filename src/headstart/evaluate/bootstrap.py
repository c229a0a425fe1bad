"""Draws of groups with replacement, and the interval that a figure's values over such draws span."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headstart.evaluate.intervals import wilson
from headstart.values import Interval

TIMES = 2000  # draws
FEWEST = 10  # units from which draws say anything, see `percentile_interval`
_DRAWN = 500_000  # numbers at once: 2 MB stay in the processor's cache


def numbered(groups: np.ndarray | None, n: int) -> np.ndarray:
    """(n,) int64, 0 to g - 1: which unit of the draws each example belongs to.

    Args:
        groups: (n,) int, equal numbers belong together; None: each example is a unit.
        n: how many examples.

    Raises:
        ValueError: another number of groups than of examples.
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups for {n} examples")
    _, of = np.unique(groups, return_inverse=True)
    return of


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


def percentile_interval(values: np.ndarray, *, units: int) -> Interval:
    """The 95 % interval of a figure: 2.5th to 97.5th percentile of its values over the draws in which it is defined;
    (nan, nan) where it is in none, or fewer than ten units were drawn.

    Measured on 400 draws of normal numbers each: of 2, 3, 5, 8, 10 and 30 examples the interval of a correlation held
    the true one in 0, 47, 86, 91, 91 and 94 %, that of R² in 0, 54, 78, 86, 86 and 93 %, and that of the mean absolute
    error in 46, 71, 82, 86, 89 and 95 %.

    Args:
        values: (times,), nan in draws in which the figure is not defined. units: how many were drawn.
    """
    known = values[np.isfinite(values)]
    if len(known) == 0 or units < FEWEST:
        return Interval(float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(low), float(high))


def centred_interval(values: np.ndarray, figure: float, *, units: int) -> Interval:
    """The 95 % interval of a figure between 0 and 1 from which draws are off on average: their percentiles, less what
    their mean is off.

    Mean average precision is such a figure. A label whose only examples are not drawn leaves the mean of that draw, and
    an example that is drawn twice is twice as easy to find: of labels that one or two examples have, the draws' figures
    were 0.138 to 0.196 where all examples together gave 0.120.

    How many intervals held what test parts of that size have on average, and how wide they were, of 400 simulated test
    parts each:

        examples, labels (share that has one)    map     percentiles     centred        labels kept    jackknife
        30, 200 (0.03), poor ranking            0.306    0.23  0.110    0.96  0.110    0.23  0.061    0.79  0.065
        30, 200 (0.03), good ranking            0.795    0.48  0.087    0.88  0.087    0.38  0.049    0.71  0.058
        100, 60 (0.2 to 0.003)                  0.515    0.73  0.184    0.85  0.184    0.56  0.111    0.69  0.124
        400, 28 (0.3 to 0.01)                   0.220    0.83  0.085    0.94  0.085    0.83  0.082    0.92  0.079
        100, 20 (0.1)                           0.518    0.90  0.124    0.92  0.124    0.90  0.124    0.92  0.123

    Of macro F1 in the same five, percentiles held 0.70, 0.82, 0.90, 0.91 and 0.91, centred ones 0.71, 0.87, 0.86, 0.91
    and 0.94, and where labels are kept 0.42, 0.55, 0.64, 0.90 and 0.91.

    Labels kept: one that is not drawn counts with its figure among all examples. Jackknife: the infinitesimal one's
    standard error. Both leave out that another test part has other labels.

    Args:
        values: (times,), nan in draws in which the figure is not defined. units: how many were drawn.
        figure: of all examples, which the interval always holds.

    Returns:
        (nan, nan) as of `percentile_interval`. Where all values are 0, or all are 1, the draws say nothing of what was
        not seen, and the interval is Wilson's for so many trials.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 10 (bias) and 13.
    """
    known = values[np.isfinite(values)]
    if len(known) and np.all(known == known[0]) and known[0] in (0, 1):
        return wilson(int(known[0]) * units, units)
    ends, off = percentile_interval(values, units=units), float(known.mean()) - figure if len(known) else 0.0
    if np.isnan(ends.low):
        return ends
    return Interval(max(0.0, min(ends.low - off, figure)), min(1.0, max(ends.high - off, figure)))
