"""Whether what a probe learns from beside its labelled examples does harm: by folds, example by example.

It is used unless it does: so few labels cannot show that it helps. Chosen by folds at five labels a class, names and a
pool brought less on sixteen sets of data than taken unasked (0.724 and 0.731, docs/log/2026-11-few-labels.md).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.adapt.auxiliary import Auxiliary
from headstart.adapt.basis import Basis
from headstart.adapt.cross_validation import criterion, probe_folds, refit
from headstart.adapt.family import Probed
from headstart.adapt.penalty_path import unjudged
from headstart.adapt.self_training import taught
from headstart.backbone import Features
from headstart.evaluate.paired_test import PairedTest, verdict
from headstart.storage.matrix import take
from headstart.values import Dataset


def without_names(
    dataset: Dataset, rows: np.ndarray, features: Features, *, basis: Basis, probed: Probed, seed: int
) -> PairedTest:
    """A probe that learned from names, too, against one at its settings that learned from these rows alone, on each of
    them while it was held out. The second is better where names do harm, beyond noise.

    Args:
        features: (n_rows, d), of these rows. basis: that the probe was solved in.
    """
    family, y, by = dataset.task.learner.family, dataset.y[rows], criterion(dataset).of(rows)
    fold = probe_folds(dataset, rows, features, basis=basis, seed=seed)
    judged = fold >= 0  # all of them, but where examples are very many
    numbers = np.unique(fold[judged])
    left_out = np.maximum(fold, unjudged(fold))
    counted = np.stack([left_out != number for number in numbers]).astype(np.float32)
    counted *= 1 if by.weights is None else by.weights.astype(np.float32)
    asked = take(features.matrix, np.flatnonzero(judged))
    made = family.by_parts(features, y, basis=basis, like=probed.head, counted=counted, asked=asked)
    outputs, y, by, fold = np.empty_like(probed.outputs), y[judged], by.of(judged), fold[judged]
    for number, those in zip(numbers, made, strict=True):
        outputs[fold == number] = those[fold == number]
    return verdict(family.judged(probed.outputs, y, by), family.judged(outputs, y, by))


def with_pool(
    dataset: Dataset,
    rows: np.ndarray,
    features: Features,
    *,
    basis: Basis,
    probed: Probed,
    beside: Auxiliary,
    seed: int,
) -> tuple[Probed, int, PairedTest]:
    """The probe with what it learns from a pool, from how many of its examples, and its test against the one without,
    which is better where the pool does harm. Each fold labels the pool by itself: no example is judged by labels that
    were made knowing its own.

    Args:
        features: (n_rows, d), of these rows. basis: that the probe was solved in.
        probed: without the pool. beside: with it.
    """
    family, y, by = dataset.task.learner.family, dataset.y[rows], criterion(dataset).of(rows)
    fold = probe_folds(dataset, rows, features, basis=basis, seed=seed)
    place, judged, left_out = np.cumsum(fold >= 0) - 1, fold >= 0, np.maximum(fold, unjudged(fold))
    outputs, y, by = np.empty_like(probed.outputs), y[judged], by.of(judged)
    for number in np.unique(fold[judged]):
        learn, held = np.flatnonzero(left_out != number), np.flatnonzero(fold == number)
        some = Features(take(features.matrix, learn), features.key, 0)
        head = refit(dataset, rows[learn], some, basis=basis, like=probed.head, beside=beside)
        outputs[place[held]] = head.logits(take(features.matrix, held))
    head, used = taught(dataset, rows, features, head=probed.head, beside=beside)
    after = family.judged(outputs, y, by)
    head = replace(head.cooled(after.temperature), cross_validation=probed.head.cross_validation)
    return (
        Probed(head, outputs / np.float32(after.temperature), probed.rows),
        used,
        verdict(after, family.judged(probed.outputs, y, by)),
    )
