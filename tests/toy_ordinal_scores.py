"""Toy metrics: steps that were given beside the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.evaluate.intervals import wilson
from headstart.task import Metric, Scores


@dataclass(frozen=True)
class Predicted:
    steps: np.ndarray  # (n,) places on the scale
    y: np.ndarray  # (n,)


METRICS = (
    Metric(
        "exact",
        "Exact step",
        "share of examples whose step is right",
        lambda p: float((p.steps == p.y).mean()),
        lambda p: wilson(int((p.steps == p.y).sum()), len(p.y)),
    ),
    Metric(
        "within_one", "Within one step", "the next one counts too", lambda p: float((np.abs(p.steps - p.y) < 2).mean())
    ),
    Metric(
        "distance",
        "Mean distance",
        "in steps; 0 is ideal",
        lambda p: float(np.abs(p.steps - p.y).mean()),
        unit="target",
        better="lower",
    ),
)


def evaluate(steps: np.ndarray, y: np.ndarray, *, always: str, at: int, metrics: Sequence[Metric]) -> Scores:
    """always: the step that the baseline gives, which is at that place of the scale."""
    told = {"step": always, "exact": round(float((y == at).mean()), 6)}
    return Scores.measured(Predicted(steps, y), metrics, n=len(y), details={"always": told})
