"""Training from scratch: the architecture of the pre-trained model with random weights, all of them trained.

It is given what such training is usually given: other views of each photo, batch norms that learn, a rate that is as
high as AdamW bears, and time until the loss has levelled off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.adapt.basis import Basis
from headstart.adapt.batches import Feed, in_order
from headstart.adapt.linear_network import Classified
from headstart.adapt.loop import Loss, Recipe, Tuning, outputs_of
from headstart.adapt.policy import TUNING
from headstart.backbone import Backbone, Head
from headstart.clock import Budget
from headstart.comparison.contest import Contest, Outcome
from headstart.comparison.feeds import FED
from headstart.comparison.journal import Journal
from headstart.comparison.levelling import Levelling
from headstart.encode.engines import device
from headstart.encode.long_texts import cut_off
from headstart.inputs.augment import Views
from headstart.pretrained.training import open_untrained

_FOLDS, _FEWEST_FOLDS = 10, 4  # of which one is held out for thresholds


@dataclass(frozen=True)
class FromScratch:
    """Training from scratch, for all models of a comparison."""

    contest: Contest
    detail: float = 1.0  # share of the pixels a side that photos are seen with

    def __call__(self, rows: np.ndarray, seed: int, within: Budget) -> Outcome | None:
        """Train the architecture on these rows until its loss has levelled off, or the time is over.

        Args:
            within: the time for training and for asking about the test part; more of what is left is taken where it is
                too short for the fewest steps.

        Returns:
            None where there was no time for the fewest steps, or the weights went out of all bounds.
        """
        contest, policy = self.contest, self.contest.policy
        learn, held = self._parted(rows, seed)
        run = self.begun(learn, seed, like=contest.like(rows, seed))
        started = within.now()
        asked_about = len(contest.test) + len(held) + min(len(learn), policy.settled_on)
        for step in run.tuning.at_rates(run.loss.rate):
            each = (within.now() - started) / step.number
            testing = each * TUNING.forward_share * asked_about / run.loss.batch
            if not math.isfinite(step.loss):
                return None
            if step.number == policy.foreseen_steps:
                least = 1.5 * policy.fewest_steps * each + testing
                if within.left < least <= contest.left:  # rather fewer models than ones that have learned nothing
                    within = Budget(least, within.now)
                if within.left < policy.fewest_steps * each + testing:
                    return None
            if contest.stopped() or within.left <= testing:
                break
            if run.loss.ends is not None:
                continue
            run.loss.add(step.loss)
            if step.number % 10 == 0:
                contest.tell(f"step {step.number} loss {step.loss:.3f}")
            short = within.left - testing < (1 + run.loss.falling(step.number)) * each
            if short or run.loss.levelled:
                run.tuning.recipe = replace(run.tuning.recipe, steps=run.loss.fall(step.number))
        return self._outcome(run, held, seconds=within.now() - started)

    def begun(self, learn: np.ndarray, seed: int, *, like: Head) -> Run:
        """A network with random weights, about to be trained on these rows, with the names and units of `like`."""
        contest, policy, backbone = self.contest, self.contest.policy, self._backbone
        fed, places = FED[backbone.kind], self._places(learn)
        trainable = fed.opened(open_untrained(backbone, seed=seed), self._feed)
        body = [trainable.module.get_parameter(name) for group in trainable.groups for name in group]
        head = _constant(contest, like, learn, backbone.width)
        network = Classified(trainable.module, head, _as_they_are(backbone.width))
        loss = contest.family.loss(contest.dataset.y[learn], head, device())
        batch = _batch(len(learn), policy.batch)
        tuning = Tuning(
            network,
            [body, [network.weight, network.bias]],  # at one rate: no layer knows anything yet
            fed.varied(self._feed, Views(policy.views, contest.mirrors_keep_class)).take(places),
            loss,
            Recipe(depth=len(trainable.groups), rate=policy.rates[backbone.kind], steps=policy.most_steps, batch=batch),
            seed=seed,
            device=device(),
            dropout=True,  # and batch norms learn
        )
        levelling = Levelling(len(learn), batch, _loss_of(head, len(learn), loss), policy)
        return Run(network, tuning, levelling, head, places)

    @cached_property
    def _backbone(self) -> Backbone:
        return FED[self.contest.backbone.kind].smaller(cut_off(self.contest.backbone), self.detail)

    @cached_property
    def _feed(self) -> Feed:
        """All examples, as models are asked about them; in memory, where there is room."""
        contest, fed = self.contest, FED[self.contest.backbone.kind]
        feed: Feed = fed.held(fed.plain(contest.dataset, contest.rows, self._backbone), contest.policy.held)
        return feed

    def _places(self, rows: np.ndarray) -> np.ndarray:
        """Where these rows of the dataset are in the feed."""
        return np.searchsorted(self.contest.rows, rows)

    def _parted(self, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows to learn from, and others to find thresholds on where the metric goes by any: the network will know the
        former by heart, and what it says of them suits no threshold."""
        contest, folds = self.contest, min(_FOLDS, len(rows) // self.contest.policy.held_out)
        if contest.metric.decided_costs is None or folds < _FEWEST_FOLDS:
            return rows, rows[:0]
        held = contest.folds(rows, folds, seed) == 0
        return rows[~held], rows[held]

    def _outcome(self, run: Run, held: np.ndarray, *, seconds: float) -> Outcome:
        """What the trained network says of the test part."""
        run.tuning.take_average()
        contest = self.contest
        _settle(run.network, self._feed.take(run.places[: contest.policy.settled_on]), contest.policy.batch)
        head = run.network.head(run.head, features_key="", temperature=1.0)
        if len(held):
            y, weights = contest.dataset.y[held], contest.dataset.weights_of(held)
            head = contest.family.calibrated(head, self._outputs(run, held), y, weights)
        return Outcome(
            head=head,
            outputs=self._outputs(run, contest.test),
            seconds=seconds,
            epochs=run.tuning.done / run.loss.epoch,
            loss=run.loss.rounds[-1] if run.loss.rounds else None,
            levelled_off=run.loss.levelled,
        )

    def _outputs(self, run: Run, rows: np.ndarray) -> np.ndarray:
        return outputs_of(run.network, self._feed.take(self._places(rows)), device=device())


@dataclass(frozen=True)
class Run:
    """A network with random weights, about to be trained."""

    network: Classified
    tuning: Tuning
    loss: Levelling
    head: Head  # as the network begins: one answer to all
    places: np.ndarray  # of what it learns from, among all examples


def in_time(contest: Contest, rows: np.ndarray, seconds: float, journal: Journal) -> FromScratch:
    """Training from scratch on photos of such a size that a run on these rows has time to level off: on all of the
    pixels, or as few as there may be. It is the same for every run, and decided once for so much time."""
    policy, details = contest.policy, contest.policy.details[contest.backbone.kind]
    smallest = FromScratch(contest, details[-1])
    if smallest.detail == 1:
        return smallest

    def decide() -> float:
        if not _takes(FED[contest.backbone.kind].smaller(contest.backbone, smallest.detail)):
            return 1.0
        each = _seconds_a_step(smallest, rows)
        steps = max(policy.fewest_steps, policy.foreseen_epochs * math.ceil(len(rows) / policy.batch))
        whole = (1 + policy.cool_down) * steps * each
        fits = (detail for detail in details if whole * (detail / smallest.detail) ** 2 <= seconds)
        return next(fits, smallest.detail)

    detail = float(journal.once(f"detail-{contest.budget.seconds:g}", decide))
    return smallest if detail == smallest.detail else FromScratch(contest, detail)  # the former has decoded its photos


def _settle(network: nn.Module, feed: Feed, batch: int) -> None:
    """Measure batch norms by the final weights: what they kept on the way is of weights that are gone.

    Source: Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018.
    """

    def inputs() -> Iterator[torch.Tensor]:
        for parts in in_order(feed, _batch(len(feed), 2 * batch), device=device()):
            for _, (first, *_) in parts:
                yield first

    torch.optim.swa_utils.update_bn(inputs(), network, torch.device(device()))
    network.eval()


def _constant(contest: Contest, like: Head, rows: np.ndarray, width: int) -> Head:
    """A head that gives the answer to all that suits these rows best, and as long as no thresholds are found a label
    from even odds on."""
    always = contest.family.constant(contest.dataset.y[rows], len(like.bias)).astype(np.float32)
    weight, even = np.zeros((len(always), width), np.float32), like.thresholds and (0.5,) * len(always)
    return replace(like, weight=weight, bias=always, temperature=1.0, thresholds=even)


def _loss_of(head: Head, n: int, loss: Loss) -> float:
    """Of these rows, by that head."""
    outputs = torch.from_numpy(np.repeat(head.bias[None], n, axis=0))
    return float(loss(outputs.to(device()), torch.arange(n), 0.0).mean())


def _as_they_are(width: int) -> Basis:
    """Features are not scaled: those of random weights say nothing of what they will be."""
    nothing = np.zeros(0, np.float32)
    return Basis(np.zeros(width, np.float32), np.ones(width, np.float32), nothing.reshape(width, 0), nothing)


def _batch(n: int, most: int) -> int:
    """Examples of a batch, so that none is left alone: of one example a batch norm knows no variance."""
    return next((size for size in range(min(most, n), 1, -1) if n % size != 1), n)


def _seconds_a_step(scratch: FromScratch, rows: np.ndarray) -> float:
    """Of training from scratch, by a few steps that are thrown away."""
    warm, timed = scratch.contest.policy.timed
    run, now = scratch.begun(rows, 0, like=scratch.contest.like(rows, 0)), scratch.contest.budget.now
    begun = now()
    for step in run.tuning.at_rates(run.loss.rate):
        if step.number == warm:
            begun = now()
        if step.number >= warm + timed:
            break
    return (now() - begun) / timed


def _takes(backbone: Backbone) -> bool:
    """Whether the network takes photos of this size; some have positions for one size alone."""
    example: Any = torch.zeros((2, 3, *backbone.images.size), device=device())
    module = open_untrained(backbone, seed=0).module.to(device())
    try:
        with torch.inference_mode():
            return tuple(module(example).shape) == (2, backbone.width)
    except (AssertionError, RuntimeError, ValueError):
        return False
