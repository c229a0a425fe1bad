"""Fine-tuning that earns its place: how deep and how fast, by measurement, and whether the probe is better left alone.

All of it happens on the training part. A validation part of it is held out; short runs find depth and learning rate, a
main run uses them, and only if it does better on the validation part than the probe, beyond noise, is it taken. Where
the validation part is a good share of the examples, a last run learns from all of them by the same recipe; where it is
a small one of very many, further runs are averaged with the main run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from headstart.adapt.averaging import greedy_soup, halfway, last_run
from headstart.adapt.loop import Recipe
from headstart.adapt.policy import ELSEWHERE, TUNING
from headstart.adapt.schedule import judging_seconds, learns_from_all, rate_for
from headstart.adapt.search import Choices, Trial, beaten, climb, rate_between, regularised
from headstart.adapt.training_plan import (
    TrainingPlan,
    as_sentence,
    for_a_long_run,
    is_long,
    lay_out,
    longest,
    steps_in_time,
    whole_seconds,
)
from headstart.adapt.trial import Runs
from headstart.adapt.validation import worth_most
from headstart.evaluate.paired_test import HeldOut, PairedTest, verdict


@dataclass(frozen=True)
class Tuned:
    """What came of it."""

    verdict: PairedTest
    trials: tuple[Trial, ...]
    recipe: Recipe
    rows: np.ndarray  # (n,) that were held out: the validation part, and then other folds, where examples are few
    kept: np.ndarray  # (n, k) by the task, of their outputs at this share, each by a run that has not learned from it
    temperature: float
    share: float  # of the way from the start to the weights that were trained, which is where the network stands
    averaged: int  # runs, one but in a long run
    network: nn.Module | None  # trained, its weights in the backbone's module; None: what it started from is kept
    seen: Any = None  # what `look` made of the network of the judged run


def finetune(
    runs: Runs,
    choices: Choices,
    *,
    folds: np.ndarray,
    insist: bool,
    batch: int = 32,
    look: Callable[[nn.Module, Recipe], Any] | None = None,
) -> Tuned | None:
    """Search, train, judge; None where there is no time to try.

    Args:
        runs: on the training part.
        choices: how far to go from the start to the trained weights is chosen where examples are few; else all the way.
        folds: (n,) from `validation_folds`; fold 0 is the validation part.
        insist: take the tuned model whatever the verdict says.
        look: given the network that was judged, which knows nothing of the validation part; if it is taken.
    """
    learn, judge = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    start = runs.task.start(learn)
    again = len(folds) / len(learn) if learns_from_all(len(learn), len(judge)) else 0.0
    first = Recipe(choices.depths[0], choices.rate, 1, batch)
    scheme = lay_out(runs, start, learn, len(judge), choices, again, first)
    if scheme is None:
        return None
    runs.watch.planned(as_sentence(scheme, again, runs.watch.left()))
    if insist:
        runs.watch.foreseen(whole_seconds(scheme, len(learn), again))
    learn = worth_most(runs.task, start, learn, scheme.main * scheme.batch, seed=runs.seed)
    search = _Search(runs, start, learn, judge, (1 + again) * scheme.ahead)
    best = None
    if scheme.searched:
        ahead = partial(search.ahead, scheme.seconds)
        best = climb(scheme.searched, start=scheme.start, attempt=search.attempt, ahead=ahead)
        if best is not None and not scheme.long:  # a long run learns nothing by heart
            best = regularised(best, choices.regularisers, attempt=search.attempt, ahead=ahead)
        ahead([])
    taken = _best_run(runs, scheme, choices, search, best, again)
    if taken is None:
        return None
    recipe, results = taken
    in_time = partial(_steps_in_time, runs, search, recipe, again)
    results, averaged = greedy_soup(runs, recipe, results, start=start, learn=learn, judge=judge, in_time=in_time)
    lost = _lost(runs, recipe, start, judge, results)
    others = [] if lost else _others(runs, scheme, recipe, folds, again)
    compared = [_Compared(judge, start, results), *others]
    weighed = _weighed(runs, recipe, compared, _shares(runs, scheme, recipe, choices, len(folds), again))
    found, share, t = verdict(weighed.before, weighed.after), weighed.share, weighed.after.temperature
    told = Tuned(found, tuple(search.trials), recipe, weighed.rows, weighed.kept, t, share, averaged, None)
    if not (found.tuned_is_better or insist):
        return told
    last = last_run(runs, recipe, folds, again, results["kept"]) if again and not (lost or runs.watch.over) else None
    seen = None if look is None else look(runs.network(recipe, start, results, share=share), recipe)
    if last is not None:
        start, results = runs.task.start(np.arange(len(folds))), halfway(results, last)
    return replace(told, network=runs.network(recipe, start, results, share=share), seen=seen)


def _lost(runs: Runs, recipe: Recipe, start: Any, judge: np.ndarray, results: dict[str, np.ndarray]) -> bool:
    """Whether a run was cut short and is worse than what it started from: such a run is not done again on others."""
    if int(results["steps"]) >= recipe.steps:
        return False
    task = runs.task
    return task.judged(results["kept"], judge).cost > task.judged(task.untuned(start, judge), judge).cost


Run = tuple[Recipe, dict[str, np.ndarray]]  # and its results


def _best_run(
    runs: Runs, scheme: TrainingPlan, choices: Choices, search: _Search, best: Trial | None, again: float
) -> Run | None:
    """The main run; or the best trial, or a trial that was cut short, where the main run did worse or had no time.

    None where each of them went out of all bounds.
    """
    found: list[Run] = []
    if best is not None and math.isfinite(best.cost):
        found = [(best.recipe, search.results(best))]
    elif search.cut is not None:
        found = [search.cut]
    if not found or not runs.watch.over:
        recipe = _main(runs, scheme, choices, best, search, again)
        for number in range(TUNING.main_tries):
            if found and recipe == found[0][0]:
                break
            name = f"main-{number}" if number else "main"
            in_time = None if again else partial(_steps_in_time, runs, search, recipe, again)
            results = runs.run(
                name, recipe, start=search.start, learn=search.learn, judge=search.judge, in_time=in_time
            )
            if not results["diverged"]:
                done = recipe if in_time is None else replace(recipe, steps=int(results["steps"]))
                found.append((done, results))
                break
            recipe = replace(recipe, rate=recipe.rate / TUNING.rate_factor)
    return min(found, key=lambda run: runs.task.judged(run[1]["kept"], search.judge).cost, default=None)


@dataclass
class _Search:
    """Short runs from one start, judged on the validation part; the best one's weights are kept."""

    runs: Runs
    start: Any
    learn: np.ndarray
    judge: np.ndarray
    reserve: float  # seconds that what follows will take
    trials: list[Trial] = field(default_factory=list)
    cut: Run | None = None  # short by the clock or the user: not to be compared, but better than nothing

    def attempt(self, recipe: Recipe) -> Trial | None:
        watch, name = self.runs.watch, _name(recipe)
        if not self.runs.decide_once(f"{name}-in-time", lambda: self._in_time(recipe)):
            return None
        results = self._run(recipe)
        if results["diverged"]:
            trial = Trial(recipe, math.inf, 0.0)
        elif int(results["steps"]) < recipe.steps:
            self.cut = recipe, results
            return None
        else:
            found = self.runs.task.judged(results["kept"], self.judge)
            trial = Trial(recipe, found.log_loss, found.accuracy, None if found.other is None else found.cost)
        self.trials.append(trial)
        watch.judged(name, trial)
        for other in beaten(self.trials):
            self.runs.checkpoint.forget_weights(_name(other.recipe))
        return trial

    def ahead(self, seconds: float, recipes: Sequence[Recipe]) -> None:
        """Have others begin what may be tried next, where a trial takes long; seconds: a step."""
        long = [recipe for recipe in recipes if recipe.steps * seconds > ELSEWHERE.trials_from]
        ready = {_name(recipe): recipe for recipe in long if not recipe.varied}  # other views are not prepared yet
        self.runs.side_by_side(ready, self.start, self.learn)

    def _in_time(self, recipe: Recipe) -> bool:
        watch = self.runs.watch
        spare = watch.left() - (self.reserve if self.trials else 0.0)
        if watch.stopped or (self.trials and spare <= 0):
            return False
        return not recipe.varied or self.runs.prepared(recipe.depth, varied=True, within=spare)

    def results(self, trial: Trial) -> dict[str, np.ndarray]:
        return self._run(trial.recipe)

    def _run(self, recipe: Recipe) -> dict[str, np.ndarray]:
        return self.runs.run(_name(recipe), recipe, start=self.start, learn=self.learn, judge=self.judge)


def _name(recipe: Recipe) -> str:
    return f"trial-{recipe.depth}-{recipe.rate:.2e}-{recipe.varied:d}-{recipe.mixup}-{recipe.smoothing}"


def _main(
    runs: Runs, scheme: TrainingPlan, choices: Choices, best: Trial | None, search: _Search, again: float
) -> Recipe:
    """The recipe of the main run: that of the best trial, with as many steps as there is time for."""
    start, learn = search.start, search.learn
    recipe = scheme.start if best is None else best.recipe

    def decide() -> dict[str, Any]:
        if runs.watch.over or (best is not None and longest(recipe, len(learn)) <= recipe.steps):
            return asdict(recipe)
        rate, seconds = recipe.rate, math.inf
        if best is None and recipe.steps > 8 * TUNING.range_test_steps:
            rate, seconds = runs.range_tested(replace(recipe, steps=TUNING.range_test_steps), start, learn)
        if math.isinf(seconds):
            seconds = runs.seconds_a_step(recipe, start, learn)
        steps = _steps_in_time(runs, search, recipe, again, 0, seconds)
        main = replace(recipe, rate=rate, steps=steps if best is None else max(recipe.steps, steps))
        if is_long(main, choices):
            rate = rate if best is None else rate_between(search.trials, best)
            main = for_a_long_run(replace(main, rate=rate), choices)
            seconds = runs.seconds_a_step(main, start, learn)
            main = replace(main, steps=_steps_in_time(runs, search, main, again, 0, seconds))
        return asdict(main if best is None else replace(main, rate=rate_for(main.steps, main.rate)))

    return Recipe(**runs.decide_once("main", decide))


def _steps_in_time(runs: Runs, search: _Search, recipe: Recipe, again: float, done: int, seconds_a_step: float) -> int:
    """Of the main run in all, when so many of them are done."""
    n, judged, left = len(search.learn), len(search.judge), runs.watch.left()
    return steps_in_time(recipe, n, judged, seconds_a_step=seconds_a_step, left=left, again=again, done=done)


@dataclass(frozen=True)
class _Compared:
    """A run and what it started from, on examples that neither has seen."""

    judge: np.ndarray
    start: Any
    results: dict[str, np.ndarray]


def _shares(
    runs: Runs, scheme: TrainingPlan, recipe: Recipe, choices: Choices, n: int, again: float
) -> Sequence[float]:
    """How far to go: all the way, unless examples are few and there is time, before a last run, to ask about them."""
    asking = judging_seconds(n, batch=recipe.batch, seconds_a_step=scheme.seconds)
    few = len(choices.shares) > 1 and n <= TUNING.folded_up_to
    asked = few and _in_time(runs, "shares", again * recipe.steps * scheme.seconds + asking)
    return choices.shares if asked else choices.shares[-1:]


@dataclass(frozen=True)
class _Weighed:
    """How far to go, and how that fares on what was held out, over the folds together."""

    share: float
    rows: np.ndarray
    kept: np.ndarray  # of the outputs for these rows at this share
    before: HeldOut
    after: HeldOut


def _weighed(runs: Runs, recipe: Recipe, compared: Sequence[_Compared], shares: Sequence[float]) -> _Weighed:
    """The best of the shares, beside what was there before.

    Over the folds together: a dozen examples of one fold say nothing of a temperature.

    Source: Wortsman et al., Robust Fine-Tuning of Zero-Shot Models, CVPR 2022 (weights between the two).
    """
    task, rows = runs.task, np.concatenate([fold.judge for fold in compared])
    before = task.judged(np.concatenate([task.untuned(fold.start, fold.judge) for fold in compared]), rows)

    def gone(share: float) -> _Weighed:
        kept = np.concatenate([_outputs(runs, recipe, fold, share) for fold in compared])
        return _Weighed(share, rows, kept, before, task.judged(kept, rows))

    return min(map(gone, shares), key=lambda weighed: weighed.after.cost)


def _outputs(runs: Runs, recipe: Recipe, fold: _Compared, share: float) -> np.ndarray:
    if share == 1:
        return fold.results["kept"]
    return runs.outputs(recipe, fold.start, fold.results, fold.judge, share=share)


def _others(runs: Runs, scheme: TrainingPlan, recipe: Recipe, folds: np.ndarray, again: float) -> list[_Compared]:
    """Where examples are few, the verdict is from all of them: each fold judged by a run that did not see it."""
    made: list[_Compared] = []
    if len(folds) > TUNING.folded_up_to:
        return made
    needed = (1 + again) * recipe.steps * scheme.seconds
    for k in range(1, int(folds.max()) + 1):
        learn, judge = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
        if not _in_time(runs, f"fold-{k}", needed) or not len(judge):
            break
        start = runs.task.start(learn)
        results = runs.run(f"fold-{k}", recipe, start=start, learn=learn, judge=judge)
        if results["diverged"] or int(results["steps"]) < recipe.steps:
            break
        made.append(_Compared(judge, start, results))
    return made


def _in_time(runs: Runs, what: str, needed: float) -> bool:
    """Whether so many seconds are left; a later start of the same run keeps to what was found."""
    return bool(runs.decide_once(f"{what}-in-time", lambda: not runs.watch.stopped and runs.watch.left() > needed))
