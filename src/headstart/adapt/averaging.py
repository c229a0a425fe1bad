"""The main run's recipe once more: in another order, to be averaged with it, or on all examples, in its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from headstart.adapt.loop import Recipe
from headstart.adapt.policy import TUNING
from headstart.adapt.trial import Runs


def greedy_soup(
    runs: Runs,
    recipe: Recipe,
    results: dict[str, np.ndarray],
    *,
    start: Any,
    learn: np.ndarray,
    judge: np.ndarray,
    in_time: Callable[[int, float], int],
) -> tuple[dict[str, np.ndarray], int]:
    """What a long run left or, where there is time, the mean weights of several of them, and of how many.

    Runs of one recipe from one start end in one basin, and the mean of their weights answers as all of them together
    would, at the price of one. A run that does not make the answers to the rows `judge` better is left out.

    Args:
        results: of the run that there is, by this recipe, as `Runs.run` gave them.
        in_time: how many steps there is time for in all, if so many are done and one takes so many seconds.

    Source: Wortsman et al., Model soups, ICML 2022 (the greedy one).
    """
    soup, taken = results, 1
    if recipe.steps * recipe.batch < TUNING.long_from:
        return soup, taken
    seconds = float(results["seconds"])  # of a whole run: a few steps say little, for batches are of many lengths
    if math.isinf(seconds):
        seconds = runs.seconds_a_step(recipe, start, learn)
    for number in range(1, TUNING.most_runs):
        if not _time_for_another(runs, f"again-{number}", recipe, seconds, in_time):
            break
        other = replace(runs, seed=runs.seed + number)
        more = other.run(
            f"again-{number}",
            recipe,
            start=start,
            learn=learn,
            judge=judge,
            in_time=lambda done, seconds: min(recipe.steps, in_time(done, seconds)),
        )
        if more["diverged"]:
            continue
        mixed = _with(soup, more, 1 / (taken + 1))
        mixed["kept"] = runs.outputs(recipe, start, mixed, judge, share=1.0)
        if runs.task.judged(mixed["kept"], judge).cost < runs.task.judged(soup["kept"], judge).cost:
            soup, taken = mixed, taken + 1
    return soup, taken


def last_run(
    runs: Runs, recipe: Recipe, folds: np.ndarray, again: float, before: np.ndarray
) -> dict[str, np.ndarray] | None:
    """By the same recipe on all examples; None where it is not to be taken.

    That is where it was cut short, for over no more than its last twentieth the rate is next to nothing; and where it
    went astray: it does worse on the validation part, which it has learned from, than the run that has not, of which
    `before` was kept.
    """
    whole, everything = replace(recipe, steps=round(again * recipe.steps)), np.arange(len(folds))
    judge = np.flatnonzero(folds == 0)
    last = runs.run("last", whole, start=runs.task.start(everything), learn=everything, judge=judge)
    is_done = not last["diverged"] and int(last["steps"]) >= TUNING.done_share * whole.steps
    better = runs.task.judged(last["kept"], judge).cost <= runs.task.judged(before, judge).cost
    return last if is_done and better else None


def halfway(main: dict[str, np.ndarray], last: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The mean weights of the run that was judged and of the one that learned from all: two runs of one recipe.

    Source: Wortsman et al., Model soups, ICML 2022; what it brings here is in docs/tuning.md.
    """
    return _with(last, main, 0.5)


def _time_for_another(
    runs: Runs, name: str, recipe: Recipe, seconds: float, in_time: Callable[[int, float], int]
) -> bool:
    def decide() -> bool:
        enough = not runs.watch.over and in_time(0, seconds) >= recipe.steps
        if enough:
            runs.watch.planned(f"the same {recipe.steps} steps in another order, about {recipe.steps * seconds:.0f} s")
        return enough

    return bool(runs.decide_once(f"{name}-in-time", decide))


def _with(soup: dict[str, np.ndarray], more: dict[str, np.ndarray], share: float) -> dict[str, np.ndarray]:
    """The weights of both, the second ones by this share."""
    return {
        name: array + np.float32(share) * (more[name] - array) if name.startswith("weight ") else array
        for name, array in soup.items()
    }
