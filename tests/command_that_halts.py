"""The command of headstart by a clock of its own, which stops itself (SIGSTOP) at one moment, for a test to do as it
likes then: `python command_that_halts.py '{"halts": "wrote trial-*@*"}' fit ...`

Moments are "begins STEP", "within STEP" (some of its examples are done), "writes NAME" and "wrote NAME" (a file of a
run's journal), and "saves NAME" (a file of the folder in which the model is saved; those before it are there).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import headstart.artifact
from headstart.adapt import checkpoint, trial
from headstart.commands import common
from headstart.commands.app import main
from headstart.progress import Bars
from own_clock import TICK, by_looks


class Moment:
    """Of those that a command comes to, the first that is as asked."""

    def __init__(self, asked: str) -> None:
        self.what, _, self.name = asked.partition(" ")

    def come(self, what: str, name: str) -> None:
        if what == self.what and fnmatch(name, self.name):
            self.what = ""
            os.kill(os.getpid(), signal.SIGSTOP)


def around(write: Callable[..., None], moment: Moment, before: str, after: str = "") -> Callable[..., None]:
    def written(path: Path, content: Any) -> None:
        moment.come(before, path.name)
        write(path, content)
        moment.come(after, path.name)

    return written


class Seen(Bars):
    """As people see it; and the moments of its steps."""

    def __init__(self, moment: Moment) -> None:
        super().__init__()
        self.moment = moment

    @contextmanager
    def step(self, name: str, total: int | None = None, *, unit: Any = "examples") -> Iterator[Callable[[int], None]]:
        with super().step(name, total, unit=unit) as advance:

            def advanced(more: int) -> None:
                advance(more)
                if more:
                    self.moment.come("within", name)

            self.moment.come("begins", name)
            yield advanced


def run(halts: str = "", tick: float = TICK, seconds_lost: float = trial.SECONDS_LOST, redrawn: bool = False) -> None:
    """Args:
    halts: the moment; empty: none. tick: of the clock. seconds_lost: at most, by a kill.
    redrawn: on a terminal, whenever something is told; else so often a second as there is time for.
    """
    # Where tests run in the background of a shell, or under nohup, what they start ignores these.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    moment = Moment(halts)
    trial.SECONDS_LOST = seconds_lost
    checkpoint.write_kept = around(checkpoint.write_kept, moment, "writes", "wrote")
    headstart.artifact.write_text = around(headstart.artifact.write_text, moment, "saves")
    common.bars = lambda: Seen(moment)
    if redrawn:
        import rich.progress

        update = rich.progress.Progress.update
        rich.progress.Progress.update = lambda *bar, **told: update(*bar, **told, refresh=True)
    with by_looks(tick):
        main()


if __name__ == "__main__":
    told = json.loads(sys.argv.pop(1))
    run(**told)
