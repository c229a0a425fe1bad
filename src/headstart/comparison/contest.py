"""What all models of a comparison have in common: the examples, the pre-trained model, the judge and the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from headstart.adapt.basis import fit_basis
from headstart.adapt.beside import begin, encoded_beside
from headstart.adapt.cross_validation import grouped_folds
from headstart.adapt.family import Family
from headstart.adapt.flip_check import mirrors_keep_class
from headstart.backbone import Backbone, Features, Head
from headstart.clock import Budget
from headstart.comparison.policy import ComparingPolicy
from headstart.data.beside import with_words
from headstart.encode.encode import of_rows
from headstart.task import Metric
from headstart.values import Dataset


@dataclass(frozen=True)
class Outcome:
    """What a way of learning comes to: a head, what it says of the test part, and what that took."""

    head: Head
    outputs: np.ndarray  # (m, c) of the test part
    seconds: float  # from labelled examples to the model
    epochs: float | None = None  # None: it is solved, not trained
    loss: float | None = None  # of the training examples, as last followed
    levelled_off: bool | None = None  # None: nobody followed it


@dataclass(frozen=True)
class Contest:
    """The same examples, test part and judge for every way of learning."""

    dataset: Dataset
    train: np.ndarray  # (n,) rows, ascending
    test: np.ndarray  # (m,) rows, ascending
    backbone: Backbone
    features: Features  # of both, by the frozen backbone
    metric: Metric  # what is compared; it has costs
    per_example: float  # seconds that encoding one takes here
    budget: Budget  # of the whole
    stopped: Callable[[], bool]  # whether the user wants no more
    tell: Callable[[str], None]  # of what goes on
    policy: ComparingPolicy
    _likes: dict[tuple[int, bytes], Head] = field(default_factory=dict, compare=False, repr=False)  # see `like`

    @property
    def left(self) -> float:
        """Seconds, without those that are kept for what comes after the last model."""
        least, share = self.policy.writing
        return max(0.0, self.budget.left - max(least, share * self.budget.seconds))

    @property
    def shortest(self) -> float:
        """Seconds with less of which no training is begun; more on a machine that is slow, or busy."""
        return self.policy.shortest * max(1.0, self.per_example * self.dataset.modality.per_second)

    @property
    def family(self) -> Family:
        """Of the task's linear heads."""
        family: Family = self.dataset.task.learner.family
        return family

    @cached_property
    def rows(self) -> np.ndarray:
        """All that is learned from or tested on, ascending."""
        return np.union1d(self.train, self.test)

    @cached_property
    def mirrors_keep_class(self) -> bool:
        """Whether the pre-trained model says that mirror images keep their class; asked on the half of the training
        part that its probe has not learned from."""
        dataset = self.dataset
        if dataset.task.probabilities is None or dataset.y.ndim > 1 or not dataset.modality.look_alikes:
            return False
        learn, held = self.train[::2], self.train[1::2]
        if not len(held):
            return False
        return mirrors_keep_class(
            [dataset.inputs[row] for row in held.tolist()],
            dataset.checked_digests[held],
            dataset.y[held],
            features=of_rows(self.features, held).matrix,
            backbone=self.backbone,
            head=self.probe(learn, 0),
        )

    def folds(self, rows: np.ndarray, k: int, seed: int) -> np.ndarray:
        """(n,) fold of each row; what is nearly the same is in one."""
        train = of_rows(self.features, rows)
        basis = fit_basis(train.matrix, self.dataset.weights_of(rows))
        return grouped_folds(self.dataset, rows, train, basis=basis, k=k, seed=seed)

    def probe(self, rows: np.ndarray, seed: int) -> Head:
        """The head on frozen features of these rows, as a fit of so many labels makes it: with names, or crops."""
        dataset, train = with_words(self.dataset, rows, None), of_rows(self.features, rows)
        beside = encoded_beside(dataset, rows, self.backbone)
        made = begin(dataset, rows, train, beside=beside, seed=seed, within=self.budget, advance=lambda _: None)
        head = made.probed.head
        self._likes[seed, rows.tobytes()] = replace(head, weight=head.weight[:, :0])
        return head

    def like(self, rows: np.ndarray, seed: int) -> Head:
        """What the probe of these rows found besides its weights, which are left out: names, class weights, units."""
        key = seed, rows.tobytes()
        if key not in self._likes:
            self.probe(rows, seed)
        return self._likes[key]

    def costs(self, outcome: Outcome) -> np.ndarray:
        """(m,) what each example of the test part costs, as the head decides."""
        y = self.dataset.y[self.test]
        return np.asarray(self.metric.costs_of(outcome.head, outcome.outputs, y), dtype=np.float64)
