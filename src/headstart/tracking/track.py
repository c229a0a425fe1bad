"""Writing a fit down where its user compares fits: in MLflow, or in TensorBoard's event files.

Nothing is sent that was not asked for: without `track` none of this is imported, and MLflow's own reports to its makers
are switched off (no_telemetry.py). Whether the place can be reached is known before any work begins; if it is lost
later, training goes on and a note says what is missing there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headstart.clock import Now
from headstart.errors import UserError
from headstart.progress import Progress, Silent
from headstart.storage.files import resolved
from headstart.tracking.tracker import RUNS, Ended, Entry, Tracker, one_line

EVERY = 3.0  # seconds between two messages, at least
PAUSE = 20  # and so many times what the last one took, so that a slow place takes a twentieth of the time at most
_OURS = ("mlflow", "sqlalchemy", "alembic", "tensorboard")  # what the extras bring; others are drivers of databases
_SPELLED = "mlflow, mlflow:URI, tensorboard, tensorboard:FOLDER"


@dataclass
class TrackedRun:
    """The fit's end of its tracker, if it has one. Never raises: the model must not be lost with the tracker.

    What could not be sent is kept and tried again.
    """

    tracker: Tracker | None = None
    progress: Progress = field(default_factory=Silent)
    _waiting: list[Entry] = field(default_factory=list)
    now: Now = time.perf_counter
    _next: float = 0.0  # on that clock
    _trouble: str = ""

    def parameters(self, values: Mapping[str, Any], *, run: str = "") -> None:
        """Mappings within `values` are taken apart: {"a": {"b": 1}} is logged as {"a.b": 1}."""
        self._add(Entry(run, parameters=_flat(values)))

    def scalars(self, values: Mapping[str, float], *, run: str = "", step: int = 0) -> None:
        self._add(Entry(run, scalars=values, step=step))

    def failed(self, error: BaseException) -> None:
        """The fit ends with this error."""
        self.close("killed" if isinstance(error, KeyboardInterrupt) else "failed")

    def close(self, ended: Ended, folder: Path | None = None) -> None:
        """Send what is left and the saved folder. Done once; further calls do nothing, but after Ctrl-C in this one."""
        if self.tracker is None:
            return
        tracker = self.tracker
        with self.progress.step("log"):
            lost = self._lost(tracker, ended, folder)
        self.tracker = None
        if lost:
            self.progress.note(f"note: not logged to {tracker.where}: {lost} ({self._trouble})")
        elif ended == "finished":
            self.progress.note(f"logged to {tracker.where}")

    def _lost(self, tracker: Tracker, ended: Ended, folder: Path | None) -> str:
        """What could not be logged at the end; a place that does not answer is not asked again."""
        lost: list[str] = []
        if not self._send(tracker):
            lost.append(f"{len(self._waiting)} entries")
        if folder is not None and (lost or not self._done(lambda: tracker.folder(folder))):
            lost.append(f"the folder {folder.name}")
        if lost or not self._done(lambda: tracker.close(ended)):
            lost.append("how it ended")
        return ", ".join(lost)

    def _add(self, entry: Entry) -> None:
        if self.tracker is None:
            return
        self._waiting.append(entry)
        begun = self.now()
        if begun < self._next:
            return
        self._send(self.tracker)
        now = self.now()
        self._next = now + max(EVERY, PAUSE * (now - begun))

    def _send(self, tracker: Tracker) -> bool:
        if not self._waiting:
            return True
        sent = self._done(lambda: tracker.log(self._waiting))
        if sent:
            self._waiting = []
        return sent

    def _done(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except Exception as error:  # whatever a store and its libraries raise; close() tells it
            self._trouble = one_line(error)
            return False
        return True


def open_tracker(asked: str | None, *, name: str, progress: Progress, out: Path | None = None) -> TrackedRun:
    """What `--track` asks for, reached for the first time.

    Args:
        asked: "mlflow", "mlflow:URI", "tensorboard" or "tensorboard:FOLDER"; None: nothing is tracked.
        name: of the fit there.
        progress: told at the end where it was logged, or what was not.
        out: the folder that the fit saves to, which the tracker must leave free.

    Raises:
        UserError: anything else, a package is missing, or the place cannot be reached, or is the fit's own.
    """
    if asked is None:
        return TrackedRun()
    kind, colon, place = asked.partition(":")
    if kind not in ("mlflow", "tensorboard") or (colon and not place):
        raise UserError(f"unknown tracker {asked!r}", where="--track", fix=f"one of: {_SPELLED}")
    if kind == "tensorboard" and out is not None and resolved(place or RUNS).is_relative_to(resolved(out)):
        raise UserError(f"{place or RUNS} is where the model is saved", where="--track", fix=f"{kind}:ANOTHER_FOLDER")
    try:
        with progress.step("reach"):
            return TrackedRun(_opened(kind, place, name), progress)
    except ImportError as error:
        package = (error.name or kind).split(".")[0]
        fix = f"pip install 'headstart[{kind}]'" if package in _OURS else f"pip install {package}"
        raise UserError(f"it needs {package}, which is not installed", where=f"--track {kind}", fix=fix) from error


def _opened(kind: str, place: str, name: str) -> Tracker:
    if kind == "mlflow":
        from headstart.tracking.mlflow import MLflow

        return MLflow.opened(place, name)
    from headstart.tracking.tensorboard import TensorBoard

    return TensorBoard.opened(place, name)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in values.items():
        made |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return made
