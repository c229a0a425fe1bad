"""Fine-tuning that earns its place: how deep and how fast, by measurement, and whether the probe is better left alone.

All of it happens on the training part. A validation part of it is held out; short runs find depth and learning rate, a
main run uses them, and only if it does better on the validation part than the probe, beyond noise, is it taken. Where
the validation part is a good share of the examples, a last run learns from all of them by the same recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from torch import nn

from headstart.adapt.pace import full_run, learns_from_all, main_steps, pace
from headstart.adapt.run import Runs
from headstart.adapt.search import Spice, Trial, climb, spiced
from headstart.adapt.task import Task
from headstart.adapt.tune import Recipe
from headstart.adapt.verdict import Judged, Verdict, verdict

_VALIDATION = (500, 2000)  # examples, at least (or a quarter) and at most; in between a tenth
_FOLDS = 4  # at least; the validation part is one of them
_FOLDED = 1000  # examples up to which the other folds are run too, for the verdict
_ENOUGH = 300  # steps (or half an epoch) of a main run that there was no time to search for
_OTHER_DEPTH = 0.2  # of the time, at most, for a trial of another depth
_TESTED = 40  # steps of a range test
GLANCE = 2  # times that an example is seen, below which it is not learned by heart


@dataclass(frozen=True)
class Tuned:
    """What came of it."""

    verdict: Verdict
    trials: tuple[Trial, ...]
    recipe: Recipe
    kept: np.ndarray  # of the judged run's outputs for the validation part, by the task
    temperature: float
    network: nn.Module | None  # trained, its weights in the backbone's module; None: what it started from is kept
    seen: Any = None  # what `look` made of the network of the judged run


def finetune(
    runs: Runs,
    *,
    folds: np.ndarray,
    depths: Sequence[int],
    rate: float,
    spices: Sequence[Spice],
    insist: bool,
    batch: int = 32,
    look: Callable[[nn.Module, Recipe], Any] | None = None,
) -> Tuned | None:
    """Search, train, judge; None where there is no time to try.

    Args:
        runs: on the training part.
        folds: (n,) from `validation_folds`; fold 0 is the validation part.
        depths: groups that may be trained, from the top; the one that is taken where there is no time to search, first.
        rate: where the search begins.
        spices: changes of the recipe that may help against learning by heart.
        insist: take the tuned model whatever the verdict says.
        look: given the network that was judged, which knows nothing of the validation part; if it is taken.
    """
    learn, judge = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    start = runs.task.start(learn)
    again = len(folds) / len(learn) if learns_from_all(len(learn), len(judge)) else 0.0
    scheme = _scheme(runs, start, learn, depths, again, Recipe(depths[0], rate, 1, batch))
    if scheme is None:
        return None
    learn = worth_most(runs.task, start, learn, scheme.main * batch)
    search = _Search(runs, start, learn, judge, (1 + again) * scheme.main * scheme.seconds)
    best = None
    if scheme.searched:
        best = climb(scheme.searched, start=scheme.start, attempt=search.attempt)
        best = best and spiced(best, spices, attempt=search.attempt)
    recipe = _main(runs, scheme, best, start, learn, again)
    if best is not None and recipe == best.recipe:
        results = search.results(best)
    else:
        results = runs.run("main", recipe, start=start, learn=learn, judge=judge)
    compared = [_compare(runs, start, results, judge), *_other_folds(runs, scheme, recipe, folds, again)]
    found = verdict([untuned for untuned, _ in compared], [tuned for _, tuned in compared])
    told = Tuned(found, tuple(search.trials), recipe, results["kept"], compared[0][1].temperature, None)
    if not (found.tuned_is_better or insist):
        return told
    judged = results
    if again and not runs.watch.over:
        whole, everything = replace(recipe, steps=round(again * recipe.steps)), np.arange(len(folds))
        last = runs.run("last", whole, start=runs.task.start(everything), learn=everything, judge=judge)
        # It has learned from these examples, the main run has not: if it does worse on them, it went astray.
        if runs.task.judged(last["kept"], judge).log_loss <= compared[0][1].log_loss:
            results = last
    seen = None if look is None else look(runs.network(recipe, start, judged), recipe)
    return replace(told, network=runs.network(recipe, start, results), seen=seen)


@dataclass
class _Search:
    """Short runs from one start, judged on the validation part; the best one's weights are kept."""

    runs: Runs
    start: Any
    learn: np.ndarray
    judge: np.ndarray
    reserve: float  # seconds that what follows will take
    trials: list[Trial] = field(default_factory=list)

    def attempt(self, recipe: Recipe) -> Trial | None:
        watch, name = self.runs.watch, _name(recipe)
        if not self.runs.journal.once(
            f"{name}-in-time", lambda: not watch.stopped and (not self.trials or watch.left() > self.reserve)
        ):
            return None
        results = self._run(recipe)
        if int(results["steps"]) < recipe.steps:  # cut short: not to be compared
            return None
        found = self.runs.task.judged(results["kept"], self.judge)
        trial = Trial(recipe, found.log_loss, found.accuracy)
        self.trials.append(trial)
        watch.judged(name, trial)
        for beaten in sorted(self.trials, key=lambda t: t.log_loss)[1:]:
            self.runs.journal.forget_weights(_name(beaten.recipe))
        return trial

    def results(self, trial: Trial) -> dict[str, np.ndarray]:
        return self._run(trial.recipe)

    def _run(self, recipe: Recipe) -> dict[str, np.ndarray]:
        return self.runs.run(_name(recipe), recipe, start=self.start, learn=self.learn, judge=self.judge)


def _name(recipe: Recipe) -> str:
    return f"trial-{recipe.depth}-{recipe.rate:.2e}-{recipe.varied:d}-{recipe.mixup}-{recipe.smoothing}"


def validation_folds(fold_of: Callable[[int], np.ndarray], n: int) -> np.ndarray:
    """Folds of which one is the validation part.

    Args:
        fold_of: k to (n,) fold numbers below k.
    """
    fewest, most = _VALIDATION
    return fold_of(max(_FOLDS, round(n / min(most, max(fewest, n / 10)))))


@dataclass(frozen=True)
class _Scheme:
    """Where the search begins and how long runs are."""

    start: Recipe  # of a trial; without a search, of the main run
    searched: tuple[int, ...]  # depths that are tried; none: there is no time for a search
    main: int  # steps of the main run, as far as can be foreseen
    seconds: float  # a step


def _scheme(
    runs: Runs, begin: Any, learn: np.ndarray, depths: Sequence[int], again: float, first: Recipe
) -> _Scheme | None:
    """Decided once, since a machine is never twice as fast."""

    def decide() -> dict[str, Any] | None:
        last = None
        for depth in depths:
            recipe, seconds = runs.timed(replace(first, depth=depth), begin, learn)
            left = runs.watch.left()
            found = pace(len(learn), batch=first.batch, seconds_a_step=seconds, left=left, again=again)
            if found is None:
                continue
            recipe = _for_a_glance(recipe) if found.main * first.batch < GLANCE * len(learn) else recipe
            last = _Scheme(replace(recipe, steps=found.trial or found.main), (), found.main, seconds)
            if found.trial:
                others = [d for d in depths if d != depth and _quick(d, recipe, found.trial, left)]
                return asdict(replace(last, searched=(depth, *others)))
            if found.main >= min(_ENOUGH, len(learn) / first.batch / 2):  # with less, train less of the model
                break
        return None if last is None else asdict(last)

    def _quick(depth: int, recipe: Recipe, trial: int, left: float) -> bool:
        seconds = runs.seconds_a_step(replace(recipe, depth=depth), begin, learn)
        return trial * seconds <= _OTHER_DEPTH * left

    told = runs.journal.once("scheme", decide)
    if told is None:
        return None
    return _Scheme(Recipe(**told["start"]), tuple(told["searched"]), told["main"], told["seconds"])


def worth_most(task: Task, start: Any, learn: np.ndarray, examples: int) -> np.ndarray:
    """Where there is no time to see each example once: those that the start is least sure of.

    Source: Coleman et al., Selection via Proxy, ICLR 2020 (least confidence of a cheaper model, which is the probe).
    """
    doubt = task.doubt(start, learn) if examples < len(learn) else None
    return learn if doubt is None else np.sort(learn[np.argsort(-doubt, kind="stable")[:examples]])


def _for_a_glance(recipe: Recipe) -> Recipe:
    """For a run that sees each example once or twice: nothing is learned by heart then, so nothing need be dropped out,
    and the steps may be larger (docs/tuning.md)."""
    return replace(recipe, dropout=False, rate=2 * recipe.rate)


def _main(runs: Runs, scheme: _Scheme, best: Trial | None, start: Any, learn: np.ndarray, again: float) -> Recipe:
    """The recipe of the main run: that of the best trial, with as many steps as there is time for."""
    recipe, full = scheme.start if best is None else best.recipe, full_run(len(learn), scheme.start.batch)

    def decide() -> dict[str, Any]:
        if best is None and recipe.steps > 4 * _TESTED and not runs.watch.over:
            rate = min(recipe.rate, runs.range_tested(replace(recipe, steps=_TESTED), start, learn))
        else:
            rate = recipe.rate
        if best is not None and (full <= recipe.steps or runs.watch.over):
            return {"rate": rate, "steps": recipe.steps}
        seconds = runs.seconds_a_step(recipe, start, learn)
        steps = main_steps(full, seconds_a_step=seconds, left=runs.watch.left(), again=again)
        return {"rate": rate, "steps": steps if best is None else max(recipe.steps, steps)}

    return replace(recipe, **runs.journal.once("main", decide))


def _compare(runs: Runs, start: Any, results: dict[str, np.ndarray], judge: np.ndarray) -> tuple[Judged, Judged]:
    return runs.task.untuned(start, judge), runs.task.judged(results["kept"], judge)


def _other_folds(
    runs: Runs, scheme: _Scheme, recipe: Recipe, folds: np.ndarray, again: float
) -> list[tuple[Judged, Judged]]:
    """Where examples are few, the verdict is from all of them: each fold judged by a run that did not see it."""
    made: list[tuple[Judged, Judged]] = []
    if len(folds) > _FOLDED:
        return made
    needed = (1 + again) * recipe.steps * scheme.seconds
    for k in range(1, int(folds.max()) + 1):
        learn, judge = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
        in_time = runs.journal.once(f"fold-{k}-in-time", lambda: not runs.watch.stopped and runs.watch.left() > needed)
        if not in_time or not len(judge):
            break
        start = runs.task.start(learn)
        results = runs.run(f"fold-{k}", recipe, start=start, learn=learn, judge=judge)
        if int(results["steps"]) < recipe.steps:
            break
        made.append(_compare(runs, start, results, judge))
    return made
