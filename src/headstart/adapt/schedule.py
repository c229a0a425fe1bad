"""How many steps there is time for, from what one step takes on this machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

_EXAMPLES = 30_000  # that a full run sees, about; between the fewest and the most epochs
_FEWEST_EPOCHS, _MOST_EPOCHS = 3, 15
TRIALS = 4  # that a search does, about
_TRIAL = 1 / 3  # steps of a trial, over those of the main run: shorter ones favour rates that are too low
_LEAST_TRIAL = 60  # steps of one, unless a full run is shorter
_MOST_TRIAL = 500  # steps that say as much as more of them (docs/tuning.md): a long run need not pay for long trials
_LEAST_SEARCHED = 150  # steps of a main run from which searching for its recipe is worth the time
GLANCE = 2  # times that an example is seen, below which it is not learned by heart, and seeing it again is worth more
_LEAST = 30  # steps of a main run: with fewer nothing is learned
# What a step takes later, over what it took when it was measured. Little is lost where it takes longer than that: the
# rate falls to zero, so the last twentieth of a run moves next to nothing.
_MARGIN = 1.02
_FORWARD = 1 / 3  # of what training on an example takes, asking about it does
_ASKED_AFTER = (0.2, 0.5, 0.8)  # of a run's steps, as far as is known then, it is counted again how many there can be
_LONGER = 0.32  # power of a run's length by which its best rate falls
_SMALL_VALIDATION = 0.12  # share of the training part from which a last run learns from all of it


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
    main = min(full, _affordable(seconds_a_step, left, again, judging, trials=TRIALS))
    if main >= min(full, max(_LEAST_SEARCHED, GLANCE * epoch)):
        return Pace(min(main, max(_LEAST_TRIAL, min(_MOST_TRIAL, round(_TRIAL * main)))), main)
    main = min(full, _affordable(seconds_a_step, left, again, judging))
    return Pace(0, main) if main >= min(full, _LEAST) else None


def full_run(n: int, batch: int) -> int:
    """Steps of a run that nothing cuts short."""
    return min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, round(_EXAMPLES / n))) * math.ceil(n / batch)


def main_steps(full: int, *, seconds_a_step: float, left: float, again: float, judging: float = 0.0) -> int:
    """Steps of the main run, once the search is done."""
    return max(1, min(full, _affordable(seconds_a_step, left, again, judging)))


def _affordable(seconds_a_step: float, left: float, again: float, judging: float, *, trials: int = 0) -> int:
    """Steps of a main run that there is time for, with so many trials before it and perhaps a last run behind it."""
    if math.isinf(seconds_a_step):  # the time was over before a step could be timed
        return 0
    training = left - (1 + (again > 0) + trials) * judging
    steps = training / (_MARGIN * max(1e-6, seconds_a_step))
    # Trials are a share of the main run or, where that is less, as long as one may be.
    return int(max(steps / (1 + again + trials * _TRIAL), (steps - trials * _MOST_TRIAL) / (1 + again)))


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
        while self.in_time is not None and self.asked < len(_ASKED_AFTER):
            due = round(_ASKED_AFTER[self.asked] * steps)
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
    return rate * min(1.0, _MOST_TRIAL / steps) ** _LONGER


def judging_seconds(n: int, *, batch: int, seconds_a_step: float) -> float:
    """What asking a model about n examples takes."""
    return _FORWARD * seconds_a_step * n / batch


def learns_from_all(n_learn: int, n_judge: int) -> bool:
    """Whether so many examples were held out that the model should learn from them too, once it is chosen."""
    return n_judge > _SMALL_VALIDATION * (n_learn + n_judge)
