"""How fast a backbone encodes here, heard while it does; and an end to it when time is up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from headstart.clock import Budget, Now

_ENOUGH_TO_TIME = 32  # newly encoded examples, after the first batches


@dataclass(frozen=True)
class Speed:
    """Of an encoding that did something."""

    start_up: float  # seconds until the first batch was done: loading, converting, compiling
    a_cost: float  # seconds after that, by example and cost


class OutOfTimeError(Exception):
    """Ends an encoding from within; what it has done is kept."""


@dataclass
class Rate:
    """Hears of each batch that is done, passes it on, and ends the encoding when its time is up."""

    total: int
    budget: Budget | None  # None: as long as it takes
    advance: Callable[[int], None]
    now: Now = time.perf_counter
    begun: float = field(default=math.nan)
    done: int = 0
    batches: list[tuple[float, int]] = field(default_factory=list)  # when, how many

    def __post_init__(self) -> None:
        self.begun = self.now() if math.isnan(self.begun) else self.begun

    def __call__(self, count: int) -> None:
        self.done += count
        self.batches.append((self.now(), count))
        self.advance(count)
        if self.budget is not None and self.budget.left < 0 and self.done < self.total:
            raise OutOfTimeError

    def speed(self, cost: float) -> Speed | None:
        """The first call told what was known, the second waited for the engine."""
        if len(self.batches) < 2:
            return None
        running = self.batches[-1][0] - self.batches[1][0]
        count = sum(count for _, count in self.batches[2:])
        return Speed(self.batches[1][0] - self.begun, running / (max(1, count) * cost))

    def per_second(self) -> float | None:
        """Examples a second once it runs."""
        count = sum(count for _, count in self.batches[2:])
        if count < _ENOUGH_TO_TIME:
            return None
        return count / max(1e-9, self.batches[-1][0] - self.batches[1][0])
