"""Training that other processes do: short runs side by side, a long one by all of them together.

Who trains is an ambient choice, as it is who encodes. A run is the same wherever it is done: its state is kept in the
checkpoint's folder, which all of them see, and whoever goes on with it starts from there. This module knows of no
cluster; `cluster.ray_training` is one that does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Protocol

from headstart.adapt.policy import ELSEWHERE

if TYPE_CHECKING:
    from headstart.adapt.checkpoint import Checkpoint
    from headstart.adapt.loop import Step, Tuning


class Trainers(Protocol):
    """Processes that train, on machines that see what this one sees."""

    def room(self) -> int:
        """How many runs they have room for now, beside each other; fewer than two bring nothing."""
        ...

    def side_by_side(self, runs: Mapping[str, Callable[[], Tuning]], checkpoint: Checkpoint) -> None:
        """Begin these runs, the first ones first, as far as there is room; those that were begun and are not among
        them are given up."""
        ...

    def begun(self, name: str) -> bool:
        """Whether such a run was begun, and not given up."""
        ...

    def steps(self, name: str, tuning: Tuning, checkpoint: Checkpoint, over: Callable[[], bool]) -> Generator[Step]:
        """As iterating over the run itself: of one that was begun the steps that are done by now, and then the others;
        else its steps by all of them together.

        How many there are to be may be changed between two of them, but for one that was begun. How many are done is
        known after each, weights when it ends or is closed. It ends before its end where nobody is left there.

        Args:
            over: asked while there is nothing new, whether to end.
        """
        ...


_trainers: ContextVar[Trainers | None] = ContextVar("trainers", default=None)


@contextmanager
def trained_by(trainers: Trainers) -> Iterator[None]:
    """Within the block, what takes long is trained by these processes."""
    token = _trainers.set(trainers)
    try:
        yield
    finally:
        _trainers.reset(token)


def trainers() -> Trainers | None:
    """Who trains beside this process; None: nobody."""
    return _trainers.get()


def steps_of(
    name: str,
    tuning: Tuning,
    checkpoint: Checkpoint,
    *,
    every: float,
    clock: Callable[[], float],
    over: Callable[[], bool] = lambda: False,
) -> Generator[Step]:
    """As iterating over a run, whose state is kept on the way every so many seconds.

    Where there are others it is begun here, which says what a step takes, and goes on there if the rest takes long; if
    a step does not take less there, it comes back.
    """
    here, others = partial(kept_on_the_way, name, tuning, checkpoint, every=every, clock=clock), trainers()
    if others is None:
        yield from here()
        return
    if others.begun(name):
        yield from others.steps(name, tuning, checkpoint, over)
    else:
        yield from _where_faster(tuning, here, lambda: others.steps(name, tuning, checkpoint, over), others.room, clock)
    if tuning.done < tuning.recipe.steps and not over():
        yield from here()


def _where_faster(
    tuning: Tuning,
    here: Callable[[], Generator[Step]],
    there: Callable[[], Generator[Step]],
    room: Callable[[], int],
    clock: Callable[[], float],
) -> Generator[Step]:
    """Steps here, then there, as long as they take less than they did here."""
    alone = _Pace(clock)
    with closing(here()) as steps:
        for step in steps:
            yield step
            alone.stepped()
            if alone.says_enough and _rest(tuning, alone) > ELSEWHERE.worth_from and room() > 1:
                break
        else:
            return
    together = _Pace(clock)
    with closing(there()) as steps:
        for step in steps:
            yield step
            together.stepped()
            if together.says_enough and together.seconds > ELSEWHERE.slower * alone.seconds:
                return


def kept_on_the_way(
    name: str, tuning: Tuning, checkpoint: Checkpoint, *, every: float, clock: Callable[[], float]
) -> Generator[Step]:
    """The steps of a run in this process."""
    kept = clock()
    for step in tuning:
        yield step
        if clock() - kept > every and step.number < tuning.recipe.steps:
            checkpoint.keep(name, step.number, tuning.state())
            kept = clock()


def _rest(tuning: Tuning, pace: _Pace) -> float:
    """Seconds."""
    return (tuning.recipe.steps - tuning.done) * pace.seconds


@dataclass
class _Pace:
    """What steps take, once the first ones are done."""

    clock: Callable[[], float]
    _ends: list[float] = field(default_factory=list)

    def stepped(self) -> None:
        self._ends.append(self.clock())

    @property
    def says_enough(self) -> bool:
        """Once in so many steps."""
        return len(self._ends) % ELSEWHERE.timed == 0

    @property
    def seconds(self) -> float:
        """Of the steps since then, the median: one of them may have waited for a process that was started again."""
        ends = self._ends[-ELSEWHERE.timed :]
        return median(b - a for a, b in pairwise(ends))
