"""How long something may take, by a clock that a test may bring."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from headstart.errors import UserError

DEFAULT_SECONDS = 120.0
_UNITS = {"s": 1, "m": 60, "h": 3600}

Now = Callable[[], float]  # seconds since some moment


@dataclass(frozen=True)
class Budget:
    """Wall seconds, counted from when it was made."""

    seconds: float
    now: Now = time.perf_counter
    begun: float = field(default=math.nan)

    def __post_init__(self) -> None:
        if math.isnan(self.begun):
            object.__setattr__(self, "begun", self.now())

    @property
    def left(self) -> float:
        return self.seconds - (self.now() - self.begun)

    def share(self, part: float) -> Budget:
        """A budget that begins now, with this part of the whole, or what is left of it."""
        return Budget(max(0.0, min(part * self.seconds, self.left)), self.now)


UNLIMITED = Budget(math.inf)


def as_budget(seconds: float) -> str:
    """So many seconds or a little more, as --budget takes them: "50s", "7m", "3h"."""
    if seconds <= 90:
        return f"{10 * math.ceil(seconds / 10)}s"
    return f"{math.ceil(seconds / 60)}m" if seconds <= 3 * 3600 else f"{math.ceil(seconds / 3600)}h"


def seconds_of(budget: float | str | None) -> float:
    """Seconds of "90s", "2m", "1h", "90" or a number; None: two minutes.

    Raises:
        UserError: anything else, or not above 0.
    """
    if budget is None:
        return DEFAULT_SECONDS
    text = str(budget).strip().lower()
    unit = text[-1:] if text[-1:] in _UNITS else ""
    try:
        seconds = float(text.removesuffix(unit)) * _UNITS.get(unit, 1)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UserError(f"not a time: {budget!r}", where="--budget", fix="for example 90s, 2m or 1h; more than 0")
    return seconds
