"""What one fit is at work with besides the data: a budget, progress, a place to save to, and whoever tracks it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from headstart.clock import Budget, Now
from headstart.progress import Advance, Progress, Silent
from headstart.storage.place import Place, reserve_place
from headstart.tracking.track import TrackedRun, open_tracker
from headstart.values import Request


@dataclass
class Session:
    """One fit's budget, progress, place and tracker, with the seconds that each step took."""

    budget: Budget
    progress: Progress = field(default_factory=Silent)
    place: Place | None = None  # None: nothing is saved
    tracker: TrackedRun = field(default_factory=TrackedRun)
    download: Progress | None = None  # None: a download shows on a terminal all the same
    seconds: dict[str, float] = field(default_factory=dict)  # by step
    begun: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.begun = self.now()

    @property
    def now(self) -> Now:
        return self.budget.now

    @contextmanager
    def step(self, name: str, total: int | None = None, *, shown: bool = True) -> Iterator[Advance]:
        """Time a step, and show it; gives what is to be told how many more of its examples are done.

        Args:
            shown: false where what goes on within it is shown by itself.
        """
        begun = self.now()
        try:
            if shown:
                with self.progress.step(name, total) as advance:
                    yield advance
            else:
                yield lambda _: None
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self.now() - begun

    def say(self, lines: Iterable[str]) -> None:
        """Tell the user, line by line, without waiting for the end."""
        for line in lines:
            self.progress.note(line)

    def took(self) -> dict[str, float]:
        """Seconds by step, and of the whole so far under "total"."""
        total = self.now() - self.begun
        return {name: round(value, 3) for name, value in {**self.seconds, "total": total}.items()}


@contextmanager
def open_session(
    request: Request,
    *,
    seconds: float,
    track: str | None = None,
    progress: Progress | None = None,
    now: Now = time.perf_counter,
) -> Iterator[Session]:
    """A session whose place is kept until it ends, and whose tracker was reached; both before any work is done.

    Args:
        seconds: of the budget. track: as for `fit`.
        now: the clock that it goes by.

    Raises:
        UserError: something is at the place that may not be replaced, or the tracker cannot be reached.
    """
    shown = progress or Silent()
    with reserve_place(request.out, force=request.force) as place:
        name = "headstart" if request.out is None else request.out.name
        tracker = open_tracker(track, name=name, out=request.out, progress=shown)
        try:
            yield Session(Budget(seconds, now), shown, place, tracker, progress)
        except BaseException as error:
            tracker.failed(error)
            raise
