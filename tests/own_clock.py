"""A clock that looks at it drive, so that what a fit does in its budget is the same on every machine, busy or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

TICK = 2.0**-10  # seconds: sums and differences of it are exact, so no step is longer than another


@dataclass
class Looks:
    """Some seconds pass at each look, and none between two of them."""

    tick: float = TICK
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@contextmanager
def by_looks(tick: float = TICK) -> Iterator[None]:
    """What is fitted or ranked meanwhile, by functions, estimators or commands, goes by such a clock."""
    from headstart.clock import Budget
    from headstart.session import open_session

    now = Looks(tick)
    with ExitStack() as stack:
        stack.enter_context(patch("headstart.api.open_session", partial(open_session, now=now)))
        for module in ("api", "estimators.estimator", "estimators.answering"):
            stack.enter_context(patch(f"headstart.{module}.Budget", partial(Budget, now=now)))
        yield
