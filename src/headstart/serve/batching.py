"""Inputs of many requests, computed together: a thread takes what waits, never waits for more, and mixes nothing up."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Compute = Callable[[list[Any]], Sequence[Any]]  # inputs -> a result for each, in their order


@dataclass(eq=False)
class _Job:
    """The inputs of one request, and who waits for what is made of them."""

    key: Hashable  # jobs with equal keys are computed together
    compute: Compute
    inputs: list[Any]
    waiting: asyncio.Future[list[Any]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


_Done = tuple[_Job, list[Any], Exception | None]


class Lane:
    """A thread that computes, and the jobs that wait for it, in their order."""

    def __init__(self, name: str, *, most_together: int, on_batch: Callable[[int], None] = lambda _: None) -> None:
        self._most, self._on_batch = most_together, on_batch
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        run = contextvars.copy_context().run  # a thread begins with none of what is set here, such as the device
        self._thread = threading.Thread(target=run, args=(self._work,), name=name, daemon=True)
        self._thread.start()

    async def ask(self, key: Hashable, compute: Compute, inputs: Sequence[Any]) -> list[Any]:
        """What is computed of these inputs. Where the caller is cancelled before its turn, nothing is."""
        job = _Job(key, compute, list(inputs))
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()
        try:
            return await job.waiting
        finally:
            if job.waiting.cancelled():
                with self._changed, suppress(ValueError):  # the latter: it is being computed
                    self._jobs.remove(job)

    def close(self) -> None:
        """End the thread, once it has computed what waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._next():
            self._on_batch(sum(len(job.inputs) for job in jobs))
            done = _computed(jobs)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_settle, done)

    def _next(self) -> list[_Job]:
        """The jobs of the next batch, which have one key; none: it was closed."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            if not self._jobs:
                return []
            taken = [self._jobs.popleft()]
            room = self._most - len(taken[0].inputs)
            for job in [job for job in self._jobs if job.key == taken[0].key]:
                if len(job.inputs) > room:
                    break
                room -= len(job.inputs)
                self._jobs.remove(job)
                taken.append(job)
            return taken


def _computed(jobs: list[_Job]) -> list[_Done]:
    """What is made of each job. Where a batch fails, each is tried alone: one request spoils no other."""
    inputs = [each for job in jobs for each in job.inputs]
    try:
        made = jobs[0].compute(inputs)
        if len(made) != len(inputs):
            raise RuntimeError(f"{len(made)} results of {len(inputs)} inputs")
    except Exception as error:  # of whatever kind: those who wait are told, and the thread goes on
        return [(jobs[0], [], error)] if len(jobs) == 1 else [done for job in jobs for done in _computed([job])]
    answers = iter(made)
    return [(job, [next(answers) for _ in job.inputs], None) for job in jobs]


def _settle(done: Sequence[_Done]) -> None:
    for job, results, error in done:
        if job.waiting.done():  # cancelled meanwhile
            continue
        if error is None:
            job.waiting.set_result(results)
        else:
            job.waiting.set_exception(error)
