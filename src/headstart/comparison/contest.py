"""What all models of a comparison have in common: the examples, the pre-trained model, the judge and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.family import Family
from headstart.backbone import Backbone, Features, Head
from headstart.clock import Budget
from headstart.comparison.policy import COMPARING
from headstart.encode.encode import of_rows
from headstart.task import Metric
from headstart.values import Dataset

T = TypeVar("T")


@dataclass(frozen=True)
class Contest:
    """The same examples, test part and judge for every way of learning."""

    dataset: Dataset
    train: np.ndarray  # (n,) rows, ascending
    test: np.ndarray  # (m,) rows, ascending
    backbone: Backbone
    features: Features  # of both, by the frozen backbone
    metric: Metric  # what is compared, see `Scorer.by_example`
    per_example: float  # seconds that encoding one takes here
    budget: Budget  # of the whole
    stopped: Callable[[], bool]  # whether the user wants no more
    tell: Callable[[str], None]  # of what goes on
    _made: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def left(self) -> float:
        """Seconds, without those that are kept for what comes after the last model."""
        least, share = COMPARING.writing
        return max(0.0, self.budget.left - max(least, share * self.budget.seconds))

    @property
    def shortest(self) -> float:
        """Seconds with less of which no training is begun; more on a machine that is slow, or busy."""
        return COMPARING.shortest * max(1.0, self.per_example * self.dataset.modality.per_second)

    @property
    def family(self) -> Family:
        """Of the task's linear heads."""
        family: Family = self.dataset.task.learner.family
        return family

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What is made for the first model that needs it, and kept for the next."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def probe(self, rows: np.ndarray, seed: int) -> Head:
        """The head on frozen features of these rows."""
        train = of_rows(self.features, rows)
        basis = fit_basis(train.matrix, self.dataset.weights_of(rows))
        head = fit_probe(self.dataset, rows, train, basis=basis, seed=seed, within=self.budget).head
        self._made[_named(rows, seed)] = replace(head, weight=head.weight[:, :0])
        return head

    def like(self, rows: np.ndarray, seed: int) -> Head:
        """What the probe of these rows found besides its weights, which are left out: names, class weights, units."""
        if _named(rows, seed) not in self._made:
            self.probe(rows, seed)
        like: Head = self._made[_named(rows, seed)]
        return like

    def costs(self, head: Head, outputs: np.ndarray) -> np.ndarray:
        """(m,) what each example of the test part costs, as this head decides.

        Args:
            outputs: (m, c) of the test part, by the head.
        """
        return np.asarray(self.metric.costs_of(head, outputs, self.dataset.y[self.test]), dtype=np.float64)


def _named(rows: np.ndarray, seed: int) -> str:
    return f"probe {seed} {hash(rows.tobytes())}"
