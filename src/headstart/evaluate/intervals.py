"""How far a measured share may be from the true one."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from headstart.values import Interval


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
