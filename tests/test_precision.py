"""Which precision training takes is measured, and what happens beside it for a moment decides nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.loop import Recipe
from headstart.adapt.trial import Runs, StopSignal
from toy_task import Toy


class Uneven:
    """A clock of a machine with its own speed in each precision, and something else at work during some steps."""

    def __init__(self, bf16: float, float32: float, busy: range) -> None:
        self.bf16, self.float32, self.busy, self.steps, self.now = bf16, float32, busy, 0, 0.0

    def __call__(self) -> float:
        return self.now

    @property
    def a_step(self) -> float:
        self.steps += 1
        seconds = self.bf16 if torch.is_autocast_enabled("cpu") else self.float32
        return seconds * (10 if self.steps in self.busy else 1)


@pytest.mark.parametrize("busy", [range(0), range(8), range(21), range(6, 40), range(12, 40)], ids=str)
@pytest.mark.parametrize("bf16", [0.05, 0.073, 0.09, 0.3])
def test_the_faster_precision_is_taken_whatever_else_was_at_work(tmp_path, bf16, busy):
    """Or a fit that is killed before its plan is written down ends in another model than one that is not."""
    toy, learn = Toy(400, Uneven(bf16, 0.08, busy)), np.arange(400)
    runs = Runs(toy, Checkpoint(tmp_path), StopSignal(left=lambda: 1e9), may_bf16=True, clock=toy.clock)
    recipe, _ = runs.timed(Recipe(1, 1e-3, 100), toy.start(learn), learn)
    assert recipe.bf16 == (bf16 < 0.08)
