"""Pairs of texts for fine-tuning: both as one sequence, from a probe on what the frozen model makes of that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.cross_validation import Probe
from headstart.adapt.linear_training import Opened
from headstart.adapt.trainable_texts import open_texts, probe_of

if TYPE_CHECKING:
    from headstart.adapt.linear_lesson import LinearLesson


def trainable_pairs(lesson: LinearLesson, probe: Probe, folds: np.ndarray, checkpoint: Checkpoint) -> Opened:
    """The backbone of a lesson over its pairs.

    The lesson's probe compares the features of two texts, which no single sequence has: it is what the tuned model has
    to beat, and not where it starts.
    """
    plain = lesson.plan.backbone
    backbone = replace(plain, config={**plain.config, "pair": "joint"})
    return open_texts(lesson, backbone, probe_of(lesson, backbone, folds))
