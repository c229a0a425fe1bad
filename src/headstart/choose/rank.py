"""Which pre-trained model suits the user's data, from one pass of each over a sample of the training part.

The order is by the log loss of a probe in cross-validation: what `fit` would do with the model, in small. Log loss says
of every example how sure the model is, accuracy only on which side it fell; against full fits, log loss agrees best
with what came out (docs/log/2026-11-choosing.md, bench/rank.py). Who chooses by another metric has the order by that.

How many models are tried depends on the time there is. The sample does not: whatever is tried is ranked alike on every
machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.backbone import Backbone, Features
from headstart.choose import transferability
from headstart.choose.race import clearly_behind, part_of
from headstart.choose.ranking import Ranked, Ranking, Untried
from headstart.choose.rate import OutOfTimeError, Rate, Speed
from headstart.clock import Budget
from headstart.encode.encode import encode_rows, of_rows, unknown
from headstart.errors import ModelError
from headstart.evaluate.intervals import share_interval
from headstart.evaluate.paired_test import NOISE, HeldOut, error_of_mean
from headstart.values import Dataset


@dataclass(frozen=True)
class Candidate:
    """A model that may be tried."""

    name: str
    cost: float  # of one example, in any unit that all candidates share; inf: unknown
    parameters: int | None
    load: Callable[[], Backbone]


@dataclass(frozen=True)
class _Trial:
    candidate: Candidate
    told: Ranked
    held_out: HeldOut  # how it fared on each example
    features: Features
    speed: Speed | None  # None: nothing was new


@dataclass
class _Share:
    """One candidate's part of what there is to do, however much of it is done."""

    left: int
    tell: Callable[[int], None]

    def advance(self, count: int) -> None:
        count = min(count, self.left)  # what was raced on is told of again with the rest
        self.left -= count
        self.tell(count)

    def finish(self) -> None:
        if self.left:
            self.advance(self.left)


def rank_models(
    sample: Dataset,
    candidates: Sequence[Candidate],
    *,
    budget: Budget,
    race: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> Ranking:
    """Try one candidate after the other while time lasts; the first is tried whatever it takes.

    Args:
        sample: checked examples of the training part.
        candidates: in the order in which they are tried.
        race: only the choice counts: what is clearly behind on a part of the sample is not tried on all of it.
        advance: told how many more examples a candidate has encoded; of one that is left out or stopped, all of them.

    Raises:
        ModelError: none of the candidates can be used.
    """
    begun, part = budget.now(), part_of(sample) if race else None
    trials: list[_Trial] = []
    untried: list[Untried] = []
    for candidate in candidates:
        share = _Share(len(sample), advance)
        found = _try(candidate, sample, budget, trials, part, share.advance)
        share.finish()
        if isinstance(found, _Trial):
            trials.append(found)
        else:
            untried.append(found)
    if not trials:
        raise ModelError(untried[0].why, where=untried[0].model, fix="name another --model")
    rows, choice = _ordered(trials)
    always = sample.task.learner.judge_constant
    if always is None:
        raise TypeError(f"models are not ranked for {sample.task.name}")
    constant: HeldOut = always(sample)
    best = next(trial for trial in trials if trial.told.model == rows[0].model)
    return Ranking(
        rows=rows,
        choice=choice,
        untried=tuple(untried),
        warnings=tuple(_warnings(rows, constant, best.held_out)),
        n=len(sample),
        classes=len(sample.classes),
        named=sample.task.words.named,
        measure=sample.task.words.right,
        loss=sample.task.words.loss,
        majority_accuracy=constant.accuracy,
        seconds=budget.now() - begun,
        metric=sample.task.metric,
    )


def _try(
    candidate: Candidate,
    sample: Dataset,
    budget: Budget,
    trials: Sequence[_Trial],
    part: np.ndarray | None,
    advance: Callable[[int], None],
) -> _Trial | Untried:
    """Args:
    trials: of other candidates, before. part: rows to race on; None: there is no race.
    """
    speeds, first = [trial.speed for trial in trials if trial.speed is not None], not trials
    if not first and budget.left <= 0:
        return Untried(candidate.name, f"no time left of {budget.seconds:.0f} s")
    try:
        backbone = candidate.load()
    except ModelError as error:
        return Untried(candidate.name, error.what)
    digests = sample.checked_digests
    new = int(unknown(digests, backbone).sum())
    needed = _needed(new, candidate.cost, speeds)
    if not first and needed > budget.left:
        return Untried(
            candidate.name, f"would take about {needed:.0f} s, {budget.left:.0f} of {budget.seconds:.0f} left"
        )
    within, speed = None if first else budget, None
    rate = Rate(len(sample) if part is None or first else len(part), within, advance, budget.now)
    try:
        if part is not None and not first:
            best = min(trials, key=lambda trial: float(trial.held_out.costs.mean()))
            features = encode_rows(sample, part, backbone, advance=rate)
            why = clearly_behind(sample.take(part), of_rows(best.features, part), features)
            if why:
                return Untried(candidate.name, why)
            speed = rate.speed(candidate.cost)
            rate = Rate(len(sample), within, advance, budget.now)
        fresh = int(unknown(digests, backbone).sum())  # a race has encoded some
        features = encode_rows(sample, np.arange(len(sample)), backbone, advance=rate)
    except OutOfTimeError:
        why = f"stopped after {rate.done} of {rate.total} examples, when its {budget.seconds:.0f} s were over"
        return Untried(candidate.name, why)
    features = replace(features, cached=len(sample) - new)  # what the race encoded was not known before
    return _judged(
        candidate, sample, features, rate.per_second() if fresh else None, speed or rate.speed(candidate.cost)
    )


def _needed(new: int, cost: float, speeds: Sequence[Speed]) -> float:
    """Seconds that so many new examples will take; 0 where nothing is known, for a rate ends what takes too long."""
    if not new or not speeds or not math.isfinite(cost):
        return 0.0
    return speeds[-1].start_up + new * cost * max(speed.a_cost for speed in speeds)


def _judged(
    candidate: Candidate, sample: Dataset, features: Features, per_second: float | None, speed: Speed | None
) -> _Trial:
    matrix, y, groups = features.matrix[:], sample.strata, sample.checked_groups
    n_classes = max(len(sample.classes), int(y.max()) + 1)  # tenths of numbers, the rarest of several labels
    judge = sample.task.learner.judge
    if judge is None:
        raise TypeError(f"models are not ranked for {sample.task.name}")
    held_out: HeldOut = judge(sample, features)
    by = sample.task.chosen_by
    told = Ranked(
        model=candidate.name,
        log_loss=float(held_out.losses.mean()),
        behind=0.0,
        behind_error=0.0,
        accuracy=float(held_out.right.mean()),
        accuracy_interval=share_interval(held_out.right, held_out.groups),
        logme=transferability.logme(matrix, y, n_classes=n_classes),
        neighbours=transferability.neighbours(matrix, y, groups, n_classes=n_classes),
        separation=transferability.separation(matrix, y, groups),
        per_second=per_second,
        cached=features.cached,
        parameters=candidate.parameters,
        width=matrix.shape[1],
        figure=None if by is None else by.figure(held_out.cost),
    )
    return _Trial(candidate, told, held_out, features, speed)


def _ordered(trials: Sequence[_Trial]) -> tuple[tuple[Ranked, ...], str]:
    """Best first, each with how far it is behind the best; and the cheapest of those that are not clearly behind.

    Both models judged the same examples, so what counts is the spread of the differences, not of the costs. Taking the
    simplest within one standard error is Breiman's rule (Classification and Regression Trees, 1984, section 3.4.3).
    """
    ordered = sorted(trials, key=lambda trial: (float(trial.held_out.costs.mean()), trial.candidate.cost))
    rows = []
    for trial in ordered:
        behind = trial.held_out.costs.astype(np.float64) - ordered[0].held_out.costs
        error = error_of_mean(behind, trial.held_out.groups)
        rows.append(replace(trial.told, behind=float(behind.mean()), behind_error=error))
    tied = [trial.candidate for trial, row in zip(ordered, rows, strict=True) if row.tied]
    return tuple(rows), min(tied, key=lambda candidate: candidate.cost).name


def _warnings(rows: Sequence[Ranked], constant: HeldOut, found: HeldOut) -> Iterator[str]:
    """What is odd about the order; `found` is the best model, `constant` gives all the same answer."""
    best, gain = rows[0], constant.costs.astype(np.float64) - found.costs
    proved = gain.mean() > NOISE * error_of_mean(gain, found.groups)
    if best.accuracy_interval.low <= constant.accuracy or not proved:
        yield (
            f"hardly better than chance: the best model is right in {best.accuracy:.1%} of the examples, always "
            f"giving the same answer in {constant.accuracy:.1%}"
        )
    if all(row.separation < 1 for row in rows):  # nan: too few examples to tell
        yield (
            "the pre-training looks unrelated to these data: to every model tried, examples with one answer are no "
            "more alike than with shuffled answers"
        )
