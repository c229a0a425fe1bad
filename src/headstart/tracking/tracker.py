"""The contract of a tracker: a place to write a fit down, and what is written there."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

RUNS = "runs"  # TensorBoard's folder, where none is named

Ended = Literal["finished", "failed", "killed"]


@dataclass(frozen=True)
class Entry:
    """Something about the fit or, where `run` has a name, about one run of training within it."""

    run: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    scalars: Mapping[str, float] = field(default_factory=dict)
    step: int = 0
    when: float = field(default_factory=time.time)  # seconds since 1970


class Tracker(Protocol):
    """A place to write a fit down. May raise anything: `TrackedRun` stands between it and the fit.

    Nothing is left there before the first entry. Runs of training come one after the other.
    """

    where: str  # for people

    def log(self, entries: Sequence[Entry]) -> None: ...

    def folder(self, path: Path) -> None:
        """Keep the saved folder."""
        ...

    def close(self, ended: Ended) -> None: ...


def one_line(error: BaseException) -> str:
    """The first line of what an error says, without passwords, cut where it gets long.

    Libraries wrap "Connection refused" four times; where the system or SQLite said something at first, that is taken.
    """
    said, cause = str(error), error
    while (next_cause := cause.__cause__ or cause.__context__) is not None:
        cause = next_cause
        if type(cause).__module__ in ("builtins", "socket", "sqlite3") and isinstance(cause, OSError | sqlite3.Error):
            said = getattr(cause, "strerror", None) or str(cause)
    lines = said.strip().splitlines()
    said = without_password(lines[0]) if lines else type(error).__name__
    return said if len(said) <= 200 else said[:197] + "..."


def without_password(uri: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", uri)
