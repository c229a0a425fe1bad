"""How far a measured share may be from the true one."""

from __future__ import annotations

from math import pi, sqrt, tan
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
    return _of_share(successes / n, n, NormalDist().inv_cdf((1.0 + level) / 2.0))


def share_interval(hits: np.ndarray, groups: np.ndarray | None = None) -> Interval:
    """95 % interval of a share of examples: Wilson's, of as many examples as those in groups are worth.

    Examples of one patient are right or wrong together, so a hundred of them say less than a hundred patients. The
    design effect is how much larger the variance between groups makes that of the share; few groups know their own
    variance badly, for which Student's t stands in for the normal distribution.

    Args:
        hits: (n,) bool. groups: (n,) int, equal numbers belong together; None: each example by itself.

    Source: Korn and Graubard, Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data, Survey Methodology 24, 1998; here with Wilson's interval in place of the exact one.
    """
    n, successes = len(hits), int(np.sum(hits))
    g = n if groups is None else len(np.unique(groups))
    if groups is None or g == n:
        return wilson(successes, n)
    z = NormalDist().inv_cdf(0.975)
    return _of_share(successes / n, worth(hits, groups) * (z / t_quantile(0.975, max(1, g - 1))) ** 2, z)


def worth(hits: np.ndarray, groups: np.ndarray) -> float:
    """As how many examples by themselves those in groups count, at least 1: n by the design effect, as above.

    Args:
        hits: (n,) bool, n > 0. groups: (n,) int, equal numbers belong together.
    """
    n, successes = len(hits), int(np.sum(hits))
    sums, counts, _ = group_sums(np.asarray(hits, dtype=np.float64), groups)
    share, g = successes / n, len(counts)
    if g in (1, n):
        return float(g)
    if successes in (0, n):
        return n**2 / float(np.square(counts).sum())
    between = float(np.square(sums - share * counts).sum()) / n**2 * g / (g - 1)
    return max(1.0, min(float(n), share * (1 - share) / between)) if between > 0 else float(n)


def mean_of_shares(hits: np.ndarray, of: np.ndarray, n_shares: int, groups: np.ndarray | None = None) -> Interval:
    """95 % interval of the mean of several shares, each of examples of its own: the mean recall of classes, say.

    How far each share's own interval reaches to one side adds up by squares; so it is as wide as it should be where all
    examples of a rare class are right, of which draws would say nothing.

    Args:
        hits: (n,) bool. of: (n,) which share each example counts in, 0 to n_shares - 1; those without any are left out.
        groups: (n,) as in `share_interval`; that one group may count in several shares is not reckoned with.

    Raises:
        ValueError: no example.

    Source: Zou, Huang and Zhang, A note on confidence interval estimation for a linear function of binomial
    proportions, Computational Statistics and Data Analysis 53, 2009; here of Wilson's intervals.
    """
    if len(hits) == 0:
        raise ValueError("an interval needs at least one example")
    parts = np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of, minlength=n_shares))[:-1])
    some = [part for part in parts if len(part)]
    shares = np.array([hits[part].mean() for part in some])
    ends = [share_interval(hits[part], None if groups is None else groups[part]) for part in some]
    low, high = (np.array([getattr(end, side) for end in ends]) for side in ("low", "high"))
    middle, m = float(shares.mean()), len(some)
    return Interval(
        max(0.0, middle - float(np.sqrt(np.square(shares - low).sum())) / m),
        min(1.0, middle + float(np.sqrt(np.square(high - shares).sum())) / m),
    )


def group_sums(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(g,) the sum of each group's values, (g,) how many there are, and (n,) which group each example is of."""
    _, of = np.unique(groups, return_inverse=True)
    return np.bincount(of, weights=values), np.bincount(of), of


def t_quantile(p: float, freedom: int) -> float:
    """Of Student's t with so many degrees of freedom; p above 0.5. Within 0.2 % where p is 0.9 to 0.99.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 1964, 26.7.5 (from the normal distribution's, in
    falling powers of the degrees of freedom); with one or two of them it is exact.
    """
    if freedom == 1:
        return tan(pi * (p - 0.5))
    if freedom == 2:
        return (2 * p - 1) * sqrt(1 / (2 * p * (1 - p)))
    z = NormalDist().inv_cdf(p)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))


def _of_share(share: float, n: float, z: float) -> Interval:
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # the ends are exactly 0 and 1 at the extremes; say so, where rounding would not
    low = 0.0 if share == 0 else max(0.0, middle - half)
    high = 1.0 if share == 1 else min(1.0, middle + half)
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
