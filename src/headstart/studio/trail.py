"""How far a job is, as its process writes it down and a server reads it: lines of JSON that are only ever added.

What is read of them goes forward only, also where the process was killed and another one does its work again.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from headstart.clock import Now
from headstart.progress import Followed, Update
from headstart.storage.files import open_file
from headstart.studio.facts import Facts, open_to_append
from headstart.studio.plain_words import plain_words

FILE = "progress.jsonl"
_EVERY = 0.25  # seconds between two lines of one step
_MOST = 2**26  # bytes of a trail
_MOST_NOTES, _MOST_STEPS = 200, 100
_LONGEST = 2000  # characters of a note
_SURE = 0.05  # share from which on the time that is left is told

Stages = Mapping[str, tuple[float, float]]  # by step, from where to where in the whole it goes


class _Line(Facts):
    """What a line holds: that a process has begun, a note, or how far it is in a step."""

    time: float = Field(ge=0, le=1e11)
    begun: bool = False
    note: str | None = Field(None, max_length=_LONGEST)
    step: str | None = Field(None, max_length=100)
    share: float = Field(0.0, ge=0, le=1)
    left: float | None = Field(None, ge=0, le=1e9)
    text: str | None = Field(None, max_length=_LONGEST)


class Trail(Followed):
    """Writes down how far a job is, and ends it as soon as that can be where it is to stop."""

    def __init__(
        self,
        folder: Path,
        stages: Stages,
        *,
        seconds: float | None = None,
        stop: Callable[[], bool] = lambda: False,
        now: Now = time.monotonic,
    ) -> None:
        """seconds: that the whole may take; None: as long as it takes. stop: whether it is to end."""
        super().__init__(self._told, now=now)
        self._path, self._stages, self._seconds, self._stop, self._clock = folder / FILE, stages, seconds, stop, now
        self._begun = self._step_begun = now()
        self._written, self._done = -_EVERY, 0.0
        self._last = Update("", None, None)
        self._one_at_a_time = threading.Lock()
        self.heard = False  # whether the job knows that it is to stop
        self._line({"begun": True})

    def note(self, text: str) -> None:
        said = plain_words(text.removeprefix("note: ").removeprefix("warning: "))
        if said:
            self._line({"note": said[:_LONGEST]})

    def tick(self) -> None:
        """Say how far it is where the job says nothing for a while, in a step that takes what time there is."""
        if self._last.step and self._last.share is None:
            self._write(self._last)

    def _told(self, update: Update) -> bool:
        self._write(update)
        self.heard = self.heard or self._stop()
        return not self.heard

    def _write(self, update: Update) -> None:
        with self._one_at_a_time:
            now, new = self._clock(), update.step != self._last.step
            self._step_begun = now if new else self._step_begun
            self._last = update
            if not new and update.share != 1.0 and now - self._written < _EVERY:
                return
            self._written, self._done = now, max(self._done, self._of_the_whole(update, now))
            left = self._left(now)
        self._line({"step": update.step, "share": round(self._done, 4), "left": left, "text": update.text})

    def _of_the_whole(self, update: Update, now: float) -> float:
        start, end = self._stages.get(update.step, (self._done, self._done))
        share = update.share
        if share is None and self._seconds is not None:  # it goes on for as long as there is time
            share = min(1.0, (now - self._step_begun) / max(1.0, self._seconds - (self._step_begun - self._begun)))
        return start + (end - start) * (share or 0.0)

    def _left(self, now: float) -> float | None:
        gone = now - self._begun
        if self._done < _SURE:
            return None
        guess = gone * (1 - self._done) / self._done
        return round(guess if self._seconds is None or gone >= self._seconds else min(guess, self._seconds - gone), 1)

    def _line(self, facts: Mapping[str, Any]) -> None:
        line = json.dumps({"time": round(time.time(), 3), **facts})
        with suppress(OSError), open_to_append(self._path) as file:  # of a full disk says whoever needs it to save
            file.write(f"\n{line}\n".encode())  # the first end is that of a line that a killed process began


@dataclass
class Progress:
    """How far a job is, as read so far of what it wrote down."""

    folder: Path
    step: str | None = None
    text: str = ""
    share: float = 0.0
    seconds_left: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # by step, in their order
    notes: list[str] = field(default_factory=list)
    _offset: int = 0
    _time: float | None = None  # of the last line of a step
    _reading: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def read_on(self) -> bool:
        """Read what is new; whether there was anything. Each line counts once, however many threads read."""
        with self._reading:
            return self._read_on()

    def _read_on(self) -> bool:
        try:
            with open_file(self.folder / FILE, most=_MOST, links=False) as file:
                file.seek(self._offset)
                content = file.read()
        except OSError:  # not begun
            return False
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            with suppress(ValueError):  # one that a killed process began, or that is none
                self._take(_Line.model_validate_json(line))
        return bool(whole)

    def _take(self, line: _Line) -> None:
        if line.begun:
            self._time, self.seconds_left = None, None
        elif line.note is not None:
            if len(self.notes) < _MOST_NOTES and line.note not in self.notes:
                self.notes.append(line.note)
        elif line.step in self.seconds or (line.step is not None and len(self.seconds) < _MOST_STEPS):
            if self.step is not None and self._time is not None:
                self.seconds[self.step] += max(0.0, line.time - self._time)
            self.step, self._time = line.step, line.time
            self.seconds.setdefault(line.step, 0.0)
            self.text, self.seconds_left = line.text or "", line.left
            self.share = max(self.share, line.share)
