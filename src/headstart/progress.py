"""What happens while the user waits: bars on a terminal's stderr, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from headstart.errors import StoppedError, UserError, plain

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

Unit = Literal["examples", "bytes"]
Advance = Callable[[int], None]


_notes: ContextVar[bool] = ContextVar("notes", default=True)  # whether they are said


def note(text: str) -> None:
    """Say something on standard error that ends nothing, and is lost where nobody listens."""
    if not _notes.get():
        return
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"note: {plain(text)}\n")


@contextmanager
def without_notes() -> Iterator[None]:
    """Within the block nothing is noted: whoever asks a service does not read its standard error."""
    token = _notes.set(False)
    try:
        yield
    finally:
        _notes.reset(token)


def told_of(whole: int, *, of: int, advance: Advance) -> Advance:
    """What is told of so many parts that are done, told of the wholes that they make up: as many of these, rounded
    down.

    Args:
        whole: how many there are of what `advance` is told of. of: how many parts.
    """
    done = 0

    def told(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        advance(whole * done // of - whole * before // of)

    return told


class Progress(Protocol):
    """What `fit` tells. A step is a context that gives a function to call with how many more of its units are done.

    Steps come one after the other, never one within another: a terminal has one place for a bar.
    """

    def step(
        self, name: str, total: int | None = None, *, unit: Unit = "examples"
    ) -> AbstractContextManager[Advance]: ...

    def tell(self, text: str) -> None:
        """In the place of the bar of the step in progress, until it ends."""
        ...

    def note(self, text: str) -> None: ...

    @property
    def stopped(self) -> bool:
        """Whether whoever follows it asked for an end; training then keeps what it has reached."""
        ...


@dataclass(frozen=True)
class Update:
    """Where a fit is."""

    step: str  # "read", "check", "encode", "adapt", "tune", ...
    share: float | None  # of the step that is done; None: that cannot be said
    seconds_left: float | None  # until the step ends; None: that cannot be said
    text: str = ""  # what goes on in it


Follower = Callable[[Update], object]  # False, numpy's too, ends the fit; anything else lets it go on


class Silent:
    """Says nothing."""

    @contextmanager
    def step(self, name: str, total: int | None = None, *, unit: Unit = "examples") -> Iterator[Advance]:
        yield lambda _: None

    def tell(self, text: str) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    @property
    def stopped(self) -> bool:
        return False


class Followed:
    """Tells a function where the fit is, and ends it where that says False: what was done is kept."""

    def __init__(self, follower: Follower, *, now: Callable[[], float] = time.perf_counter) -> None:
        self._follower, self._now, self._step, self._stopped = follower, now, "", False

    @contextmanager
    def step(self, name: str, total: int | None = None, *, unit: Unit = "examples") -> Iterator[Advance]:
        begun, done, outer, self._step = self._now(), 0, self._step, name

        def advance(more: int) -> None:
            nonlocal done
            done += more
            share = min(1.0, done / total) if total else None
            left = (self._now() - begun) * (1 - share) / share if share else None
            self._say(Update(name, share, left))
            if self._stopped:
                raise StoppedError(f"stopped while in step {name!r}", fix="the same call goes on from what is kept")

        self._say(Update(name, 0.0 if total else None, None))
        if self._stopped and name != "tune":
            raise StoppedError(f"stopped before step {name!r}", fix="the same call goes on from what is kept")
        yield advance
        self._step = outer

    def tell(self, text: str) -> None:
        self._say(Update(self._step, None, None, text))

    def note(self, text: str) -> None:
        self._say(Update(self._step, None, None, text))

    @property
    def stopped(self) -> bool:
        return self._stopped

    def _say(self, update: Update) -> None:
        said = self._follower(update)
        self._stopped = self._stopped or (type(said).__name__ in ("bool", "bool_") and not said)


def as_progress(given: Progress | Follower | None) -> Progress | None:
    """A function as progress; progress itself as it is.

    Raises:
        UserError: it is neither.
    """
    if callable(given):
        return Followed(given)
    if given is None or hasattr(given, "step"):
        return given
    fix = "a function of an Update: progress=lambda update: print(update.step, update.share)"
    raise UserError(f"{given!r} is no function", where="progress", fix=fix)


class Bars:
    """Rich bars with rate and time left on a terminal; on a pipe or in a log file one line a finished step."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._tell: Callable[[str], None] = lambda _: None

    @contextmanager
    def step(self, name: str, total: int | None = None, *, unit: Unit = "examples") -> Iterator[Advance]:
        if not self._console.is_terminal:
            start = time.perf_counter()
            yield lambda _: None
            sys.stderr.write(f"{name:10} {time.perf_counter() - start:6.1f} s\n")
            return
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        columns = [SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description:10}")]
        shown = [BarColumn(), *(_counted(unit) if total else []), TimeElapsedColumn()]
        columns += [*map(_unless_told, shown), TextColumn("{task.fields[told]}", markup=False)]
        with RichProgress(*columns, console=self._console) as bar:
            task = bar.add_task(name, total=total, rate="", told="")
            start = time.perf_counter()

            def advance(n: int) -> None:
                bar.advance(task, n)
                done = bar.tasks[0].completed
                bar.update(task, rate=f"{done / max(1e-9, time.perf_counter() - start):.0f}/s")

            self._tell = lambda text: bar.update(task, told=text)
            try:
                yield advance
            finally:
                self._tell = lambda _: None
            bar.update(task, total=total or 1, completed=total or 1, told="")

    def tell(self, text: str) -> None:
        self._tell(plain(text))

    @property
    def stopped(self) -> bool:
        return False  # Ctrl-C is how a command is stopped

    def note(self, text: str) -> None:
        whole = not self._console.is_terminal  # a line of a log file is one line
        self._console.print(plain(text), highlight=False, markup=False, soft_wrap=whole)


def _unless_told(column: ProgressColumn) -> ProgressColumn:
    """The column, out of the way while something is told: 80 characters do not hold both."""
    from rich.console import RenderableType
    from rich.progress import ProgressColumn, Task

    class UnlessTold(ProgressColumn):
        def render(self, task: Task) -> RenderableType:
            return "" if task.fields["told"] else column(task)

    return UnlessTold(table_column=column.get_table_column())


def _counted(unit: Unit) -> list[ProgressColumn]:
    """How many of how many, how fast, and the time left."""
    from rich.progress import DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    if unit == "bytes":
        return [DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()]
    return [MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn()]
