"""A run of unknown length: at the full rate until the loss has levelled off, then down to nothing.

Nobody knows beforehand how many steps training from scratch needs, and a rate that falls to a planned end makes every
loss look level there. So the loss is judged where the rate does not fall.

Source: the schedule is that of Hu et al., MiniCPM, 2024 (warm-up, stable, decay), and Haegele et al., Scaling Laws and
Compute-Optimal Training Beyond Fixed Training Durations, NeurIPS 2024 (a fifth of the steps for the fall are enough).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from headstart.comparison.policy import COMPARING, ComparingPolicy


@dataclass
class Levelling:
    """Follows the loss of a run, and says at what share of its rate the next step is done."""

    n: int  # examples that are learned from
    batch: int
    constant: float  # the loss of the one answer to all that suits best
    policy: ComparingPolicy = COMPARING
    rounds: list[float] = field(default_factory=list)  # mean losses, each of whole epochs
    ends: int | None = None  # the last step, once the rate falls; None: it does not yet
    _begun: int = 0  # steps that were done when it began to fall
    _losses: list[float] = field(default_factory=list)  # of the round so far

    @property
    def epoch(self) -> int:
        """Steps of one."""
        return math.ceil(self.n / self.batch)

    def rate(self, done: int) -> float:
        """Share of the highest rate, when so many steps are done."""
        share = min(1.0, (done + 1) / self.policy.warm_up)
        if self.ends is None:
            return share
        return share * max(0.0, 1 - (done - self._begun) / max(1, self.ends - self._begun))

    def add(self, loss: float) -> None:
        """After a step at the full rate."""
        self._losses.append(loss)
        if len(self._losses) >= self._round:
            self.rounds.append(sum(self._losses) / len(self._losses))
            self._losses = []

    def fall(self, done: int) -> int:
        """Let the rate fall from here on; the last step."""
        self._begun, self.ends = done, done + self.falling(done)
        return self.ends

    def falling(self, done: int) -> int:
        """Steps over which the rate falls, when so many are done."""
        return max(1, round(self.policy.cool_down * done))

    @property
    def levelled(self) -> bool:
        """Whether the loss has ceased to fall: there is nothing left to learn, or it fell by next to nothing while the
        run became a third longer. One that never fell clearly below that of a constant answer has not begun to."""
        if not self.rounds or len(self.rounds) * self._round < self.policy.fewest_steps:
            return False
        if self.rounds[-1] <= self.policy.by_heart * self.constant:
            return True
        last = max(self.policy.patience, math.ceil(self.policy.patience_share * len(self.rounds)))
        before, since = self.rounds[:-last], self.rounds[-last:]
        if not before or min(before) > self.policy.learned * self.constant:
            return False
        return min(since) > (1 - self.policy.flat) * min(before)

    @property
    def _round(self) -> int:
        """Steps of one."""
        return self.epoch * math.ceil(self.policy.round_steps / self.epoch)
