"""Classification as training sees it: from the probe's head, by cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from headstart.adapt.basis import Basis
from headstart.adapt.linear_network import Classified
from headstart.adapt.loop import Loss
from headstart.adapt.trainable_parts import Bodies, Body
from headstart.evaluate.metrics import softmax
from headstart.evaluate.paired_test import Judged, judged
from headstart.values import Head


@dataclass(frozen=True)
class Classifying:
    """Examples with one class each, on a backbone whose probe is known. A start is a Head."""

    bodies: Bodies
    y: np.ndarray  # (n,) class indices
    basis: Basis  # that the probe's features were scaled by
    probe: Callable[[np.ndarray], Head]  # fitted on these rows alone
    logits: Callable[[Head, np.ndarray], np.ndarray]  # a probe's, for these rows: (n, c)
    class_weights: np.ndarray | None = None  # (c,)
    guess: Callable[[np.ndarray], np.ndarray | None] | None = None  # doubt, where not all rows have a probe's logits

    def start(self, learn: np.ndarray) -> Head:
        return self.probe(learn)

    def doubt(self, start: Head, rows: np.ndarray) -> np.ndarray | None:
        """How little probability the probe gives to its own answer."""
        if self.guess is not None:
            return self.guess(rows)
        return np.asarray(-softmax(self.logits(start, rows)).max(axis=1))

    def network(self, body: Body, start: Head) -> tuple[Classified, list[nn.Parameter]]:
        network = Classified(body.module, start, self.basis)
        return network, [network.weight, network.bias]

    def loss(self, learn: np.ndarray, device: str) -> Loss:
        y = torch.from_numpy(self.y[learn])
        weights = None if self.class_weights is None else torch.from_numpy(self.class_weights).to(device)

        def loss(logits: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
            wanted = y[rows].to(logits.device)
            return nn.functional.cross_entropy(logits, wanted, weights, reduction="none", label_smoothing=smoothing)

        return loss

    def kept(self, outputs: torch.Tensor, rows: np.ndarray) -> np.ndarray:
        """The logits themselves."""
        return np.asarray(outputs.numpy())

    def judged(self, kept: np.ndarray, rows: np.ndarray) -> Judged:
        """At the temperature that suits them best."""
        return judged(kept, self.y[rows])

    def untuned(self, start: Head, rows: np.ndarray) -> np.ndarray:
        return self.logits(start, rows)
