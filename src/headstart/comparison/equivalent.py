"""How many labels training from scratch needs, to be as good as the pre-trained model with few."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from headstart.comparison.comparison import Equivalent, Row
from headstart.evaluate.bootstrap import draws, numbered

_TIMES = 1000  # draws
_SLOPE_OF = 4  # points, the last ones, that a power law is fitted to
_FARTHEST = 100.0  # times the labels that there were, beyond which nothing is said
_LEAST_SLOPE = 0.01  # of that law: with less, more labels bring nothing


def equivalent(
    probe: Sequence[Row], scratch: Sequence[Row], groups: np.ndarray | None = None
) -> tuple[Equivalent | None, str]:
    """The number of labels with an interval, or None and why there is none.

    Between two points the cost falls in a straight line over the logarithm of the labels; beyond the last one it goes
    on by the power law of the last four (Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017). A
    point with more labels that came out worse is one with the point before (pool adjacent violators).

    Of the points of the pre-trained model, the one with the most labels is taken that training from scratch has
    reached; where it has reached none, the one with the fewest.

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
    target, found = _taken(probed, sizes, _curve(means, [of["probe", n] for n in probed]), _scratch(means, of, sizes))
    if target is None:
        return None, "the pre-trained model is nowhere better than the one from scratch"
    if math.isinf(found):
        fewer = ", ".join(f"{n:,}" for n in sizes)
        most = f"not even {_FARTHEST:.0f} times the largest of these seems to be enough"
        return None, f"its loss levelled off with {fewer} labels, and by the line through these {most}"
    drawn = _drawn(costs, of, sizes, target, groups)
    low, high = np.quantile(drawn, [0.025, 0.975], method="inverted_cdf").tolist()
    outside = not sizes[0] <= found <= sizes[-1]
    return Equivalent(target, found, min(low, found), None if math.isinf(high) else max(high, found), outside), ""


Places = dict[tuple[str, int], list[int]]  # which rows of the costs are of a way and a number of labels


def _rows_of(probe: Sequence[Row], level: Sequence[Row], probed: Sequence[int], sizes: Sequence[int]) -> Places:
    of: Places = {("probe", n): [i for i, row in enumerate(probe) if row.labels == n] for n in probed}
    first = len(probe)
    return of | {("scratch", n): [first + i for i, row in enumerate(level) if row.labels == n] for n in sizes}


def _curve(means: np.ndarray, of: Sequence[Sequence[int]]) -> list[float]:
    """The mean cost at each point, which never rises."""
    blocks = [[float(means[list(rows)].mean()), 1] for rows in of]
    merged: list[list[float]] = []
    for block in blocks:
        merged.append([*block])
        while len(merged) > 1 and merged[-1][0] > merged[-2][0]:
            (a, n), (b, m) = merged[-2], merged[-1]
            merged[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    return [value for value, count in merged for _ in range(int(count))]


def _scratch(means: np.ndarray, of: Places, sizes: Sequence[int]) -> list[float]:
    return _curve(means, [of["scratch", n] for n in sizes])


def _taken(
    probed: Sequence[int], sizes: Sequence[int], probe: Sequence[float], scratch: Sequence[float]
) -> tuple[int | None, float]:
    """The number of labels of the pre-trained model that is taken, and how many it is worth."""
    worth = [reached(sizes, scratch, cost) for cost in probe]
    pays = [(n, needed) for n, needed in zip(probed, worth, strict=True) if needed > n]
    if not pays:
        return None, math.inf
    return next(((n, needed) for n, needed in reversed(pays) if needed <= sizes[-1]), pays[0])


def reached(sizes: Sequence[int], costs: Sequence[float], target: float) -> float:
    """With how many labels a cost is reached; infinite where it is with no number within reach.

    Args:
        sizes: ascending, and costs: at these, never rising; two at least.
    """
    at = next((i for i, cost in enumerate(costs) if cost <= target), None)
    if at == 0:
        return float(sizes[0])
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


def _drawn(costs: np.ndarray, of: Places, sizes: Sequence[int], target: int, groups: np.ndarray | None) -> np.ndarray:
    """The number of labels in each draw of the test examples and, at each point, of its seeds."""
    rng, found = np.random.default_rng(0), []
    for counts in draws(numbered(groups, costs.shape[1]), times=_TIMES):
        every = counts @ costs.T / counts.sum(axis=1, keepdims=True)
        for means in every:
            some = {key: rng.choice(rows, len(rows)).tolist() for key, rows in of.items()}
            cost = float(means[some["probe", target]].mean())
            found.append(reached(sizes, _scratch(means, some, sizes), cost))
    return np.array(found)
