"""A process that runs cases, one after the other, and says how each ended. Started by fuzz_pool; may die or be killed.

    fuzz_worker.py ROOM BYTES

On standard input a line of JSON a job: target, seed, start, stop. On standard output one when it is ready to begin, one
a case, and one at the end. SIGUSR1 makes it write down where it is.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import doors
import fuzz_case
import fuzz_photos
from fuzz_targets import Seeds, targets
from fuzz_watch import Room, frame_in_headstart

_MOST_LINES = 2  # of an error that a user reads
_LEAVES_AT = 3 * 2**20  # KiB that were in memory at once: what a case left behind is no matter of the next


def main() -> None:
    """Run jobs until standard input ends."""
    room, memory = Room(Path(sys.argv[1])), int(sys.argv[2])
    trace = (room.root / "trace").open("w")
    said = os.fdopen(os.dup(1), "w")
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    faulthandler.enable(trace)
    faulthandler.register(signal.SIGUSR1, trace)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(room.root / "cwd")
    (room.root / "input.png").write_bytes(fuzz_photos.few(1)[0])
    sys.excepthook = lambda *raised: trace.write("".join(traceback.format_exception(*raised)))
    runner = Runner(room)
    begun = 0.0
    for line in sys.stdin:
        job = json.loads(line)
        runner.open(job["target"])
        said.write('{"ready": true}\n')
        said.flush()
        for number in range(job["start"], job["stop"]):
            said.write(json.dumps(runner.run(job["target"], number, job["seed"], keep=job["keep"])) + "\n")
            said.flush()
        now = time.process_time()
        cpu, begun = now - begun, now
        leaves = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _LEAVES_AT
        said.write(json.dumps({"done": True, "leaves": leaves, "cpu": cpu}) + "\n")
        said.flush()
        if leaves:
            break


class Runner:
    """Cases of any target, in one room."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.told = (room.root / "told").open("wb", buffering=0)  # what is done to the case at hand: it may be the last
        self.targets = targets()
        self.seeds: dict[str, Seeds] = {}
        room.watch()

    def run(self, name: str, number: int, seed: int, *, keep: str = "") -> dict[str, Any]:
        """One case: how it ended, and what went wrong."""
        target = self.targets[name]
        rng = random.Random(f"{name} {seed} {number}")
        case, call = target.make(rng, self.seeds[name], number, self.room.case)
        fuzz_case.write(case, self.room.case)
        if keep:
            fuzz_case.write(case, Path(keep))
        self.told.seek(0)
        self.told.truncate()
        self.told.write(case.told[:1500].encode("utf-8", "replace"))
        self.room.begin()
        start = time.perf_counter()
        told = _told(call, paths=target.paths)
        took = time.perf_counter() - start
        touched = self.room.end()
        self.room.clean()
        if touched and told["end"] != "failed":
            what, frame = touched[0]
            told = _failure("touched outside", frame, what)
        plain = number < len(self.seeds[name]) and name != "folder"
        if told["end"] == "result" and target.must == "be refused":
            told = _failure("accepted, and is to be refused", "", "")
        if plain and told["end"] == "refused" and target.must == "work":
            told = _failure("a seed was refused", "", told["message"])
        return {"case": number, "seconds": round(took, 4), "told": case.told[:1500], "size": case.size, **told}

    def open(self, name: str) -> None:
        """Seeds are made and, where they are models, used once, so that the cache holds what belongs to them."""
        if name in self.seeds:
            return
        target = self.targets[name]
        seeds = self.seeds[target.name] = target.seeds(self.room.root / "work")
        if target.heavy:
            for number in range(len(seeds)):
                rng = random.Random(number)
                case, call = target.make(rng, seeds, number, self.room.case)
                fuzz_case.write(case, self.room.case)
                _told(call, paths=False)
                self.room.forget()
        self.room.prime()


def _told(call: Any, *, paths: bool) -> dict[str, Any]:
    refused = doors.refused()
    try:
        call()
    except refused as error:
        if str(error).count("\n") >= _MOST_LINES:
            return _failure("an error of more than two lines", _where(error), str(error))
        return {"end": "refused", "message": str(error)[:300]}
    except OSError as error:
        if paths and error.errno and error.strerror:
            return {"end": "refused", "message": str(error)[:300]}
        return _raised(error)
    except BaseException as error:  # a panic of Rust's is no Exception
        return _raised(error)
    return {"end": "result"}


def _raised(error: BaseException) -> dict[str, Any]:
    kind = type(error).__name__
    kind = f"{type(error).__module__}.{kind}" if kind == "error" else kind  # struct's, say
    text = "".join(traceback.format_exception(error))[-6000:]
    last = traceback.extract_tb(error.__traceback__)[-1]
    return {**_failure(kind, _where(error), str(error)), "trace": text, "last": f"{last.filename}:{last.lineno}"}


def _where(error: BaseException) -> str:
    """The innermost place of the package in a traceback."""
    found, step = "", error.__traceback__
    while step is not None:
        here = frame_in_headstart(step.tb_frame)
        if here and here != frame_in_headstart(step.tb_frame.f_back):
            found = f"{here}:{step.tb_lineno}"
        step = step.tb_next
    return found


def _failure(kind: str, frame: str, message: str) -> dict[str, Any]:
    return {"end": "failed", "kind": kind, "frame": frame, "message": ascii(message[:400])[1:-1]}


if __name__ == "__main__":
    main()
