"""How many labels training from scratch needs, to be as good as the pre-trained model with few."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from headstart.comparison.comparison import Equivalent, Row
from headstart.evaluate.bootstrap import draws, numbered

BELOW = 0.0  # labels: fewer than training from scratch was seen with
PROBE, SCRATCH = "probe", "scratch"  # the ways that are held against each other
_TIMES = 1000  # draws
_SLOPE_OF = 4  # points, the last ones, that a power law is fitted to
_FARTHEST = 100.0  # times the labels that there were, beyond which nothing is said
_EQUAL = 1e-6  # share by which two costs differ that are the same but for rounding
_LEAST_SLOPE = 0.01  # of that law: with less, more labels bring nothing


def equivalent(
    probe: Sequence[Row], scratch: Sequence[Row], groups: np.ndarray | None = None
) -> tuple[Equivalent | None, str]:
    """The number of labels with an interval, and what that does not hold ("" where it holds all); or None, and why.

    Between two points the cost falls in a straight line over the logarithm of the labels; beyond the last one it goes
    on by the power law of the last four (Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017). A
    point with more labels that came out worse is one with the point before (pool adjacent violators). Estimate and
    draws go through the same two curves.

    Of the points of the pre-trained model, the one with the most labels is taken that training from scratch has
    reached; where it has reached none, the one with the fewest. One that training from scratch has passed at its first
    point is no candidate: with how few labels it got there is not known.

    Args:
        probe: rows of the pre-trained model. scratch: of the one from scratch; only where the loss levelled off do they
            count. groups: (m,) of the test examples, where the user names any: these are drawn.
    """
    level = [row for row in scratch if row.levelled_off]
    sizes = sorted({row.labels for row in level})
    if len(sizes) < 2:
        seen = "no run" if not scratch else f"{len(sizes) or 'none'} of {len({row.labels for row in scratch})} points"
        return None, f"training from scratch has to level off from two numbers of labels at least, and {seen} did"
    probed = sorted({row.labels for row in probe})
    if not probed:
        return None, "the pre-trained model was not measured"
    costs = np.array([row.costs for row in (*probe, *level)], dtype=np.float32)
    of = _rows_of(probe, level, probed, sizes)
    means = costs.mean(axis=1)
    worth = [reached(sizes, _curve(means, of, SCRATCH, sizes), cost) for cost in _curve(means, of, PROBE, probed)]
    pays = [(n, needed) for n, needed in zip(probed, worth, strict=True) if needed > n]
    if not pays:
        return None, _no_candidate(probed, worth, sizes)
    target, needed = next((pair for pair in reversed(pays) if pair[1] <= sizes[-1]), pays[0])
    if math.isinf(needed):
        fewer = ", ".join(f"{n:,}" for n in sizes)
        most = f"not even {_FARTHEST:.0f} times the largest of these seems to be enough"
        return None, f"its loss levelled off with {fewer} labels, and by the line through these {most}"
    drawn = _drawn(costs, of, probed, sizes, target, groups)
    low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf").tolist()
    ends = None if low < sizes[0] else low, None if math.isinf(high) else high
    return Equivalent(target, needed, *ends, extrapolated=needed > sizes[-1]), _one_seed(level)


def _one_seed(level: Sequence[Row]) -> str:
    """Which points were trained once: drawing their only seed again and again shows nothing of chance."""
    counts = Counter(row.labels for row in level)
    once = ", ".join(f"{labels:,}" for labels, n in sorted(counts.items()) if n == 1)
    if not once:
        return ""
    what = f"one seed of the model from scratch levelled off with {once} labels"
    return f"{what}: the interval holds nothing of the chance of training there; more --seeds and --budget add it"


def _no_candidate(probed: Sequence[int], worth: Sequence[float], sizes: Sequence[int]) -> str:
    """Why no point of the pre-trained model is worth more labels than it has."""
    if any(needed == BELOW and n < sizes[0] for n, needed in zip(probed, worth, strict=True)):
        fewest = f"the fewest from which its loss levelled off ({sizes[0]:,})"
        return f"training from scratch is already better with {fewest}, so how few would do is not known"
    return "the pre-trained model is nowhere better than the one from scratch"


Places = dict[tuple[str, int], list[int]]  # which rows of the costs are of a way and a number of labels


def _rows_of(probe: Sequence[Row], level: Sequence[Row], probed: Sequence[int], sizes: Sequence[int]) -> Places:
    of: Places = {(PROBE, n): [i for i, row in enumerate(probe) if row.labels == n] for n in probed}
    first = len(probe)
    return of | {(SCRATCH, n): [first + i for i, row in enumerate(level) if row.labels == n] for n in sizes}


def _curve(means: np.ndarray, of: Places, way: str, sizes: Sequence[int]) -> list[float]:
    """The mean cost of a way at each point, which never rises."""
    merged: list[list[float]] = []
    for n in sizes:
        merged.append([float(means[of[way, n]].mean()), 1])
        while len(merged) > 1 and merged[-1][0] > merged[-2][0]:
            (a, k), (b, m) = merged[-2], merged[-1]
            merged[-2:] = [[(a * k + b * m) / (k + m), k + m]]
    return [value for value, count in merged for _ in range(int(count))]


def reached(sizes: Sequence[int], costs: Sequence[float], target: float) -> float:
    """With how many labels a cost is reached; infinite where it is with no number within reach, and `BELOW` where the
    first point is already better: it would have been with fewer, nobody knows how many.

    Args:
        sizes: ascending, and costs: at these, never rising; two at least.
    """
    at = next((i for i, cost in enumerate(costs) if cost <= target), None)
    if at == 0:
        return float(sizes[0]) if math.isclose(costs[0], target, rel_tol=_EQUAL) else BELOW
    if at is not None:
        share = (costs[at - 1] - target) / (costs[at - 1] - costs[at])
        return float(sizes[at - 1] * (sizes[at] / sizes[at - 1]) ** share)
    if target <= 0:
        return math.inf
    x, y = np.log(sizes[-_SLOPE_OF:]), np.log(costs[-_SLOPE_OF:])
    slope = -float(np.polyfit(x, y, 1)[0])
    if slope < _LEAST_SLOPE:
        return math.inf
    times = (costs[-1] / target) ** (1 / slope)
    return float(sizes[-1] * times) if times <= _FARTHEST else math.inf


def _drawn(
    costs: np.ndarray,
    of: Places,
    probed: Sequence[int],
    sizes: Sequence[int],
    target: int,
    groups: np.ndarray | None,
) -> np.ndarray:
    """The number of labels in each draw of the test examples and, at each point, of its seeds."""
    rng, needed = np.random.default_rng(0), []
    for counts in draws(numbered(groups, costs.shape[1]), times=_TIMES):
        every = counts @ costs.T / counts.sum(axis=1, keepdims=True)
        for means in every:
            some = {key: rng.choice(rows, len(rows)).tolist() for key, rows in of.items()}
            cost = _curve(means, some, PROBE, probed)[probed.index(target)]
            needed.append(reached(sizes, _curve(means, some, SCRATCH, sizes), cost))
    return np.array(needed)
