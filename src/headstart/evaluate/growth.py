"""A learning curve from how heads did that learned from some of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np

from headstart.evaluate.learning_curve import LearningCurve, LearningPoint
from headstart.evaluate.paired_test import NOISE, error_of_mean
from headstart.task import Metric, rounded


@dataclass(frozen=True)
class Fared:
    """How a head did on the test part."""

    value: float  # of the headline metric
    costs: np.ndarray | None  # (n_test,) what each example lacked, in whatever unit; None: it is compared with none


def curve_of(
    metric: Metric,
    fared: Mapping[int, Sequence[Fared]],
    *,
    whole: Fared,
    n: int,
    groups: np.ndarray | None = None,
) -> LearningCurve:
    """The curve of heads that learned from some of the labels, up to one that learned from all.

    What may be chance of the last step is 1.64 standard errors of the differences by test example, since both heads
    find the same ones hard; in the metric's unit by what the whole head lacks of the best there is, over its mean cost.
    Where all are answered alike that is nothing, and on twenty examples it says little: so of a metric with costs,
    which is made of right and wrong answers, what one of these can do counts as an error, too. And so does which labels
    were drawn: by how much heads of the same number of labels differ, of about half as much variance with all of them.

    Args:
        fared: by how many labels were learned from, one entry a draw; one number at least.
        whole: of all n labels.
        groups: (n_test,) int, equal for test examples that belong together; None: each by itself.
    """
    points = [_point(size, [each.value for each in some]) for size, some in sorted(fared.items())]
    points.append(_point(n, [whole.value]))
    gain = whole.value - points[-2].value
    before = [each.costs for each in fared[points[-2].labels] if each.costs is not None]
    if whole.costs is None or not before:
        raise ValueError("the last step of a learning curve is told example by example")
    fell = np.mean(before, axis=0) - whole.costs
    lacking, cost = metric.figure(whole.value), float(whole.costs.mean())
    unit = lacking / cost if cost else 1.0
    units = len(fell) if groups is None else len(np.unique(groups))
    one = 0.0 if metric.costs is None else 1 / units
    noise = NOISE * hypot(unit * error_of_mean(fell, groups), one, _of_drawing(fared[points[-2].labels]))
    return LearningCurve(
        metric.key, tuple(points), rounded(gain if metric.better == "higher" else -gain), rounded(noise)
    )


def _of_drawing(some: Sequence[Fared]) -> float:
    """The standard error that comes of which labels were drawn, of the last two points' difference; 0 of one draw."""
    if len(some) < 2:
        return 0.0
    return float(np.std([each.value for each in some], ddof=1)) * (1 / len(some) + 1 / 2) ** 0.5


def _point(labels: int, values: Sequence[float]) -> LearningPoint:
    mean = float(np.mean(values))
    return LearningPoint(labels, rounded(mean), rounded(min(values)), rounded(max(values)), len(values))
