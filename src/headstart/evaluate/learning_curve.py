"""How a score grew with the number of labels that were learned from, and whether more of them would help.

Without numpy: `headstart --help` loads what tells of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Trend = Literal["rising", "level", "falling", "unclear"]
NOTICED = 0.01  # what less than this of a metric changes nobody notices: one point of a share


@dataclass(frozen=True)
class LearningPoint:
    """The score of heads that learned from so many labels, over some draws of them."""

    labels: int
    value: float  # the mean
    low: float
    high: float
    draws: int


@dataclass(frozen=True)
class LearningCurve:
    """Points by their number of labels, the last of all there are; nothing of a model was chosen by it."""

    metric: str  # the key of the headline metric
    points: tuple[LearningPoint, ...]  # two at least, ascending
    gain: float  # of the last point over the one before, by which the metric is better
    noise: float  # what of that may be chance, on test examples as many as there are

    @property
    def trend(self) -> Trend:
        """Whether it was still rising; "unclear" where the test part is too small to tell."""
        if abs(self.gain) > self.noise:
            return "rising" if self.gain > 0 else "falling"
        return "level" if abs(self.gain) + self.noise < NOTICED else "unclear"

    def to_json(self) -> dict[str, Any]:
        """The points' values stand under the metric's key."""
        points = [
            {"labels": p.labels, self.metric: p.value, "low": p.low, "high": p.high, "draws": p.draws}
            for p in self.points
        ]
        return {
            "metric": self.metric,
            "points": points,
            "gain": self.gain,
            "noise": self.noise,
            "trend": self.trend,
        }

    @classmethod
    def from_json(cls, result: Mapping[str, Any]) -> LearningCurve:
        """What `to_json` made; its fields are checked already."""
        metric = result["metric"]
        points = [LearningPoint(p["labels"], p[metric], p["low"], p["high"], p["draws"]) for p in result["points"]]
        return cls(metric, tuple(points), result["gain"], result["noise"])
