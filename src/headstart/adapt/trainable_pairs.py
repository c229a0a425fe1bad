"""Pairs of texts for fine-tuning: both as one sequence, from a probe on what the frozen model makes of that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.basis import fit_basis
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.cross_validation import Probe, fit_probe, probes
from headstart.adapt.linear_training import Opened
from headstart.adapt.trainable_texts import open_texts
from headstart.encode.encode import encode_rows, of_rows

if TYPE_CHECKING:
    from headstart.adapt.linear_lesson import LinearLesson


def trainable_pairs(lesson: LinearLesson, probe: Probe, folds: np.ndarray, checkpoint: Checkpoint) -> Opened:
    """The backbone of a lesson over its pairs.

    The lesson's probe compares the features of two texts, which no single sequence has: it is what the tuned model has
    to beat, and not where it starts. The penalty of that is searched for without the validation part.
    """
    plain = lesson.plan.backbone
    backbone = replace(plain, config={**plain.config, "pair": "joint"})
    dataset, n = lesson.dataset, lesson.encoded
    features = encode_rows(dataset, np.arange(n), backbone)
    basis = fit_basis(features.matrix, dataset.weights_of(np.arange(n)))
    learn = np.flatnonzero(folds[:n] != 0)
    head = fit_probe(dataset, learn, of_rows(features, learn), basis=basis, seed=lesson.seed)
    start = probes(dataset, features, basis=basis, rows=learn, head=head, seed=lesson.seed)
    return open_texts(lesson, backbone, (basis, start))
