"""Training from scratch: the architecture of the pre-trained model with random weights, all of them trained.

It is given what such training is usually given: other views of each photo, batch norms that learn, a rate that is as
high as AdamW bears, and time until the loss has levelled off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.adapt.basis import Basis
from headstart.adapt.batches import Feed, in_order
from headstart.adapt.flip_check import mirrors_keep_class
from headstart.adapt.linear_network import Classified
from headstart.adapt.loop import Loss, Recipe, Tuning, outputs_of
from headstart.adapt.policy import TUNING
from headstart.backbone import Backbone, Head
from headstart.clock import Budget
from headstart.comparison.contest import Contest
from headstart.comparison.feeds import FED
from headstart.comparison.journal import Journal
from headstart.comparison.levelling import Levelling
from headstart.comparison.outcome import Outcome
from headstart.comparison.policy import COMPARING
from headstart.encode.encode import of_rows
from headstart.encode.engines import device
from headstart.encode.long_texts import cut_off
from headstart.pretrained.training import open_untrained
from headstart.values import Dataset


def from_scratch(contest: Contest, rows: np.ndarray, seed: int, within: Budget, *, detail: float) -> Outcome | None:
    """Train the architecture on these rows until its loss has levelled off, or the time is over.

    Args:
        within: the time for training and for asking about the test part; more of what is left is taken where it is too
            short for the fewest steps.
        detail: share of the pixels a side that photos are seen with.

    Returns:
        None where there was no time for the fewest steps, or the weights went out of all bounds.
    """
    run = _begun(contest, rows, seed, detail)
    started = within.now()
    asked = len(contest.test) + sum(min(len(rows), n) for n in (COMPARING.calibrated_on, COMPARING.settled_on))
    for step in run.tuning.at_rates(run.loss.rate):
        each = (within.now() - started) / step.number
        testing = each * TUNING.forward_share * asked / run.loss.batch
        if not math.isfinite(step.loss):
            return None
        if step.number == COMPARING.foreseen_steps:
            least = 1.5 * COMPARING.fewest_steps * each + testing
            if within.left < least <= contest.left:  # rather fewer models than ones that have learned nothing
                within = Budget(least, within.now)
            if within.left < COMPARING.fewest_steps * each + testing:
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
    return _asked(contest, run, seconds=within.now() - started)


def detail_in_time(contest: Contest, rows: np.ndarray, seconds: float, journal: Journal) -> float:
    """The share of the pixels a side that photos are seen with from scratch, so that a run on these rows has time to
    level off: all of them, or as few as there may be. It is the same for every run, and decided once for so much time.
    """
    fed, smallest = FED[contest.backbone.kind], FED[contest.backbone.kind].details[-1]

    def decide() -> float:
        if not _takes(fed.smaller(contest.backbone, smallest)):
            return 1.0
        each = _seconds_a_step(contest, rows, smallest)
        steps = max(COMPARING.fewest_steps, COMPARING.foreseen_epochs * math.ceil(len(rows) / COMPARING.batch))
        whole = (1 + COMPARING.cool_down) * steps * each
        return next((detail for detail in fed.details if whole * (detail / smallest) ** 2 <= seconds), smallest)

    return 1.0 if smallest == 1 else float(journal.once(f"detail-{contest.budget.seconds:g}", decide))


@dataclass(frozen=True)
class _Run:
    """A network with random weights, about to be trained."""

    network: Classified
    tuning: Tuning
    loss: Levelling
    head: Head  # as the network begins: one answer to all
    everything: Feed  # all examples, as models are asked
    rows: np.ndarray  # of the dataset, that `everything` is of
    learn: np.ndarray  # of `everything`


def _begun(contest: Contest, rows: np.ndarray, seed: int, detail: float) -> _Run:
    dataset, fed = contest.dataset, FED[contest.backbone.kind]
    backbone = fed.smaller(cut_off(contest.backbone), detail)
    everything = np.union1d(contest.train, contest.test)
    feed = contest.once(f"feed {detail}", lambda: fed.held(fed.plain(dataset, everything, backbone)))
    trainable = fed.opened(open_untrained(backbone, seed=seed), feed)
    body = [trainable.module.get_parameter(name) for group in trainable.groups for name in group]
    head = _constant(contest, contest.like(rows, seed), rows, backbone.width)
    network = Classified(trainable.module, head, _as_they_are(backbone.width))
    learn, loss = np.searchsorted(everything, rows), contest.family.loss(dataset.y[rows], head, device())
    batch = _batch(len(rows), COMPARING.batch)
    tuning = Tuning(
        network,
        [body, [network.weight, network.bias]],  # at one rate: no layer knows anything yet
        fed.varied(feed, contest.once("mirror", lambda: _mirrors_too(contest))).take(learn),
        loss,
        Recipe(depth=len(trainable.groups), rate=fed.rate, steps=COMPARING.most_steps, batch=batch),
        seed=seed,
        device=device(),
        dropout=True,  # and batch norms learn
    )
    return _Run(
        network, tuning, Levelling(len(rows), batch, _loss_of(head, len(rows), loss)), head, feed, everything, learn
    )


def _asked(contest: Contest, run: _Run, *, seconds: float) -> Outcome:
    """What the trained network says of the test part. Thresholds and widths are those that suit the training part."""
    run.tuning.take_average()
    _settle(run.network, run.everything.take(run.learn[: COMPARING.settled_on]))
    head = run.network.head(run.head, features_key="", temperature=1.0)
    some = run.learn[:: math.ceil(len(run.learn) / COMPARING.calibrated_on)]
    said = outputs_of(run.network, run.everything.take(some), device=device())
    y, weights = contest.dataset.y[run.rows[some]], contest.dataset.weights_of(run.rows[some])
    test = np.searchsorted(run.rows, contest.test)
    return Outcome(
        head=contest.family.calibrated(head, said, y, weights),
        outputs=outputs_of(run.network, run.everything.take(test), device=device()),
        seconds=seconds,
        epochs=run.tuning.done / run.loss.epoch,
        loss=run.loss.rounds[-1] if run.loss.rounds else None,
        levelled_off=run.loss.levelled,
    )


def _settle(network: nn.Module, feed: Feed) -> None:
    """Measure batch norms by the final weights: what they kept on the way is of weights that are gone.

    Source: Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018.
    """

    def inputs() -> Iterator[torch.Tensor]:
        for parts in in_order(feed, _batch(len(feed), 2 * COMPARING.batch), device=device()):
            for _, (first, *_) in parts:
                yield first

    torch.optim.swa_utils.update_bn(inputs(), network, torch.device(device()))
    network.eval()


def _constant(contest: Contest, like: Head, rows: np.ndarray, width: int) -> Head:
    """A head that gives the answer to all that suits these rows best."""
    always = contest.family.constant(contest.dataset.y[rows], len(like.bias)).astype(np.float32)
    return replace(like, weight=np.zeros((len(always), width), np.float32), bias=always, temperature=1.0)


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


def _mirrors_too(contest: Contest) -> bool:
    """Whether the pre-trained model says that mirror images keep their class; asked on the half of the training part
    that its probe has not learned from."""
    dataset: Dataset = contest.dataset
    if contest.dataset.task.probabilities is None or dataset.y.ndim > 1 or not dataset.modality.look_alikes:
        return False
    learn, held = contest.train[::2], contest.train[1::2]
    if not len(held):
        return False
    return mirrors_keep_class(
        [dataset.inputs[row] for row in held.tolist()],
        dataset.checked_digests[held],
        dataset.y[held],
        features=of_rows(contest.features, held).matrix,
        backbone=contest.backbone,
        head=contest.probe(learn, 0),
    )


def _seconds_a_step(contest: Contest, rows: np.ndarray, detail: float) -> float:
    """Of training from scratch, by a few steps that are thrown away."""
    warm, timed = COMPARING.timed
    run, now = _begun(contest, rows, 0, detail), contest.budget.now
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
