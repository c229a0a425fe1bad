"""Work that outlives the server: each job is a folder and a process of its own, which a server starts and watches.

Where a process died before its work was done, or a server finds such a folder when it begins, the job is started again;
it goes on from what was kept. A job says itself, by a lock, that its process is alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from headstart.errors import OutputError, first_line
from headstart.storage.locks import take_lock
from headstart.studio.facts import DamagedError, Facts, open_to_append, read_facts, write_facts
from headstart.studio.trail import Progress
from headstart.studio.work import WORKS
from headstart.studio.workspace import now

FILE, STOP, LOG, LOCK = "job.json", "stop", "log.txt", "job"
QUEUED, RUNNING, DONE, FAILED, STOPPED = "queued", "running", "done", "failed", "stopped"
ENDED = (DONE, FAILED, STOPPED)
ANOTHER_HAS_IT = 3  # what a process ends with where another one does the job
_MOST_ATTEMPTS = 3
_LOOKS_EVERY = 0.3  # seconds, while there is anything to look at
_FIX = "remove it, and have it made again"  # what is damaged
_DIED = (
    "It ended by itself several times, perhaps for lack of memory: try it with fewer examples, or on a larger computer."
)
_log = logging.getLogger("headstart.serve")


class _JobFacts(Facts):
    """What `job.json` holds."""

    version: Literal[1]
    work: str
    options: dict[str, Any]  # as the work has them
    asked: str
    status: Literal["queued", "running", "done", "failed", "stopped"]
    attempts: int = Field(ge=0, le=1000)
    started: str | None
    ended: str | None
    error: str | None


@dataclass
class Job:
    """One job, as its folder says it."""

    folder: Path
    work: str  # which, by its name in `job.WORKS`
    options: dict[str, Any]
    asked: str  # when
    status: str = QUEUED
    attempts: int = 0
    started: str | None = None
    ended: str | None = None
    error: str | None = None  # in words for people
    progress: Progress = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.progress = Progress(self.folder)

    @property
    def is_over(self) -> bool:
        return self.status in ENDED

    @property
    def stop_asked(self) -> bool:
        return os.path.lexists(self.folder / STOP)

    @property
    def facts(self) -> dict[str, Any]:
        """As they are written down."""
        names = ("work", "options", "asked", "status", "attempts", "started", "ended", "error")
        return {"version": 1, **{name: getattr(self, name) for name in names}}

    def write(self) -> None:
        """Write its facts down. A process that has its lock does so, or a server while none has."""
        write_facts(self.folder / FILE, self.facts)

    def end(self, status: str, error: str | None = None) -> None:
        """Write down that it is over."""
        self.status, self.error, self.ended = status, error, now()
        self.write()

    def is_alive(self) -> bool:
        """Whether a process has its lock."""
        if not self.folder.is_dir():  # somebody moved it away
            return False
        try:
            lock = take_lock(self.folder / LOCK)
        except OutputError:  # no lock can be made there, so no process has one
            return False
        if lock is not None:
            lock.release()
        return lock is None

    def read_on(self) -> bool:
        """Read what its process has written since; whether that is anything new."""
        new, status, known = self.progress.read_on(), self.status, None
        with contextlib.suppress(DamagedError):  # then it is what was last known
            known = job_in(self.folder)
        if known is not None:
            self.status, self.error = known.status, known.error
            self.started, self.ended = known.started, known.ended
        return new or self.status != status


def job_in(folder: Path) -> Job | None:
    """The job that a folder holds; None: none. Raises DamagedError where a field is not as it should be."""
    facts = read_facts(folder / FILE, _JobFacts)
    if facts is None:
        return None
    place = f"{folder.parent.parent.name}/{folder.parent.name}/{folder.name}"
    if facts.work not in WORKS:
        raise DamagedError(f"{FILE} is of a work that nobody knows", where=place, fix=_FIX)
    try:
        WORKS[facts.work].options.model_validate(facts.options)
    except ValidationError as error:
        names = sorted({".".join(map(str, each["loc"]))[:40] for each in error.errors(include_input=False)})
        raise DamagedError(f"{FILE} is damaged: options.{names[0]}", where=place, fix=_FIX) from error
    job = Job(folder, facts.work, facts.options, facts.asked, facts.status, facts.attempts)
    job.started, job.ended, job.error = facts.started, facts.ended, facts.error
    return job


def shown_in(folder: Path) -> Job | None:
    """As `job_in`, for people: one that is damaged has failed, and says why."""
    try:
        return job_in(folder)
    except DamagedError as error:
        return Job(folder, "", {}, "", FAILED, error=f"{error.what} in {error.where}: {_FIX}.")


def asked_for(folder: Path, work: str, options: dict[str, Any]) -> Job:
    """A job that waits, in a folder that is there."""
    job = Job(folder, work, options, now())
    job.write()
    return job


class Jobs:
    """The jobs of a workspace that are not over: of each kind of work one runs, the others wait their turn."""

    def __init__(self) -> None:
        self._open: dict[Path, Job] = {}
        self._running: dict[str, Job] = {}  # by work
        self._processes: dict[Path, subprocess.Popen[bytes]] = {}  # that this server started
        self._lock = threading.RLock()
        self._wake, self._changed = asyncio.Event(), asyncio.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._said = ""  # of what went wrong last

    def add(self, job: Job) -> Job:
        """Have a job done when it is its turn."""
        with self._lock:
            self._open[job.folder] = job
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)
        return job

    def of(self, folder: Path) -> Job | None:
        """The job of a folder, as it is now; None: there is none."""
        with self._lock:
            return self._open.get(folder) or shown_in(folder)

    def within(self, folder: Path) -> list[Job]:
        """Those below a folder that are not over."""
        with self._lock:
            return [job for job in self._open.values() if job.folder.is_relative_to(folder)]

    def before(self, job: Job) -> list[Job]:
        """Those that come before it, in their order: none where it runs, or is next."""
        with self._lock:
            mine = [each for each in self._open.values() if each.work == job.work]
        sooner = [each for each in mine if (each.asked, each.folder) < (job.asked, job.folder)]
        return sorted(sooner, key=lambda each: (each.asked, each.folder))

    def stop(self, job: Job) -> None:
        """Have it end soon; one that waits is over at once. What it has reached is kept where that is of any use."""
        with self._lock:
            if job.is_over:
                return
            open_to_append(job.folder / STOP).close()
            if self._running.get(job.work) is not job:
                job.end(STOPPED)
                self._open.pop(job.folder, None)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Start and watch jobs until it is cancelled. They go on then, and the next server finds them."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            if await asyncio.to_thread(self._look):
                async with self._changed:
                    self._changed.notify_all()
            if not self._open and not self._processes:
                await self._wake.wait()
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _LOOKS_EVERY)

    def _say_once(self, job: Job, error: Exception) -> bool:
        """Write an error to the log, if it is another one than before. Gives whether so."""
        place = "" if isinstance(error, OSError | OutputError) else traceback.format_tb(error.__traceback__)[-1]
        before, self._said = self._said, " ".join(f"{job.folder}: {error!r} {place}".split())
        if self._said != before:
            _log.error("a job cannot be looked after: %s", self._said)
        return self._said != before

    async def until_changed(self, seconds: float) -> None:
        """Until something happens to some job, or so much time has gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait()

    def _look(self) -> bool:
        """Look at all jobs, and start what is to be started; whether anything is new."""
        with self._lock:
            new = False
            for work, job in list(self._running.items()):
                new = self._tried(self._look_at, job) or new
                if job.is_over:
                    del self._running[work]
                    self._open.pop(job.folder, None)
            for job in sorted(self._open.values(), key=lambda job: (job.asked, job.folder)):
                if job.work not in self._running:
                    self._running[job.work] = job
                    self._tried(self._begin, job)
                    new = True
            for folder in [folder for folder in self._processes if folder not in self._open]:
                if self._processes[folder].poll() is not None:  # which takes leave of it
                    del self._processes[folder]
            return new

    def _tried(self, look: Callable[[Job], bool], job: Job) -> bool:
        """What a look at one job gives. Whatever goes wrong, a full disk say, is logged, and tried again: nobody else
        watches, and the others have nothing to do with it."""
        try:
            return look(job)
        except Exception as error:
            return self._say_once(job, error)

    def _begin(self, job: Job) -> bool:
        """Start one whose turn it is, unless a server before this one has."""
        if not job.is_alive():
            self._start(job)
        return True

    def _look_at(self, job: Job) -> bool:
        """Read what a job has written since; start it again where its process died. Gives whether anything is new."""
        alive, new = self._is_alive(job), job.read_on()
        if alive or job.is_over:
            return new
        if not job.folder.is_dir():  # somebody moved it away
            job.status = STOPPED
        elif job.stop_asked:
            job.end(STOPPED)
        elif job.attempts >= _MOST_ATTEMPTS:
            _log.error("%s: ended by itself %d times", job.folder, job.attempts)
            job.end(FAILED, _DIED)
        else:
            self._start(job)
        return True

    def _is_alive(self, job: Job) -> bool:
        """Whether somebody does it: a process that this server started, or another one that has its lock."""
        process = self._processes.get(job.folder)
        if process is None:
            return job.is_alive()
        code = process.poll()
        if code is None:
            return True
        del self._processes[job.folder]
        return code == ANOTHER_HAS_IT and job.is_alive()

    def _start(self, job: Job) -> None:
        """Start its process, which belongs to no terminal and to no server."""
        if job.stop_asked:
            job.end(STOPPED)
            return
        command = [sys.executable, "-P", "-m", "headstart.studio.job", str(job.folder)]
        job.attempts += 1
        try:
            job.write()
        except OutputError:  # it has not begun
            job.attempts -= 1
            raise
        try:
            with open_to_append(job.folder / LOG) as log:
                self._processes[job.folder] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_DETACHED
                )
        except OSError as error:
            _log.error("%s: cannot be started: %s", job.folder, " ".join(str(error).split()))
            job.end(FAILED, f"It could not be started: {first_line(error)}.")


_DETACHED: dict[str, Any] = (
    {"start_new_session": True}
    if os.name == "posix"
    else {"creationflags": sum(getattr(subprocess, f, 0) for f in ("DETACHED_PROCESS", "CREATE_NEW_PROCESS_GROUP"))}
)


def unfinished(folders: Iterable[Path]) -> list[Job]:
    """The jobs in these folders that are not over. That a computer was switched off is no failure of theirs."""
    found = [job for folder in folders if (job := shown_in(folder)) is not None and not job.is_over]
    for job in found:
        job.attempts = 0
        job.progress.read_on()
    return found
