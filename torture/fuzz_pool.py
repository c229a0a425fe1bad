"""Workers that are given cases, looked after, and replaced where they die or hang."""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_watch import Room

_SEEDS = 900.0  # seconds that a worker has to make its seeds
_SOURCE = str(Path(__file__).parents[1] / "src")  # what stands beside these files is what is fuzzed
_GIVEN = tuple(filter(None, [os.environ.get("PYTHONPATH")]))
_FRAME = re.compile(r'File "[^"]*/headstart/([^"]+)", line (\d+) in (\w+)')


@dataclass(frozen=True)
class Limits:
    """What one case may take."""

    seconds: float
    memory: int  # bytes of address space


@dataclass
class Job:
    """Cases of one target, in order; `start` is the next."""

    target: str
    seed: int
    start: int
    stop: int
    keep: str = ""  # a folder to copy the files of the cases to


@dataclass
class Worker:
    """A process, and what it has in hand."""

    room: Room
    limits: Limits
    process: subprocess.Popen[bytes] | None = None
    job: Job | None = None
    heard: float = 0.0
    ready: bool = False  # its seeds are made
    hung: bool = False
    cpu: float = 0.0  # seconds of a core that its processes took
    unread: bytes = field(default=b"")

    def give(self, job: Job) -> None:
        """Cases to run; a process is started where there is none."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        if self.process is None or self.process.stdin is None:
            raise RuntimeError("no worker was started")
        self.job, self.heard, self.ready, self.hung = job, time.monotonic(), False, False
        self.process.stdin.write(json.dumps(vars(job)).encode() + b"\n")
        self.process.stdin.flush()

    def listen(self) -> Iterator[dict[str, Any]]:
        """What it has said since it was last listened to; where it died, the case that it died of."""
        if self.process is None or self.process.stdout is None or self.job is None:
            return
        more = os.read(self.process.stdout.fileno(), 1 << 20)
        self.unread += more
        *lines, self.unread = self.unread.split(b"\n")
        for line in lines:
            told = json.loads(line)
            self.heard = time.monotonic()
            self.ready = True
            if "ready" in told:
                continue
            if "done" in told:
                self.job = None
                self.cpu += told["cpu"]
                if told["leaves"]:
                    self.stop()
                return
            self.job.start = told["case"] + 1
            yield told
        if not more:
            yield self._buried()

    def watch(self) -> None:
        """End a process that takes too long; where it is, it writes down itself."""
        late = time.monotonic() - self.heard > (self.limits.seconds if self.ready else _SEEDS)
        if late and self.process is not None and self.job is not None and not self.hung:
            self.hung = True
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(0.3)
            self.process.kill()

    def stop(self) -> None:
        """End the process."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process, self.unread = None, b""

    def _start(self) -> None:
        self.stop()
        for name in ("case", "tmp", "work", "cache"):
            shutil.rmtree(self.room.root / name, ignore_errors=True)
        self.room = Room(self.room.root)
        command = [sys.executable, str(Path(__file__).with_name("fuzz_worker.py")), str(self.room.root)]
        self.process = subprocess.Popen(
            [*command, str(self.limits.memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.room.root / "stderr").open("wb"),
            env={**os.environ, **self.room.environment(), "PYTHONPATH": os.pathsep.join((_SOURCE, *_GIVEN))},
        )

    def _buried(self) -> dict[str, Any]:
        """The record of the case that a worker died of."""
        if self.process is None or self.job is None:
            raise RuntimeError("nobody died")
        code = self.process.wait()
        trace = (self.room.root / "trace").read_text(errors="replace") if (self.room.root / "trace").exists() else ""
        if not trace:
            trace = (self.room.root / "stderr").read_text(errors="replace")[-3000:]
        found = _FRAME.search(trace)
        frame = f"{found[1]}:{found[3]}:{found[2]}" if found else ""
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        kind = "a hang" if self.hung else f"died of {name}"
        self.process, self.unread = None, b""
        case, self.job.start = self.job.start, self.job.start + 1
        lines = [line.strip() for line in trace.splitlines() if line.strip()]
        message = (lines[0] if code < 0 else lines[-1]) if lines else ""
        what = (self.room.root / "told").read_text(errors="replace") if (self.room.root / "told").exists() else ""
        seconds = self.limits.seconds if self.hung else 0.0
        told = {"case": case, "end": "failed", "kind": kind, "frame": frame, "message": message, "trace": trace[:6000]}
        return {**told, "seconds": seconds, "told": what, "size": 0, "died": True}


class Pool:
    """Some workers, each in a room of its own below one folder."""

    def __init__(self, folder: Path, jobs: int, limits: Limits) -> None:
        self.workers = [Worker(Room(folder / f"room{i}"), limits) for i in range(jobs)]

    def run(self, jobs: Iterator[Job]) -> Iterator[dict[str, Any]]:
        """Records of all cases, as they end; jobs are taken when a worker is free."""
        left = False
        while True:
            for worker in self.workers:
                if worker.job is not None and worker.job.start >= worker.job.stop and worker.process is None:
                    worker.job = None  # it died of the last case
                if worker.job is not None and worker.process is None:
                    worker.give(worker.job)  # the rest, to another process
                if worker.job is None and not left:
                    job = next(jobs, None)
                    left = job is None
                    if job is not None:
                        worker.give(job)
            busy = [worker for worker in self.workers if worker.job is not None]
            if not busy:
                return
            yield from self._heard(busy)

    def stop(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.stop()

    def _heard(self, busy: list[Worker]) -> Iterator[dict[str, Any]]:
        with selectors.DefaultSelector() as selector:
            for worker in busy:
                if worker.process is not None and worker.process.stdout is not None:
                    selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            for key, _ in selector.select(timeout=1.0):
                yield from key.data.listen()
        for worker in busy:
            worker.watch()
