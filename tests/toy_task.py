"""A task that trains in milliseconds and keeps time by its own clock: for what is decided, not for what is learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from headstart.adapt.loop import Loss
from headstart.adapt.trainable_parts import GoOn, TrainablePart
from headstart.evaluate.paired_test import HeldOut, judged

_WIDE, _HIDDEN = 40, 64


@dataclass
class Clock:
    """Seconds pass when a network is trained or asked, and only then."""

    a_step: float = 0.05
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Ticking(nn.Module):
    """A layer that takes its time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.layer = clock, nn.Linear(_WIDE, _HIDDEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            self.clock.now += self.clock.a_step * max(1.0, len(x) / 32)
        elif torch.is_inference_mode_enabled():
            self.clock.now += self.clock.a_step / 3 * len(x) / 32
        return self.layer(x).tanh()


@dataclass(frozen=True)
class Rows:
    x: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: np.ndarray) -> Rows:
        return Rows(self.x[rows])

    def batches(self, size: int, *, epoch: int, seed: int) -> list[np.ndarray]:
        order = np.random.default_rng([seed, epoch]).permutation(len(self))
        return [order[at : at + size] for at in range(0, len(order), size)]

    def parts(self, batch: np.ndarray, *, epoch: int) -> Iterator[tuple[np.ndarray, tuple[torch.Tensor, ...]]]:
        yield batch, (torch.from_numpy(self.x[batch]),)


@dataclass
class Toy:
    """Two classes that a line through random features finds badly, and a trained layer well. A start is a head."""

    n: int
    clock: Clock = field(default_factory=Clock)
    breaks: float = float("inf")  # outputs are no numbers once weights moved by so much
    depths: int = 1
    preparing: dict[tuple[int, bool], float] = field(default_factory=dict)  # seconds, by depth and for other views

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(self.n, _WIDE)).astype(np.float32)
        bent = self.x @ rng.normal(size=_WIDE) + 4 * np.sin(3 * self.x[:, 0])
        self.y = (bent + 2 * rng.normal(size=self.n) > 0).astype(np.int64)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.body = Ticking(self.clock)
        self.first = {name: tensor.clone() for name, tensor in self.body.state_dict().items()}

    @property
    def bodies(self) -> Toy:
        return self

    def at(self, depth: int) -> TrainablePart:
        self.body.load_state_dict(self.first)
        return TrainablePart(self.body, [list(self.body.parameters())], Rows(self.x), None, stored=False)

    def prepare(self, depth: int, *, varied: bool, go_on: GoOn) -> bool:
        if not go_on(self.preparing.get((depth, varied), 0.0)):
            return False
        self.clock.now += self.preparing.pop((depth, varied), 0.0)
        return True

    def note(self, depth: int) -> str:
        return ""

    def start(self, learn: np.ndarray) -> nn.Linear:
        head, features = nn.Linear(_HIDDEN, 2), self._features(learn)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        optimiser = torch.optim.LBFGS(head.parameters(), max_iter=40)

        def closure() -> torch.Tensor:
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(head(features), torch.from_numpy(self.y[learn]))
            loss = loss + 1e-3 * head.weight.square().sum()
            loss.backward()
            return loss

        optimiser.step(closure)
        return head

    def doubt(self, start: nn.Linear, rows: np.ndarray) -> None:
        return None

    def network(self, body: TrainablePart, start: nn.Linear) -> tuple[nn.Module, list[nn.Parameter]]:
        head = nn.Linear(_HIDDEN, 2)
        head.load_state_dict(start.state_dict())
        return nn.Sequential(body.module, head), list(head.parameters())

    def loss(self, learn: np.ndarray, device: str) -> Loss:
        y = torch.from_numpy(self.y[learn])

        def loss(outputs: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
            each = nn.functional.cross_entropy(outputs, y[rows], reduction="none", label_smoothing=smoothing)
            moved = (self.body.layer.weight.detach() - self.first["layer.weight"]).abs().max()
            return each * float("nan") if moved > self.breaks else each

        return loss

    def kept(self, outputs: torch.Tensor, rows: np.ndarray) -> np.ndarray:
        return outputs.numpy()

    def judged(self, kept: np.ndarray, rows: np.ndarray) -> HeldOut:
        return judged(kept, self.y[rows])

    def untuned(self, start: nn.Linear, rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return start(self._features(rows)).numpy()

    def asked(self, network: nn.Module) -> np.ndarray:
        """(n, 2) logits of a network for all examples."""
        with torch.inference_mode():
            return network(torch.from_numpy(self.x)).numpy()

    def _features(self, rows: np.ndarray) -> torch.Tensor:
        self.body.load_state_dict(self.first)
        with torch.no_grad():
            return self.body(torch.from_numpy(self.x[rows]))
