"""Where the search begins and how long runs are, from what a step takes here and the time that is left."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from headstart.adapt.loop import Recipe
from headstart.adapt.policy import TUNING
from headstart.adapt.schedule import full_run, judging_seconds, main_steps, pace, shortest_seconds
from headstart.adapt.search import Choices
from headstart.adapt.trial import Runs

_OTHERWISE = 1.5  # times as long, from which the longest is said, too


@dataclass(frozen=True)
class TrainingPlan:
    """Decided once a fit: a machine is never twice as fast."""

    start: Recipe  # of a trial; without a search, of the main run
    searched: tuple[int, ...]  # depths that are tried; none: there is no time for a search
    main: int  # steps of the main run, as far as can be foreseen
    batch: int  # examples of each of them
    seconds: float  # a step of a trial
    ahead: float  # seconds of the main run
    slowest: float = 0.0  # seconds a step at the slowest of the depths that are tried

    @property
    def long(self) -> bool:
        """Whether the main run will be one of larger batches than those of trials."""
        return self.batch > self.start.batch


def lay_out(
    runs: Runs, begin: Any, learn: np.ndarray, judged: int, choices: Choices, again: float, first: Recipe
) -> TrainingPlan | None:
    """Time a few steps at one depth after the other, until there is one that there is time to train.

    Args:
        begin: what runs start from. learn: rows that they learn from. judged: how many examples they are judged on.
        choices: of its depths the one that is taken where there is no time to search, first.
        again: steps of a last run on all examples, over those of the main run.
        first: the recipe, but for its depth and steps.

    Returns:
        None where there is no time to learn anything.
    """

    def decide() -> dict[str, Any] | None:
        last = None
        for depth in choices.depths:
            if not runs.prepared(depth, within=TUNING.preparing_share * runs.watch.left()):
                runs.needed(runs.preparing.get(depth, math.inf) / TUNING.preparing_share)
                continue
            before = runs.watch.left()
            recipe, seconds = runs.timed(replace(first, depth=depth), begin, learn)
            left = runs.watch.left()
            judging = judging_seconds(judged, batch=first.batch, seconds_a_step=seconds)
            found = pace(len(learn), batch=first.batch, seconds_a_step=seconds, left=left, again=again, judging=judging)
            if found is None:
                runs.needed(before - left + _least(runs, seconds, len(learn), judged, again, first.batch))
                continue
            main, ahead = found.main, found.main * seconds
            last = TrainingPlan(replace(recipe, steps=found.trial or main), (), main, first.batch, seconds, ahead)
            if main * first.batch < TUNING.safe_epochs * len(learn):
                last = _for_few_epochs(last, depth if choices.many is None else choices.many)
            last = _foreseen(last, runs, begin, learn, judged, choices, left - TUNING.trials * found.trial * seconds)
            if found.trial:
                steps = {d: quick(d, recipe, found.trial, left) for d in choices.depths if d != depth}
                others = {d: seconds for d, seconds in steps.items() if seconds is not None}
                slowest = max([last.seconds, *others.values()])
                return asdict(replace(last, searched=(depth, *others), slowest=slowest))
            if found.main >= min(TUNING.unsearched, len(learn) / first.batch / 2):  # with less, train less of the model
                break
        return None if last is None else asdict(last)

    def quick(depth: int, recipe: Recipe, trial: int, left: float) -> float | None:
        """Seconds a step at another depth; None: there is no time to try it."""
        if not runs.prepared(depth, within=TUNING.other_depth_share * left):
            return None
        seconds = runs.seconds_a_step(replace(recipe, depth=depth), begin, learn)
        return seconds if trial * seconds <= TUNING.other_depth_share * left else None

    told = runs.decide_once("scheme", decide)
    if told is None:
        return None
    return TrainingPlan(**told | {"start": Recipe(**told["start"]), "searched": tuple(told["searched"])})


def _least(runs: Runs, seconds: float, n: int, judged: int, again: float, batch: int) -> float:
    """Seconds of the shortest training there is; seconds: a step, infinite where too few were timed."""
    each = seconds if math.isfinite(seconds) else runs.watch.a_step
    judging = judging_seconds(judged, batch=batch, seconds_a_step=each)
    return shortest_seconds(n, batch=batch, seconds_a_step=each, again=again, judging=judging)


def as_sentence(scheme: TrainingPlan, again: float, left: float) -> str:
    """What will be done, and how long it should take. Args: left: seconds, above which nothing goes."""
    trials = TUNING.trials if scheme.searched else 0
    seconds = trials * scheme.start.steps * scheme.seconds + (1 + again) * scheme.ahead
    slower = max(1.0, scheme.slowest / max(scheme.seconds, 1e-9)) if trials else 1.0  # where another depth is better
    most = min(slower * seconds, left)
    about = f"{seconds:.0f} to {most:.0f} s" if most > _OTHERWISE * seconds else f"{seconds:.0f} s"
    search = (
        f"a search by about {trials} trials of {scheme.start.steps} steps, then " if trials else "no time to search, "
    )
    steps = f"{scheme.main} steps of {scheme.batch}{' and once more on all examples' if again else ''}"
    return f"{search}{steps}: about {about}"


def whole_seconds(scheme: TrainingPlan, n: int, again: float) -> float:
    """What all of a run that nothing cuts short would take, on n examples; with its trials."""
    recipe = replace(scheme.start, batch=scheme.batch)
    seconds = scheme.ahead / max(1, scheme.main)
    trials = TUNING.trials * TUNING.longest_trial * scheme.seconds
    return TUNING.margin * ((1 + again) * longest(recipe, n) * seconds + trials)


def _foreseen(
    scheme: TrainingPlan, runs: Runs, begin: Any, learn: np.ndarray, judged: int, choices: Choices, left: float
) -> TrainingPlan:
    """With the main run as it will be if it is a long one. Arguments as above; left: seconds for that run."""
    recipe = replace(scheme.start, steps=scheme.main)
    if not is_long(recipe, choices):
        return scheme
    recipe = for_a_long_run(recipe, choices)
    seconds = runs.seconds_a_step(recipe, begin, learn)
    steps = steps_in_time(recipe, len(learn), judged, seconds_a_step=seconds, left=left, again=0.0)
    return replace(scheme, main=steps, batch=recipe.batch, ahead=steps * seconds)


def _for_few_epochs(scheme: TrainingPlan, depth: int) -> TrainingPlan:
    """For a run that sees each example once or twice: nothing is learned by heart then, so nothing need be dropped out,
    and the steps may be larger; where they are many, batches too, which go through faster (docs/tuning.md)."""
    recipe = replace(scheme.start, depth=depth, dropout=False, rate=2 * scheme.start.rate)
    if scheme.main < TUNING.doubled_from:
        return replace(scheme, start=recipe)
    main, seconds = round(scheme.main / 2 * TUNING.long_batch_gain), 2 * scheme.seconds / TUNING.long_batch_gain
    larger = replace(recipe, batch=2 * recipe.batch, rate=math.sqrt(2) * recipe.rate, steps=main)
    return replace(scheme, start=larger, main=main, batch=larger.batch, seconds=seconds, ahead=main * seconds)


def longest(recipe: Recipe, n: int) -> int:
    """Steps of a main run that nothing cuts short. Where nothing is dropped out, what was seen more often than in a
    run of few epochs would be learned by heart."""
    full = full_run(n, recipe.batch)
    return full if recipe.dropout else min(full, TUNING.safe_epochs * math.ceil(n / recipe.batch))


def steps_in_time(
    recipe: Recipe, n: int, judged: int, *, seconds_a_step: float, left: float, again: float, done: int = 0
) -> int:
    """Of a main run on n examples in all, when so many of them are done; it is judged on `judged` others."""
    judging = judging_seconds(judged, batch=recipe.batch, seconds_a_step=seconds_a_step)
    rest = longest(recipe, n) - done
    return done + main_steps(rest, seconds_a_step=seconds_a_step, left=left, again=again, judging=judging)


def is_long(recipe: Recipe, choices: Choices) -> bool:
    """Whether a run learns from so many texts that it had better be done in larger batches."""
    return choices.many is not None and recipe.dropout and recipe.steps * recipe.batch >= TUNING.long_from


def for_a_long_run(recipe: Recipe, choices: Choices) -> Recipe:
    """In larger batches, at a rate that grows with their square root, with the word embeddings trained too, and the
    weights averaged over more of the run. Each example is seen twice, so nothing need be dropped out or smoothed."""
    depth = choices.many if recipe.depth == choices.depths[0] else recipe.depth  # unless trials found less to be better
    return replace(
        recipe,
        depth=depth or recipe.depth,
        batch=TUNING.long_batch * recipe.batch,
        steps=math.ceil(recipe.steps / TUNING.long_batch),
        rate=math.sqrt(TUNING.long_batch) * recipe.rate,
        averaged=TUNING.averaged_share,
        dropout=False,
        smoothing=0.0,
    )
