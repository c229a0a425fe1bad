"""The process of one job: `python -m headstart.studio.job FOLDER`. It ends by itself, whatever the server does."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path

from headstart.errors import StoppedError, UserError
from headstart.storage.locks import Lock, take_lock
from headstart.storage.places import cache_folder
from headstart.studio.jobs import ANOTHER_HAS_IT, DONE, FAILED, LOCK, RUNNING, STOPPED, Job, job_in
from headstart.studio.plain_words import plain_words
from headstart.studio.trail import Trail
from headstart.studio.work import WORKS, Work
from headstart.studio.workspace import now

_TRIES, _WAIT = 20, 0.25  # to get the lock, which a server that looks whether somebody is alive may have for a moment
_TURN_EVERY = 0.5  # seconds
_LISTENS_FOR = 15.0  # seconds that a job may take to hear that it is to stop; then its process ends at once
_NICER = 5  # than the server, which answers people
_NO_MEMORY = "This computer has too little memory for it: try it with fewer or smaller examples."
_OURS = "Something went wrong that should not have; please report it with the file log.txt in the folder {}"


def main(folder: Path) -> int:
    """Do the job of a folder, if nobody does it; gives an exit code."""
    lock = _taken(folder)
    job = job_in(folder)
    if lock is None or job is None or job.is_over:
        return ANOTHER_HAS_IT
    if hasattr(os, "nice"):
        os.nice(_NICER)
    try:
        work = WORKS[job.work]
        turn = _turn(job) if work.takes_turns else None
        if job.stop_asked:
            job.end(STOPPED)
        else:
            _do(job, work)
        if turn is not None:
            turn.release()
    finally:
        lock.release()
    return 0


def _taken(folder: Path) -> Lock | None:
    for _ in range(_TRIES):
        lock = take_lock(folder / LOCK)
        if lock is not None:
            return lock
        time.sleep(_WAIT)
    return None


def _turn(job: Job) -> Lock | None:
    """The lock of the one job of its kind that works on this machine, once it is free; None: it is to stop."""
    waits = False
    while not job.stop_asked:
        lock = take_lock(cache_folder() / "studio-turn", without_locks=True)
        if lock is not None:
            return lock
        if not waits:
            waits = True
            with Trail(job.folder, {}).step("turn"):
                pass  # its end is the beginning of another step
        time.sleep(_TURN_EVERY)
    return None


def _do(job: Job, work: Work) -> None:
    """Do the work, and write down how it ended."""
    job.status, job.started = RUNNING, job.started or now()
    job.write()
    trail = Trail(job.folder, work.stages, seconds=work.seconds(job.options), stop=lambda: job.stop_asked)
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(job, trail, over), daemon=True)
    watcher.start()
    try:
        work.run(job.folder, job.options, trail)
    except StoppedError:
        job.end(STOPPED)
    except UserError as error:
        job.end(FAILED, plain_words(error, about=_data_of(job)))
    except MemoryError:
        job.end(FAILED, _NO_MEMORY)
    except Exception:
        traceback.print_exc()
        job.end(FAILED, _OURS.format(job.folder))
    else:
        job.end(DONE)
    finally:
        over.set()
        watcher.join()


def _data_of(job: Job) -> Path | None:
    """The file or folder that a job is about, if any."""
    source = job.options.get("source")
    return job.folder / str(source.get("data")) if isinstance(source, dict) else None


def _watch(job: Job, trail: Trail, over: threading.Event) -> None:
    """Keep the trail going, and end the process where it is to stop and the work does not hear it."""
    asked: float | None = None
    while not over.wait(1.0):
        trail.tick()
        if not job.stop_asked or trail.heard:
            continue
        asked = asked or time.monotonic()
        if time.monotonic() - asked > _LISTENS_FOR:
            job.end(STOPPED)
            os._exit(0)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does, see `commands.app`
    UserError.for_python = False
    sys.exit(main(Path(sys.argv[1])))
