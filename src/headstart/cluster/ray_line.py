"""What a run of training that is done on nodes and the fit that wants it tell each other; an actor of Ray."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

Report = tuple[int, float, float, int]  # a step: its number, loss, rate and examples
Fault = tuple[str, str, str]  # what cannot be used, where, and what to do
_STARTS = 5  # of processes without a step between them, which they would go on failing at


@dataclass
class News:
    """What a fit has not heard yet."""

    steps: list[Report]
    ended: int | None  # how many steps are done in the state that was kept at the end; None: it goes on
    fault: Fault | None  # why there will not be more
    started: bool  # whether a process has begun it


@dataclass
class _Run:
    steps: int  # that there are to be; 0: it is to end
    allowed: int  # up to this one nobody waits
    heard: list[Report] = field(default_factory=list)  # that the fit may not have heard yet
    last: int = 0  # the highest number of them all
    starts: int = 0
    why: str = ""
    ended: int | None = None
    fault: Fault | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


class Line:
    """Between both. It lives where the fit does, so it is there as long as anybody asks."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}

    async def open(self, name: str, steps: int, allowed: int) -> None:
        """A new run of this name."""
        self._runs[name] = _Run(steps, allowed)

    async def start(self, name: str) -> int:
        """Processes begin it, or go on with it: how many steps there are to be."""
        run = self._runs[name]
        async with run.changed:
            run.starts += 1
            if run.starts > _STARTS:
                what = f"training ends each time it is started on the nodes: {run.why or 'the processes die'}"
                fault = (what, "--on ray", "leave --on out, or look into the nodes' logs")
                run.steps, run.fault = 0, run.fault or fault
            run.changed.notify_all()
            return run.steps

    async def step(self, name: str, report: Report) -> int:
        """A step is done: how many there are to be, once the fit has said so."""
        run = self._runs[name]
        async with run.changed:
            run.starts, run.ended = 0, None
            if report[0] > run.last:  # else it was done before, by a process that was killed
                run.heard.append(report)
                run.last = report[0]
            run.changed.notify_all()
            await run.changed.wait_for(lambda: run.allowed >= report[0] or not run.steps)
            return run.steps

    async def end(self, name: str, done: int) -> None:
        """The state after so many steps is kept, and there will not be more of them."""
        await self._say(name, ended=done)

    async def failed(self, name: str, why: str, fault: Fault | None = None) -> None:
        """A process cannot go on; with a fault none could."""
        run = self._runs[name]
        async with run.changed:
            run.why, run.fault = why, run.fault or fault
            run.steps = run.steps if fault is None else 0
            run.changed.notify_all()

    async def allow(self, name: str, number: int, steps: int) -> None:
        """The fit has heard of this step, and wants so many; 0: it is to end."""
        await self._say(name, allowed=number, steps=steps)

    async def news(self, name: str, after: int, patience: float) -> News:
        """Steps after this one, once there are any, or so many seconds are over. Those up to it are forgotten."""
        run = self._runs[name]

        def is_new() -> bool:
            return run.last > after or run.ended is not None or run.fault is not None

        async with run.changed:
            with suppress(TimeoutError):
                await asyncio.wait_for(run.changed.wait_for(is_new), patience)
            run.heard = [report for report in run.heard if report[0] > after]
            return News([*run.heard], run.ended, run.fault, bool(run.starts or run.last))

    async def _say(self, name: str, *, ended: int | None = None, allowed: int | None = None, steps: int = 0) -> None:
        run = self._runs[name]
        async with run.changed:
            run.ended = run.ended if ended is None else ended
            if allowed is not None:
                run.allowed, run.steps = allowed, steps if run.fault is None else 0
            run.changed.notify_all()
