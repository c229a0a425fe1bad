"""What is chosen by on held-out examples, in one value: how much each of them counts, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from headstart.evaluate.metrics import mean
from headstart.task import Costs


@dataclass(frozen=True)
class Criterion:
    """What a choice goes by: the lowest mean cost of held-out examples, each counting by its weight."""

    weights: np.ndarray | None = None  # (n,) above 0, how many examples each one counts for; None: one
    groups: np.ndarray | None = None  # (n,) of the user: what is of one says less than as many by themselves
    costs: Costs | None = None  # what the user chooses by, see `Metric.costs`; None: the losses

    def of(self, rows: np.ndarray) -> Criterion:
        """The same for some of the examples."""
        weights, groups = (None if each is None else each[rows] for each in (self.weights, self.groups))
        return replace(self, weights=weights, groups=groups)

    def cost(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray | None:
        """(n,) what the user chooses by, of each example; None: the losses."""
        return None if self.costs is None else np.asarray(self.costs(outputs, y, self.weights))


BY_LOSS = Criterion()  # of examples that all count alike


def mean_cost(costs: np.ndarray, weights: np.ndarray | None) -> float:
    """To twelve digits, so that what is as good is equal, in whatever order it was summed."""
    return float(f"{mean(costs, weights):.12g}")
