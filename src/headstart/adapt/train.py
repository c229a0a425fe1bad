"""Fine-tuning within the budget: what a lesson gives is trained, judged and, if it earns its place, kept."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

from headstart.adapt.checkpoint import Checkpoint, open_checkpoint
from headstart.adapt.curves import TrainingCurves
from headstart.adapt.fine_tune import Tuned, finetune
from headstart.adapt.lesson import TUNED_AS, Adapted, Lesson, Training
from headstart.adapt.loop import Recipe, Step
from headstart.adapt.trial import Runs, StopSignal, until_interrupted
from headstart.adapt.tuned_weights import keep
from headstart.clock import as_budget
from headstart.encode.engines import device, may_train_in_bf16
from headstart.encode.machine import limit_torch
from headstart.session import Session
from headstart.values import Caution, Method

_CUT = "tuning was cut short by the user: the model is what it had come to by then"
_ROOM = 1.25  # what training takes varies
_STARTING = 6.0  # seconds kept for evaluating and saving: converting the tuned model takes most of it


def train(lesson: Lesson, method: Method, session: Session) -> Adapted:
    """Train, watched by the clock and the user.

    Raises:
        UserError: there was no time to train, and there is nothing that works without.
    """
    limit_torch()
    checkpoint = open_checkpoint(lesson.key())
    training = lesson.training(checkpoint)
    tuned, cut = tuned_in_time(training, checkpoint, session)
    if isinstance(tuned, str):
        checkpoint.remove()
        adapted = lesson.without_training(tuned)
        return replace(adapted, cautions=(*adapted.cautions, *cut))
    note = training.note(tuned.recipe.depth)
    if tuned.network is None:
        adapted = lesson.without_training(lesson.kept(tuned, note))
        return replace(adapted, tuning=as_json(tuned), cautions=(*adapted.cautions, *cut), checkpoint=checkpoint)
    head, module = training.finish(tuned)
    adapted = lesson.with_training(keep(training.backbone, module, checkpoint), head, tuned, TUNED_AS[method], note)
    cautions = (*adapted.cautions, *cut)
    return replace(adapted, tuning=as_json(tuned) | training.more, cautions=cautions, checkpoint=checkpoint)


def as_json(tuned: Tuned) -> dict[str, Any]:
    """What was tried and why it was taken or not."""
    recipe, trials = asdict(tuned.recipe), [trial.row() for trial in tuned.trials]
    verdict = {name: value for name, value in asdict(tuned.verdict).items() if value is not None}
    told = {"verdict": verdict, "trials": trials, "recipe": recipe}
    return told | {"share": tuned.share, "averaged_runs": tuned.averaged}


def tuned_in_time(training: Training, checkpoint: Checkpoint, session: Session) -> tuple[Tuned | str, list[Caution]]:
    """What came of it, or, where nothing could be tried, why; and whether the user cut it short."""
    budget = session.budget
    before = budget.seconds - budget.left
    curves = TrainingCurves(session.progress, session.tracker, lambda: budget.left)
    stop = StopSignal(
        left=lambda: budget.left - training.reserve - _STARTING,
        listen=lambda run, step, recipe: _listen(curves, stop, session, run, step, recipe),
        judged=curves.judged,
        foreseen=lambda seconds: _tell_if_long(session, seconds, training.reserve),
        planned=lambda what: session.progress.note(f"plan: {what}, of {max(0.0, budget.left):.0f} s that are left"),
    )
    runs = Runs(
        training.objective,
        checkpoint,
        stop,
        seed=training.seed,
        may_bf16=may_train_in_bf16(),
        device=device(),
        clock=session.now,
    )
    try:
        with until_interrupted(stop):
            tuned = finetune(runs, training.choices, folds=training.folds, insist=training.insist, look=training.look)
    except BaseException:
        checkpoint.release()  # the error may be kept, and all that it came through: a notebook does that
        raise
    cut = [Caution("cut-short", _CUT)] if stop.stopped else []
    if tuned is not None:
        return tuned, cut
    if stop.stopped:
        return "stopped before anything was tuned", cut
    needed = _ROOM * stop.needs + training.reserve + _STARTING + before
    enough = f"--budget {as_budget(needed)} would do" if needed < math.inf else "give it more with --budget"
    return f"no time to tune within {budget.seconds:.0f} s: {enough}", cut


def _tell_if_long(session: Session, seconds: float, reserve: float) -> None:
    """That training will be cut by the clock, and what it would take to the end."""
    left = session.budget.left - reserve - _STARTING
    if seconds > left:
        needed = session.budget.seconds - left + seconds
        what = f"training to its end would take about {seconds / 60:.0f} minutes, and is cut to {max(0.0, left):.0f} s"
        session.progress.note(f"note: {what}; --budget {as_budget(needed)} gives it the time")


def _listen(curves: TrainingCurves, stop: StopSignal, session: Session, run: str, step: Step, recipe: Recipe) -> None:
    """After each step of a run."""
    curves.step(run, step, recipe)
    stop.stopped = stop.stopped or session.progress.stopped
