"""Photos for fine-tuning: the frozen layers run once for each view; mirror images only where they keep the class."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.cross_validation import Probe
from headstart.adapt.devices import channels_last
from headstart.adapt.flip_check import mirrors_keep_class
from headstart.adapt.linear_training import Opened
from headstart.adapt.lora import adapted
from headstart.adapt.search import label_smoothing, mixup, other_views
from headstart.adapt.trainable_parts import ImageParts
from headstart.encode.engines import device
from headstart.pretrained.training import open_for_training
from headstart.storage.matrix import take

if TYPE_CHECKING:
    from headstart.adapt.linear_lesson import LinearLesson


def trainable_images(lesson: LinearLesson, probe: Probe, folds: np.ndarray, checkpoint: Checkpoint) -> Opened:
    """The backbone of a lesson over its photos."""
    dataset, method, judge = lesson.dataset, lesson.plan.method, np.flatnonzero(folds == 0)
    trainable = open_for_training(lesson.plan.backbone)
    trainable.module.to(device())
    module = trainable.module
    merge = None
    if method == "lora":
        trainable, merge = adapted(trainable, seed=lesson.seed)

    def mirror() -> bool:
        return mirrors_keep_class(
            [dataset.inputs[row] for row in judge.tolist()],
            dataset.checked_digests[judge],
            dataset.y[judge],
            features=take(lesson.features.matrix, judge),
            backbone=lesson.plan.backbone,
            head=probe(np.flatnonzero(folds != 0)),
        )

    lesson.session.progress.tell("running the frozen layers once")
    parts = ImageParts(
        trainable,
        lesson.plan.backbone,
        dataset.inputs,
        dataset.checked_digests,
        mirror=partial(checkpoint.decide_once, "mirror", mirror),
        checkpoint=checkpoint,
        channels_last=channels_last(device()),
        clock=lesson.session.now,
    )
    groups = parts.depths
    depths = (groups,) if method == "full" else tuple(dict.fromkeys([1, max(1, groups // 2)]))  # or the upper half
    return Opened(
        parts,
        depths,
        merge or (lambda: module),
        (other_views, mixup, label_smoothing),
        None,
        None,
        lesson.plan.backbone,
    )
