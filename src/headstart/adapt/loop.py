"""The one training loop: a generator of steps whose whole state can be kept and taken up again.

All that is random in a step is a function of the seed and the step's number, so a state is the weights, their average,
the optimiser's moments and a number. The loop knows nothing of tasks: what goes in comes from a feed, what is wanted
from a loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from headstart.adapt.batches import Feed, Part, ahead, in_order
from headstart.adapt.devices import moved
from headstart.adapt.dropout import dropping
from headstart.adapt.epoch_order import Blocks
from headstart.adapt.policy import TUNING
from headstart.adapt.ranks import ALONE, Ranks

_ASKED = 64  # examples at once where nothing is trained


@dataclass(frozen=True)
class Recipe:
    """How a run is done."""

    depth: int  # groups of parameters that are trained, from the top
    rate: float  # highest learning rate of the top group
    steps: int
    batch: int = 32
    bf16: bool = False  # matrix products in bfloat16, where that is faster
    dropout: bool = True  # where the module has any
    varied: bool = False  # another view of each example in each epoch
    smoothing: float = 0.0  # label smoothing
    mixup: float = 0.0  # alpha of the mixing share's Beta distribution; 0: not mixed
    averaged: float = 0.05  # share of the steps, up to any one, that the weights are averaged over
    compiled: bool = False  # by torch.compile, for a GPU


@dataclass(frozen=True)
class Step:
    number: int  # from 1
    loss: float
    rate: float
    examples: int


Loss = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]  # outputs, example numbers, smoothing -> (n,)


@dataclass
class Tuning:
    """A run. `for step in tuning` trains until its steps are done."""

    network: nn.Module  # inputs of the feed -> outputs
    groups: Sequence[Sequence[nn.Parameter]]  # trained, from the input up; the head last
    feed: Feed
    loss: Loss
    recipe: Recipe  # its steps may become more or fewer on the way
    seed: int = 0
    device: str = "cpu"
    dropout: bool = False
    done: int = 0  # steps
    _parameters: list[nn.Parameter] = field(init=False)
    _average: list[torch.Tensor] = field(init=False)
    _optimizer: torch.optim.AdamW = field(init=False)
    _forward: Callable[..., torch.Tensor] = field(init=False)
    _ranks: Ranks = field(init=False, default=ALONE)

    def __post_init__(self) -> None:
        self.network.to(self.device)
        self._parameters = [parameter for group in self.groups for parameter in group]
        frozen = set(map(id, self.network.parameters())) - set(map(id, self._parameters))
        for parameter in self.network.parameters():
            parameter.requires_grad_(id(parameter) not in frozen)
        self._average = [parameter.detach().clone() for parameter in self._parameters]
        self._optimizer = torch.optim.AdamW(rates(self.groups, self.recipe.rate), fused=True)
        self._forward = self._compiled(self.network)

    def share(self, ranks: Ranks) -> None:
        """Do each step together with other processes, which have the same run in the same state."""
        self._ranks = ranks
        self._forward = self._compiled(ranks.network or self.network)

    def _compiled(self, network: nn.Module) -> Callable[..., torch.Tensor]:
        return torch.compile(network) if self.recipe.compiled else network

    def __iter__(self) -> Iterator[Step]:
        return self.at_rates(lambda done: schedule(done, self.recipe.steps))

    def rising(self, lowest: float, highest: float) -> Iterator[Step]:
        """Instead of training: steps at a rate that rises by the same factor each time."""
        ratio, last = highest / lowest, max(1, self.recipe.steps - 1)
        return self.at_rates(lambda done: lowest * ratio ** (done / last) / self.recipe.rate)

    def at_rates(self, factor: Callable[[int], float]) -> Iterator[Step]:
        """Train by another schedule than the usual one.

        Args:
            factor: steps that are done -> the share of the highest rate in the next one.
        """
        while self.done < self.recipe.steps:
            epoch, first = self._place()
            batches = self.feed.batches(self.recipe.batch, epoch=epoch, seed=self.seed)[first:]
            these = batches[: self.recipe.steps - self.done]
            blocks: Blocks | None = getattr(self.feed, "blocks", None)
            mine = [self._ranks.own(batch, None if blocks is None else blocks.of) for batch in these]
            made = ahead(self.feed, mine, epoch=epoch, device=self.device)
            for batch, parts in zip(these, made, strict=True):
                yield self._step(parts, factor(self.done), len(batch))
                if self.done >= self.recipe.steps:  # fewer than they were to be
                    return

    def _place(self) -> tuple[int, int]:
        """The epoch that the next step is in, and how many of its batches are over."""
        each = math.ceil(len(self.feed) / self.recipe.batch)
        return divmod(self.done, each)

    def _step(self, parts: list[Part], factor: float, count: int) -> Step:
        for group in self._optimizer.param_groups:
            group["lr"] = group["highest"] * factor
        self._optimizer.zero_grad(set_to_none=True)
        weight, total = self._ranks.weight(count), 0.0
        for number, (rows, inputs) in enumerate(parts, start=1):
            with self._dropping(int(rows[0])), self._ranks.summing(last=number == len(parts)):
                loss = self._loss(rows, inputs) * weight / count
                loss.backward()
            total += float(loss.detach())
        total = self._ranks.mean(total)
        nn.utils.clip_grad_norm_(self._parameters, TUNING.largest_gradient)
        self._optimizer.step()
        self.done += 1
        if self.done % TUNING.averaged_every == 0 or self.done == self.recipe.steps:
            self._update_average()
        return Step(self.done, total, self.recipe.rate * factor, count)

    @contextmanager
    def _dropping(self, first: int) -> Iterator[None]:
        """With dropout, where it is wanted, of numbers that this part of this step has for itself."""
        if not self.dropout:
            yield
            return
        self.network.train()
        with dropping([self.seed, self.done, first], self.device):
            yield
        self.network.eval()

    def _loss(self, rows: np.ndarray, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Summed over the examples."""
        numbers = torch.from_numpy(rows)
        inputs = moved(inputs, self.device)
        rng = np.random.default_rng([self.seed, self.done, 1])
        if not self.recipe.mixup or len(rows) < 2:
            return self.loss(self._outputs(inputs), numbers, self.recipe.smoothing).sum()
        share = float(rng.beta(self.recipe.mixup, self.recipe.mixup))
        other = torch.from_numpy(rng.permutation(len(rows)))
        outputs = self._outputs(tuple(share * part + (1 - share) * part[other] for part in inputs))
        mine = self.loss(outputs, numbers, self.recipe.smoothing)
        return (share * mine + (1 - share) * self.loss(outputs, numbers[other], self.recipe.smoothing)).sum()

    def _outputs(self, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.recipe.bf16):
            return self._forward(*inputs).float()

    def _update_average(self) -> None:
        """By the steps that are done, so that a run which is cut short is not halfway back at its start.

        Source: polynomial-decay averaging, Shamir and Zhang, Stochastic Gradient Descent for Non-smooth Optimization,
        ICML 2013.
        """
        horizon = max(1.0, self.recipe.averaged * self.done / TUNING.averaged_every)
        torch._foreach_lerp_(self._average, [p.detach() for p in self._parameters], 1 / horizon)

    def take_average(self) -> None:
        """Put the averaged weights in the place of the last ones. The run is over then."""
        with torch.no_grad():
            for parameter, average in zip(self._parameters, self._average, strict=True):
                parameter.copy_(average)

    def state(self) -> dict[str, torch.Tensor]:
        """All that the next step depends on, but for what the run was made with."""
        tensors = {"done": torch.tensor(self.done)}
        for i, (parameter, average) in enumerate(zip(self._parameters, self._average, strict=True)):
            tensors |= {f"{i}.weight": parameter.detach(), f"{i}.average": average}
            tensors |= {f"{i}.{name}": value for name, value in self._optimizer.state.get(parameter, {}).items()}
        return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from a state of the same run."""
        self.done = int(state["done"])
        with torch.no_grad():
            for i, (parameter, average) in enumerate(zip(self._parameters, self._average, strict=True)):
                parameter.copy_(state[f"{i}.weight"])
                average.copy_(state[f"{i}.average"])
                mine = {k.split(".", 1)[1]: v for k, v in state.items() if k.startswith(f"{i}.")}
                moments = {k: v.to(self.device) for k, v in mine.items() if k not in ("weight", "average")}
                if moments:
                    self._optimizer.state[parameter] = {k: _as_laid_out(parameter, v) for k, v in moments.items()}


def _as_laid_out(parameter: torch.Tensor, moment: torch.Tensor) -> torch.Tensor:
    """The moment in the memory format of its parameter, as the optimiser makes it; the count of steps as it is."""
    return torch.empty_like(parameter).copy_(moment) if moment.shape == parameter.shape else moment


Keep = Callable[[torch.Tensor, np.ndarray], np.ndarray]  # outputs of some examples, which ones -> (n, k)


def outputs_of(
    network: nn.Module,
    feed: Feed,
    *,
    keep: Keep = lambda outputs, rows: outputs.numpy(),
    bf16: bool = False,
    device: str = "cpu",
) -> np.ndarray:
    """(n, k) float32: what the network gives for each example, or what `keep` makes of that."""
    made: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=bf16):
        for parts in in_order(feed, _ASKED, device=device):
            for which, inputs in parts:
                outputs = network(*moved(inputs, device)).float().cpu()
                made.append(keep(outputs, which))
                rows.append(which)
    return np.concatenate(made)[np.argsort(np.concatenate(rows))]


def rates(groups: Sequence[Sequence[nn.Parameter]], rate: float) -> list[dict[str, object]]:
    """AdamW's parameter groups: the rate falls from group to group downwards; norms and biases do not decay.

    The head, which starts at its optimum, learns no faster than the top group.

    Source: layer-wise decay, Howard and Ruder, Universal Language Model Fine-tuning, 2018 (there 1 / 2.6); the milder
    factor is that of Clark et al., ELECTRA, 2020.
    """
    made: list[dict[str, object]] = []
    *below, head = groups
    for distance, group in enumerate(reversed(below)):
        highest = rate * TUNING.layer_decay**distance
        matrices, others = [p for p in group if p.ndim > 1], [p for p in group if p.ndim <= 1]
        made.append({"params": matrices, "weight_decay": TUNING.weight_decay, "highest": highest, "lr": highest})
        made.append({"params": others, "weight_decay": 0.0, "highest": highest, "lr": highest})
    made.append({"params": list(head), "weight_decay": 0.0, "highest": rate, "lr": rate})
    return [group for group in made if group["params"]]


def schedule(done: int, steps: int) -> float:
    """Share of the highest rate at a step: up and down in straight lines, which beats half a cosine (docs/tuning.md).

    Source: Bergsma et al., Straight to Zero: Why Linearly Decaying the Learning Rate to Zero Works Best, ICLR 2025.
    """
    warm = max(1, round(TUNING.warm_up * steps))
    return (done + 1) / warm if done < warm else 1 - (done - warm) / max(1, steps - warm)
