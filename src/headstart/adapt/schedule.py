"""How many steps there is time for, from what one step takes on this machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from headstart.adapt.policy import TUNING


@dataclass(frozen=True)
class Pace:
    """Steps of each kind of run."""

    trial: int  # 0: there is no time for a search
    main: int


def pace(n: int, *, batch: int, seconds_a_step: float, left: float, again: float, judging: float = 0.0) -> Pace | None:
    """For n examples to learn from and `left` seconds; None where there is no time to learn anything.

    Args:
        again: steps of a last run on all examples, over those of the main run.
        judging: seconds that it takes to ask a model about the validation part, once a run.
    """
    full, epoch = full_run(n, batch), math.ceil(n / batch)
    main = min(full, _affordable(seconds_a_step, left, again, judging, trials=TUNING.trials))
    if main >= min(full, max(TUNING.searched_from, TUNING.safe_epochs * epoch)):
        trial = min(TUNING.longest_trial, round(TUNING.trial_share * main))
        return Pace(min(main, max(TUNING.shortest_trial, trial)), main)
    main = min(full, _affordable(seconds_a_step, left, again, judging))
    return Pace(0, main) if main >= min(full, TUNING.shortest_run) else None


def shortest_seconds(n: int, *, batch: int, seconds_a_step: float, again: float, judging: float) -> float:
    """From which on there is a pace. Arguments as there."""
    steps = min(full_run(n, batch), TUNING.shortest_run)
    return (1 + again) * (steps + 1) * TUNING.margin * seconds_a_step + (1 + (again > 0)) * judging


def full_run(n: int, batch: int) -> int:
    """Steps of a run that nothing cuts short."""
    return min(TUNING.most_epochs, max(TUNING.fewest_epochs, round(TUNING.examples_seen / n))) * math.ceil(n / batch)


def main_steps(full: int, *, seconds_a_step: float, left: float, again: float, judging: float = 0.0) -> int:
    """Steps of the main run, once the search is done."""
    return max(1, min(full, _affordable(seconds_a_step, left, again, judging)))


def _affordable(seconds_a_step: float, left: float, again: float, judging: float, *, trials: int = 0) -> int:
    """Steps of a main run that there is time for, with so many trials before it and perhaps a last run behind it."""
    if math.isinf(seconds_a_step):  # the time was over before a step could be timed
        return 0
    training = left - (1 + (again > 0) + trials) * judging
    steps = training / (TUNING.margin * max(1e-6, seconds_a_step))
    # Trials are a share of the main run or, where that is less, as long as one may be.
    as_shares = steps / (1 + again + trials * TUNING.trial_share)
    return int(max(as_shares, (steps - trials * TUNING.longest_trial) / (1 + again)))


@dataclass
class Recount:
    """How many steps of a run there is time for after all, asked on its way.

    A later start goes by what was said, and asks nothing itself: its time is another one.
    """

    in_time: Callable[[int, float], int] | None  # steps that are done, seconds a step -> in all; None: nobody asks
    once: Callable[[str, Callable[[], int]], int]  # writes an answer down
    resumed: bool
    asked: int = 0

    def steps(self, done: int, steps: int, seconds: float) -> int:
        """Of the run as a whole, when so many are done and one takes so many seconds; infinite: nobody knows."""
        while self.in_time is not None and self.asked < len(TUNING.recounted_at):
            due = round(TUNING.recounted_at[self.asked] * steps)
            if done < due:
                break
            as_before = self.resumed or math.isinf(seconds)
            steps = self.once(
                f"steps-{self.asked}", partial(int, steps) if as_before else partial(self.in_time, due, seconds)
            )
            self.asked += 1
        return steps


def rate_for(steps: int, rate: float) -> float:
    """What a rate that trials found becomes in a run of so many steps: longer ones than a trial ever is want less.

    Below that, trials favour low rates themselves.

    Source: Bjorck et al., Scaling Optimal LR Across Token Horizons, ICLR 2025 (the best rate falls by the power 0.32).
    """
    return rate * min(1.0, TUNING.longest_trial / steps) ** TUNING.rate_power


def judging_seconds(n: int, *, batch: int, seconds_a_step: float) -> float:
    """What asking a model about n examples takes."""
    return TUNING.forward_share * seconds_a_step * n / batch


def learns_from_all(n_learn: int, n_judge: int) -> bool:
    """Whether so many examples were held out that the model should learn from them too, once it is chosen."""
    return n_judge > TUNING.small_validation * (n_learn + n_judge)
