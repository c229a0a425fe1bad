"""What training has to know of a task: what a run starts from, what is wrong with an output, how good the end is.

One object a fit. The loop, the search, the clock and the checkpoint know no task besides it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from headstart.adapt.loop import Loss
from headstart.adapt.trainable_parts import TrainablePart, TrainableParts
from headstart.evaluate.paired_test import HeldOut


class Objective(Protocol):
    """Over n examples; `rows` are numbers of them. A `start` is the task's own affair: a probe, or nothing."""

    @property
    def bodies(self) -> TrainableParts:
        """The backbone over the examples."""
        ...

    def start(self, learn: np.ndarray) -> Any:
        """What a run that learns from these rows starts from, made without looking at any other."""
        ...

    def doubt(self, start: Any, rows: np.ndarray) -> np.ndarray | None:
        """(n,) how unsure the start is of each of these rows, whatever is right; None: it cannot tell."""
        ...

    def network(self, body: TrainablePart, start: Any) -> tuple[nn.Module, list[nn.Parameter]]:
        """The body with a head on it, and the head's parameters, which are trained too."""
        ...

    def loss(self, learn: np.ndarray, device: str) -> Loss:
        """Of these rows, numbered anew."""
        ...

    def kept(self, outputs: torch.Tensor, rows: np.ndarray) -> np.ndarray:
        """(n, k) float32: what is kept of the network's outputs for these rows, until they are judged."""
        ...

    def judged(self, kept: np.ndarray, rows: np.ndarray) -> HeldOut:
        """How the network fared, from all that was kept for these rows."""
        ...

    def untuned(self, start: Any, rows: np.ndarray) -> np.ndarray:
        """(n, k) float32: what would be kept of the start itself for these rows."""
        ...
