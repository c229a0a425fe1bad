"""Tasks with a linear head as training sees them: from the probe on, by the loss of the head's family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from headstart.adapt.basis import Basis
from headstart.adapt.family import Family
from headstart.adapt.linear_network import Classified
from headstart.adapt.loop import Loss
from headstart.adapt.trainable_parts import TrainablePart, TrainableParts
from headstart.backbone import Head
from headstart.evaluate.criterion import BY_LOSS, Criterion
from headstart.evaluate.paired_test import HeldOut


@dataclass(frozen=True)
class Start:
    """What a run starts from: the rows that it learns from, and a head that was fitted on these alone."""

    learn: np.ndarray
    head: Head


@dataclass(frozen=True)
class LinearObjective:
    """Examples with targets on a backbone whose probe is known. A start is a Start."""

    bodies: TrainableParts
    y: np.ndarray  # (n, ...) targets as the task encodes them
    family: Family
    basis: Basis  # that the probe's features were scaled by
    probe: Callable[[np.ndarray], Head]  # fitted on these rows alone
    logits: Callable[[Head, np.ndarray], np.ndarray]  # a probe's, for these rows: (n, c)
    head: Head  # the probe of all examples
    before: Callable[[np.ndarray], Head]  # what a tuned model is held against, fitted on these rows alone
    guess: Callable[[np.ndarray], np.ndarray | None] | None = None  # doubt, where not all rows have a probe's logits
    by: Criterion = BY_LOSS  # what is chosen by, with the weights of all examples

    def start(self, learn: np.ndarray) -> Start:
        return Start(learn, self.probe(learn))

    def doubt(self, start: Start, rows: np.ndarray) -> np.ndarray | None:
        """How unsure the probe is."""
        if self.guess is not None:
            return self.guess(rows)
        return self.family.uncertainty(self.logits(self.before(start.learn), rows))

    def network(self, body: TrainablePart, start: Start) -> tuple[Classified, list[nn.Parameter]]:
        network = Classified(body.module, start.head, self.basis)
        return network, [network.weight, network.bias]

    def loss(self, learn: np.ndarray, device: str) -> Loss:
        loss = self.family.loss(self.y[learn], self.head, device)
        weights = self.by.of(learn).weights
        if weights is None:
            return loss
        weights = weights / weights.mean()  # the rate suits a loss of the usual size
        return _weighted(loss, torch.from_numpy(weights.astype(np.float32)))

    def kept(self, outputs: torch.Tensor, rows: np.ndarray) -> np.ndarray:
        """The logits themselves."""
        return np.asarray(outputs.numpy())

    def judged(self, kept: np.ndarray, rows: np.ndarray) -> HeldOut:
        return self.family.judged(kept, self.y[rows], self.by.of(rows))

    def untuned(self, start: Start, rows: np.ndarray) -> np.ndarray:
        return self.logits(self.before(start.learn), rows)


def _weighted(loss: Loss, weights: torch.Tensor) -> Loss:
    """The loss of each example times its weight."""

    def weighted(outputs: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        return loss(outputs, rows, smoothing) * weights[rows].to(outputs.device)

    return weighted
