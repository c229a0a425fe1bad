"""Runs headstart's command line in a case, with or without the library that counts what it writes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
HANGS = 900  # seconds; a machine may be busy

Command = tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """What happens at which operation."""

    mode: str = "log"  # kill, after, half, fail, from
    at: int = 0
    error: str = ""  # the errno's name

    @property
    def kills(self) -> bool:
        return self.mode in ("kill", "after", "half")

    def __str__(self) -> str:
        return ":".join(filter(None, (self.mode, str(self.at), self.error)))


@dataclass(frozen=True)
class Operation:
    """A line of the log."""

    number: int
    kind: str
    path: str


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None  # None: it had to be ended
    out: str
    err: str
    operations: list[Operation]
    hit: Operation | None  # at which something happened


@dataclass(frozen=True)
class Runner:
    """Runs headstart in a case."""

    library: Path
    environment: dict[str, str]
    commands: list[str] = field(default_factory=lambda: [sys.executable, "-m", "headstart"])

    def run(self, case: Path, command: Command, fault: Fault | None = None) -> Ended:
        """None: without the library that counts."""
        places = {"HOME": case / "home", "HEADSTART_CACHE": case / "cache", "TMPDIR": case / "tmp"}
        environment = self.environment | {name: str(path) for name, path in places.items()}
        log = case.with_name(f"{case.name}.log")
        log.unlink(missing_ok=True)
        if fault is not None:
            environment |= {
                "LD_PRELOAD": str(self.library),
                "FAULTS_UNDER": str(case),
                "FAULTS_LOG": str(log),
                "FAULTS_MODE": fault.mode,
                "FAULTS_AT": str(fault.at),
                "FAULTS_ERRNO": str(getattr(errno, fault.error, 0)),
            }
        process = subprocess.Popen(
            [*self.commands, *command],
            cwd=case / "work",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        code: int | None
        try:
            out, err = process.communicate(timeout=HANGS)
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            code = None
        told = _logged(log)
        log.unlink(missing_ok=True)
        return Ended(code, out.decode(errors="replace"), err.decode(errors="replace"), *told)


def _logged(log: Path) -> tuple[list[Operation], Operation | None]:
    found, hit = [], None
    for line in log.read_text(errors="replace").splitlines() if log.exists() else ():
        number, kind, path = line.split("\t", 2)
        found.append(Operation(int(number), kind.rstrip("!"), path))
        if kind.endswith("!") and hit is None:
            hit = found[-1]
    return sorted(found, key=lambda operation: operation.number), hit


def environment() -> dict[str, str]:
    """Of every run: the package beside this folder, and what decides on threads, languages and networks.

    Whether training is in bfloat16 is decided by what is faster at the moment. With the instructions for it hidden from
    torch, that is never bfloat16.
    """
    kept = {name: os.environ[name] for name in ("PATH", "VIRTUAL_ENV") if name in os.environ}
    kept["PYTHONPATH"] = str(HERE.parent / "src")
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}
    return kept | one_thread | {"HEADSTART_DEVICE": "cpu", "HF_HUB_OFFLINE": "1", "LANG": "C.UTF-8"}
