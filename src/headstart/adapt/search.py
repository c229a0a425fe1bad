"""Learning rate and depth, by short runs that are judged on examples which they did not learn from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.policy import TUNING
from headstart.task import rounded

_FORESEEN = 2  # steps of a walk either way


@dataclass(frozen=True)
class Trial:
    """A run of few epochs, as it is told in the report."""

    recipe: Recipe
    log_loss: float  # on the validation part, temperature scaled; infinite: the weights went out of all bounds
    accuracy: float
    other: float | None = None  # the mean of what the user chooses by, see `Metric.costs`; None: the log loss

    @property
    def cost(self) -> float:
        """What is chosen by."""
        return self.log_loss if self.other is None else self.other

    @property
    def clearly_less(self) -> float:
        """A cost that is clearly below: by nats, or by a share of costs in whatever unit."""
        return self.cost - (TUNING.enough_gain if self.other is None else TUNING.enough_gain * abs(self.cost))

    def row(self) -> dict[str, Any]:
        """For tables and JSON, which has no infinity: None."""
        log_loss = round(self.log_loss, 6) if math.isfinite(self.log_loss) else None
        told = {**asdict(self.recipe), "log_loss": log_loss, "accuracy": round(self.accuracy, 6)}
        return told if self.other is None else {**told, "cost": rounded(self.other)}


@dataclass(frozen=True)
class Choices:
    """What a fit may choose from."""

    depths: Sequence[int]  # groups to train, from the top; without time to search, the first
    rate: float  # where the search begins
    regularisers: Sequence[Regulariser] = ()  # changes of the recipe that may help against learning by heart
    shares: Sequence[float] = (1.0,)  # of the way from the start to the trained weights; the whole way last
    many: int | None = None  # groups to train where examples are too many to be learned by heart; None: as elsewhere


Try = Callable[[Recipe], Trial | None]  # None: no time
Ahead = Callable[[Sequence[Recipe]], None]  # told of what may be tried next, the likeliest first


def beaten(trials: Sequence[Trial]) -> list[Trial]:
    """Those that no search can take any more: it passes over a trial that is hardly better than the one it holds, so
    the one it holds is nearly as good as the best."""
    best = min(trials, key=_cost)
    return [trial for trial in trials if trial.clearly_less > best.cost]


def climb(depths: Sequence[int], *, start: Recipe, attempt: Try, ahead: Ahead = lambda recipes: None) -> Trial | None:
    """Try the depths at one rate, then walk from rate to rate at the better depth while that helps.

    A walk finds the rate wherever it is: a small model may want a hundred times what a large one does, and no list of
    three rates holds both.

    Args:
        depths: in the order in which they are tried.
        start: where the walk begins.
        attempt: one short run. ahead: for whoever begins some of them before they are wanted.

    Returns:
        The best trial; None where there was no time for one.
    """
    first = [replace(start, depth=depth) for depth in depths]
    ahead([*first, *(other for recipe in first for other in _around(recipe))])
    trials = [attempt(recipe) for recipe in first]
    best = min((trial for trial in trials if trial is not None), key=_cost, default=None)
    if best is None:
        return None
    ahead(_around(best.recipe))
    for factor in (TUNING.rate_factor, 1 / TUNING.rate_factor):
        further = _walk(best, factor, attempt)
        if further is not best:
            return further
    return best


def regularised(
    best: Trial, regularisers: Sequence[Regulariser], *, attempt: Try, ahead: Ahead = lambda recipes: None
) -> Trial:
    """What may help against learning by heart, one after the other. Only what helps stays.

    A crop can lose the very defect that makes the class, so not even other views are taken for granted.
    """
    ahead([change(best.recipe) for change in regularisers])
    for change in regularisers:
        trial = attempt(change(best.recipe))
        if trial is not None and trial.cost < best.clearly_less:
            best = trial
    return best


Regulariser = Callable[[Recipe], Recipe]


def other_views(recipe: Recipe) -> Recipe:
    return replace(recipe, varied=True)


def mixup(recipe: Recipe) -> Recipe:
    return replace(recipe, mixup=0.2)


def label_smoothing(recipe: Recipe) -> Recipe:
    return replace(recipe, smoothing=0.1)


def _around(recipe: Recipe) -> list[Recipe]:
    """Where a walk from there may go, the first steps of both ways first."""
    found, up, down = list[Recipe](), recipe, recipe
    for _ in range(_FORESEEN):
        up = replace(up, rate=up.rate * TUNING.rate_factor)
        down = replace(down, rate=down.rate * (1 / TUNING.rate_factor))
        found += [further for further in (up, down) if TUNING.lowest_rate <= further.rate <= TUNING.highest_rate]
    return found


def _walk(best: Trial, factor: float, attempt: Try) -> Trial:
    while TUNING.lowest_rate <= best.recipe.rate * factor <= TUNING.highest_rate:
        trial = attempt(replace(best.recipe, rate=best.recipe.rate * factor))
        if trial is None or not trial.cost < best.clearly_less:
            return best
        best = trial
    return best


def rate_between(trials: Sequence[Trial], best: Trial) -> float:
    """Where a parabola through the costs at the best trial's rate and at those next to it has its lowest point.

    Two rates that are as good as each other say that one between them is better; which of them came out ahead is
    chance. Without a trial on either side it is the best trial's own rate.
    """
    plain = replace(best.recipe, varied=False, mixup=0.0, smoothing=0.0)  # as rates were tried

    def cost(rate: float) -> float:
        near = (t for t in trials if math.isclose(t.recipe.rate, rate) and replace(t.recipe, rate=plain.rate) == plain)
        return min(map(_cost, near), default=math.inf)

    below, here, above = (cost(plain.rate * factor) for factor in (1 / TUNING.rate_factor, 1.0, TUNING.rate_factor))
    bend = below - 2 * here + above
    if not math.isfinite(bend) or bend <= 0:
        return plain.rate
    return plain.rate * TUNING.rate_factor ** float(np.clip((below - above) / (2 * bend), -0.5, 0.5))


def _cost(trial: Trial) -> float:
    return trial.cost


def range_test(
    tuning: Tuning, *, lowest: float = 1e-6, highest: float = 1e-1, listen: Callable[[], None] = lambda: None
) -> float:
    """A rate from one run whose rate rises from step to step: half of the one at which the loss breaks out.

    For when there is no time for several runs. The run's own schedule is not used. Where the loss was lowest says
    little here: a head that starts at its optimum has nowhere to fall at first.

    Args:
        listen: called after each step.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017; the share
    is ours: on SST-2 the loss breaks at 0.0009, and 0.0004 is best for a run of 40,000 examples (docs/tuning.md).
    """
    smooth = lowest_loss = math.nan
    for step in tuning.rising(lowest, highest):
        listen()
        smooth = step.loss if math.isnan(smooth) else 0.7 * smooth + 0.3 * step.loss
        lowest_loss = smooth if math.isnan(lowest_loss) else min(lowest_loss, smooth)
        if smooth > TUNING.broken_times * lowest_loss + TUNING.broken_by:
            return float(np.clip(step.rate / 2, TUNING.lowest_rate, TUNING.highest_rate))
    return float(min(highest / 2, TUNING.highest_rate))
