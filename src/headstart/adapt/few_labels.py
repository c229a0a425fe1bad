"""Few labels: a contrastive model beside the probe, on examples that neither has seen; the better one is taken."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.checkpoint import Checkpoint, open_checkpoint
from headstart.adapt.contrastive import Contrast, held_out, opened, steps_of
from headstart.adapt.cross_validation import criterion
from headstart.adapt.fine_tune import Tuned
from headstart.adapt.lesson import Adapted
from headstart.adapt.loop import Recipe
from headstart.adapt.policy import FEW
from headstart.adapt.train import as_json
from headstart.adapt.tuned_weights import keep
from headstart.adapt.why import Compared
from headstart.encode.machine import limit_torch
from headstart.evaluate.paired_test import verdict

if TYPE_CHECKING:
    from headstart.adapt.linear_lesson import LinearLesson


def few_labels(lesson: LinearLesson) -> Adapted:
    """Tune fold by fold, judge, and tune on all where that is no worse than the probe.

    Nothing more is asked: few labels cannot show beyond chance that it helps; on most data it does (docs/tuning.md).
    """
    limit_torch()
    contrast, checkpoint = opened(lesson), open_checkpoint(f"{lesson.key()} few")
    try:
        told = checkpoint.decide_once("in-time", lambda: _foreseen(contrast, FEW.share * lesson.session.budget.left))
        if told["enough"]:
            return _better(lesson, contrast, checkpoint)
    except BaseException:
        checkpoint.release()
        raise
    what = f"tuning on so few labels would take {told['seconds']:.0f} s, more than {FEW.share:.0%} of the time left"
    return replace(lesson.without_training(what), checkpoint=checkpoint)


def _foreseen(contrast: Contrast, within: float) -> dict[str, float | bool]:
    """How long tuning fold by fold and then on all takes, and whether that is within so many seconds."""
    seconds = (FEW.folds + 1) * steps_of(len(contrast.y)) * contrast.seconds_a_step(within)
    return {"seconds": seconds, "enough": seconds <= within}


def _better(lesson: LinearLesson, contrast: Contrast, checkpoint: Checkpoint) -> Adapted:
    dataset, rows = lesson.dataset, np.arange(lesson.encoded)
    family, y, by = dataset.task.learner.family, dataset.y[rows], criterion(dataset).of(rows)
    outputs = held_out(contrast)
    probe, tuned = family.judged(lesson.outputs, y, by), family.judged(outputs, y, by)
    test = verdict(probe, tuned)
    recipe = Recipe(contrast.depth, FEW.rate, steps_of(len(contrast.y)), FEW.batch, bf16=contrast.bf16)
    made = Tuned(test, (), recipe, rows, outputs, tuned.temperature, 1.0, 1, None)
    if tuned.cost > probe.cost:
        kept = lesson.without_training(lesson.kept(made, ""))
        return replace(kept, tuning=as_json(made), checkpoint=checkpoint)
    module = contrast.tuned(rows)
    features, beside = contrast.features(module, rows)
    head = contrast.head(features, rows, beside).cooled(tuned.temperature)
    backbone = keep(lesson.plan.backbone, contrast.whole(), checkpoint)
    adapted = lesson.with_training(backbone, head, made, "tune", "")
    why = Compared(test, dataset.task, weighted=dataset.weights is not None).likely()
    return replace(adapted, why=why, tuning=as_json(made), checkpoint=checkpoint)
