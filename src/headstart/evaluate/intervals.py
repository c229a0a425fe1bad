"""How far a measured share may be from the true one."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

from headstart.values import Interval

_DRAWN = 500_000  # numbers at once (4 MB): all draws of 100,000 groups would be gigabytes


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Score interval of a share; keeps inside [0, 1] and holds for small n and for shares near 0 and 1.

    Args:
        successes: 0 to n.
        n: number of trials; 0 gives (0, 1), for nothing is known.
        level: confidence, between 0 and 1.

    Raises:
        ValueError: successes or level out of range.

    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22, 1927.
    """
    if not 0 <= successes <= n or not 0.0 < level < 1.0:
        raise ValueError(f"need 0 <= successes <= n and 0 < level < 1, got {successes}, {n}, {level}")
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # the ends are exactly 0 and 1 at the extremes; say so, where rounding would not
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return Interval(low, high)


def by_group(values: np.ndarray, groups: np.ndarray, *, seed: int = 0, times: int = 2000) -> Interval:
    """95 % interval of a mean over examples that come in groups (questions about one document): the groups are drawn.

    Args:
        values: (n,), one an example. groups: (n,) int, equal numbers belong together.
        seed: of the draws. times: how many.

    Raises:
        ValueError: no example.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentiles); with a group as the
    unit that is drawn, since the questions about one document are not independent.
    """
    if len(values) == 0:
        raise ValueError("an interval needs at least one example")
    _, of = np.unique(groups, return_inverse=True)
    of = of if of.max() > 0 else np.arange(len(values))  # one group alone: its examples are drawn
    sums, counts = np.bincount(of, weights=values), np.bincount(of)
    k = len(sums)
    if np.all(values == values[0]) and values[0] in (0, 1):  # draws of equal values say nothing of what was not seen
        return wilson(int(values[0]) * k, k)
    rng, share, block = np.random.default_rng(seed), np.full(k, 1 / k), max(1, _DRAWN // k)
    means = np.empty(times)
    for first in range(0, times, block):
        some = means[first : first + block]
        draws = rng.multinomial(k, share, size=len(some))  # (block, k) how often each group was drawn
        some[:] = (draws @ sums) / (draws @ counts)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(low), float(high))
