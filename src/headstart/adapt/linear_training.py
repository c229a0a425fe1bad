"""Fine-tuning of a backbone with a linear head: what the trainer is given, from the lesson and its probe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from headstart.adapt.basis import Basis
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.cross_validation import Probe, all_alike, criterion, grouped_folds, probes
from headstart.adapt.fine_tune import Tuned
from headstart.adapt.lesson import Training
from headstart.adapt.linear_network import Classified
from headstart.adapt.linear_objective import LinearObjective
from headstart.adapt.loop import Recipe
from headstart.adapt.policy import TUNING
from headstart.adapt.rates import rate
from headstart.adapt.search import Choices, label_smoothing
from headstart.adapt.trainable_parts import TrainableParts
from headstart.adapt.validation import validation_folds
from headstart.backbone import Backbone, Head
from headstart.storage.matrix import take

if TYPE_CHECKING:
    from headstart.adapt.linear_lesson import LinearLesson


@dataclass(frozen=True)
class Opened:
    """A backbone opened for training over the inputs of a lesson."""

    parts: TrainableParts
    depths: tuple[int, ...]  # groups to train, from the top, in the order in which they are tried
    whole: Callable[[], nn.Module]  # the module with its own layers again
    regularisers: tuple[Callable[[Recipe], Recipe], ...]
    many: int | None  # as in `Choices`
    uncertainty: Callable[[np.ndarray], np.ndarray | None] | None  # of any rows, encoded or not; None: by the probe
    backbone: Backbone  # as it is kept once it is tuned
    start: tuple[Basis, Probe] | None = None  # what training starts from, where its features are not the lesson's


def linear_training(lesson: LinearLesson, checkpoint: Checkpoint) -> Training:
    """Open the backbone and put the lesson's probe on it."""
    rows, basis = np.arange(lesson.encoded), lesson.basis
    # Of many, the penalty has seen the validation part, too: that favours what the tuned model is held against.
    probe = probes(
        lesson.dataset,
        lesson.features,
        basis=basis,
        rows=rows,
        head=lesson.head,
        beside=lesson.begun.beside,
        seed=lesson.seed,
    )
    lesson, folds = _apart(lesson, _folds(lesson))
    family, dataset = lesson.dataset.task.learner.family, lesson.dataset
    lesson.session.progress.tell("opening the model")
    opened: Opened = dataset.modality.trainable(lesson, probe, folds, checkpoint)
    alike = all_alike(dataset, lesson.features, basis=basis, probe=probe, beside=lesson.begun.beside)
    basis, start = opened.start or (basis, alike)
    like = lesson.head if dataset.task.metric else replace(lesson.head, class_weights=None)
    objective = LinearObjective(
        opened.parts,
        dataset.y,
        family,
        basis,
        start,
        lambda head, rows: head.logits(take(lesson.features.matrix, rows)),
        like,
        probe,
        opened.uncertainty if len(dataset) > lesson.encoded else None,
        criterion(dataset),
    )

    def finish(tuned: Tuned) -> tuple[Head, nn.Module]:
        if not isinstance(tuned.network, Classified):
            raise TypeError("a network with a linear head on it")
        head = tuned.network.head(like, features_key="", temperature=tuned.temperature)
        y, weights = dataset.y[tuned.rows], dataset.weights_of(tuned.rows)
        return family.calibrated(head, tuned.kept / tuned.temperature, y, weights), opened.whole()

    return Training(
        objective=objective,
        backbone=opened.backbone,
        choices=Choices(
            opened.depths,
            rate(lesson.plan.backbone, how=lesson.plan.method),
            tuple(r for r in opened.regularisers if family.smoothing or r is not label_smoothing),
            TUNING.shares,
            many=opened.many,
        ),
        folds=folds,
        reserve=lesson.reserve,
        finish=finish,
        note=opened.parts.note,
        seed=lesson.seed,
        insist=lesson.plan.method != "auto",
    )


def _folds(lesson: LinearLesson) -> np.ndarray:
    """Of the examples that were encoded: what is held out is held against the probe."""
    rows = np.arange(lesson.encoded)

    def fold_of(k: int) -> np.ndarray:
        return grouped_folds(lesson.dataset, rows, lesson.features, basis=lesson.basis, k=k, seed=lesson.seed)

    return validation_folds(fold_of, len(rows))


def _apart(lesson: LinearLesson, folds: np.ndarray) -> tuple[LinearLesson, np.ndarray]:
    """With the folds of all examples: those that were not encoded are learned from, but for duplicates of what is held
    out."""
    dataset, n = lesson.dataset, lesson.encoded
    if n == len(dataset):
        return lesson, folds
    groups = dataset.checked_groups
    others = n + np.flatnonzero(~np.isin(groups[n:], groups[:n][folds == 0]))
    kept = dataset.take(np.concatenate([np.arange(n), others]))
    return replace(lesson, dataset=kept), np.concatenate([folds, np.ones(len(others), dtype=folds.dtype)])
