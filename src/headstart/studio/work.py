"""The kinds of jobs: one row a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.studio import checking, exporting, training
from headstart.studio.facts import Facts
from headstart.studio.trail import Stages, Trail


@dataclass(frozen=True)
class Work:
    """What a job of one kind does. What `run` imports is loaded in the job's own process only."""

    run: Callable[[Path, Mapping[str, Any], Trail], None]  # may be called again where it was killed
    options: type[Facts]  # what it is asked for with, field by field
    stages: Stages
    takes_turns: bool  # whether one of them works on the machine at a time, whatever workspace it is of
    seconds: Callable[[Mapping[str, Any]], float | None] = lambda options: None  # that it may take


WORKS = {
    "fit": Work(training.work, training.Options, training.STAGES, takes_turns=True, seconds=training.seconds_in),
    "check": Work(checking.work, checking.Options, checking.STAGES, takes_turns=False),
    "export": Work(exporting.work, exporting.Options, exporting.STAGES, takes_turns=False),
}
