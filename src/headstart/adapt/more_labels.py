"""The learning curve of a probe: what it would be with fewer labels, from features that are there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from headstart.adapt.auxiliary import Auxiliary, Joined, joined
from headstart.adapt.basis import Basis
from headstart.adapt.cross_validation import criterion
from headstart.backbone import Features, Head, Matrix
from headstart.clock import Budget
from headstart.data.sampling import drawn
from headstart.encode.encode import of_rows
from headstart.evaluate.growth import Fared, curve_of
from headstart.evaluate.learning_curve import LearningCurve
from headstart.storage.matrix import take
from headstart.task import Metric
from headstart.values import Dataset

SHARES = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5)  # of the labels; the whole is the probe that there is
DRAWS, ONCE_FROM = 2, 1000  # of each number of labels; of so many one is as good as another, and takes its time
_OF_A_CLASS = 2  # labels, on average, below which a head says nothing of how well it would learn
_SEEDS = 2**65  # that no split and no sample has


@dataclass(frozen=True)
class Exam:
    """The test part, and what of it a learning curve needs."""

    dataset: Dataset
    rows: np.ndarray  # (n_test,) of the dataset
    features: Features  # that hold these rows

    @property
    def metric(self) -> Metric:
        """The headline metric."""
        return self.dataset.task.scorer.metrics[0]

    @property
    def groups(self) -> np.ndarray | None:
        """(n_test,) int, where the user names any."""
        clusters = self.dataset.clusters
        return None if clusters is None else clusters[self.rows]

    @property
    def asked(self) -> Matrix:
        """(n_test, d)."""
        return of_rows(self.features, self.rows).matrix

    def fared(self, head: Head, outputs: np.ndarray, *, compared: bool) -> Fared:
        """What outputs come to by the task's own scorer; of its metrics only the headline is computed.

        Args:
            compared: whether it is told example by example, too.
        """
        task, metric = self.dataset.task, self.metric
        lean = replace(task, scorer=replace(task.scorer, metrics=(replace(metric, interval=None),)))
        scores = task.scorer.score(head, outputs, replace(self.dataset, task=lean), self.rows, None)
        if not compared:
            return Fared(scores.values[metric.key], None)
        by = replace(criterion(self.dataset), weights=None, costs=metric.costs).of(self.rows)
        judged = task.learner.family.judged(outputs, self.dataset.y[self.rows], by)
        return Fared(scores.values[metric.key], judged.costs)


def parts_of(dataset: Dataset, n: int) -> list[tuple[int, int]]:
    """How many labels are learned from, and in which draw, the largest number first; the same on every machine."""
    least = _OF_A_CLASS * len(np.unique(dataset.strata[:n]))
    sizes = [size for size in (round(share * n) for share in reversed(SHARES)) if least <= size < n]
    return [(size, draw) for size in sizes for draw in range(1 if size >= ONCE_FROM else DRAWS)]


def learning_curve(
    dataset: Dataset,
    features: Features,
    *,
    basis: Basis,
    head: Head,
    beside: Auxiliary,
    exam: Exam,
    within: Budget,
) -> LearningCurve | None:
    """The score on the test part of heads that learned from a part of the labels only, at the probe's own settings.

    The parts of a draw are nested: what a small one holds, a larger one holds too, of each class by its share. The
    settings suit few labels, too: with the penalty of all labels, of ten times as many or of as many as there are, the
    same parts of five kinds of flowers and of 77 intents came within 0.01 of each other (docs/log).

    Args:
        dataset: whose first n rows are learned from. features: (n, d), of these. basis: of them.
        head: the probe of all of them, and of what is `beside`, which each part learns from as well.
        within: after which no further head is judged.

    Returns:
        None where there are too few labels for a smaller part, or no time; or where there is a pool, which each part
        would have to label anew.
    """
    n = len(features.matrix)
    parts = parts_of(dataset, n)
    if not parts or len(beside.pool) or within.left <= 0:
        return None
    orders = [drawn(dataset, np.arange(n), seed=_SEEDS + draw, first=1) for draw in range(DRAWS)]
    counted = np.zeros((len(parts), n), dtype=np.float32)
    for row, (size, draw) in enumerate(parts):
        some = orders[draw][:size]
        counted[row, some] = 1 if dataset.weights is None else dataset.weights[some]
    rows = _needed(counted, in_memory=isinstance(features.matrix, np.ndarray))
    both = joined(dataset, rows, replace(features, matrix=take(features.matrix, rows), rows=None), beside)
    outputs = dataset.task.learner.family.by_parts(
        both.features,
        both.y,
        basis=basis,
        like=head,
        counted=_with_beside(counted[:, rows], dataset.y[rows], both, beside, len(dataset.classes)),
        asked=exam.asked,
    )
    fared = defaultdict[int, list[Fared]](list)
    for (size, _), made in zip(parts, outputs, strict=True):
        fared[size].append(exam.fared(head, made, compared=size == parts[0][0]))
        if within.left <= 0:
            break
    whole = exam.fared(head, head.logits(exam.asked), compared=True)
    if not np.isfinite(whole.value):  # R² of targets that are all the same is no number
        return None
    return curve_of(exam.metric, fared, whole=whole, n=n, groups=exam.groups)


def _with_beside(counted: np.ndarray, y: np.ndarray, both: Joined, beside: Auxiliary, n_classes: int) -> np.ndarray:
    """(k, n + m) how much each row counts in each part: names by the labels that it has, views as their example."""
    if not len(both.of):
        return counted
    named = np.flatnonzero(beside.weights(y, n_classes) > 0)
    each = np.stack([beside.weights(y[part > 0], n_classes)[named] for part in counted]).astype(np.float32)
    return np.concatenate([counted, each, counted[:, both.of[both.of >= 0]]], axis=1)


def _needed(counted: np.ndarray, *, in_memory: bool) -> np.ndarray:
    """The rows that any part counts, as the solver goes through them in slices: where they are in memory those of the
    small parts come first, so that it passes over what a part does not count; on disk they stay where they are."""
    parts = (counted > 0).sum(axis=0)
    rows = np.flatnonzero(parts)
    return rows[np.argsort(-parts[rows], kind="stable")] if in_memory else rows
