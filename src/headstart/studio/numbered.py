"""Folders with numbers in a project: of runs, checks and exports. A number is given once, and never again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from headstart.serve.refused import RefusedError
from headstart.storage.renames import rename_new
from headstart.studio.facts import Facts, known_facts, write_facts
from headstart.studio.jobs import Job, Jobs, asked_for, job_in
from headstart.studio.limits import refuse_full_disk
from headstart.studio.workspace import Workspace

_NUMBERED = re.compile(r"(\d{1,9})(?:-[a-z0-9-]+)?")
_LAST = ".last.json"
_MOST = 10**9  # by the digits that a number may have


class _Last(Facts):
    """The greatest number that was given."""

    last: int = Field(ge=0, lt=_MOST)


class Numbered:
    """The folders in one folder whose names begin with a number, each of which holds a job."""

    def __init__(self, folder: Path, noun: str) -> None:
        self.folder, self._noun = folder, noun

    def folders(self) -> dict[int, Path]:
        """By their numbers, in their order."""
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return {}
        found = {int(match[1]): self.folder / name for name in names if (match := _NUMBERED.fullmatch(name))}
        return dict(sorted(found.items()))

    def __getitem__(self, number: int) -> Path:
        """The folder of a number. Raises RefusedError where there is none."""
        folder = self.folders().get(number)
        if folder is None:
            raise RefusedError(404, f"there is no {self._noun} {number}", fix="it may have been removed; go back")
        return folder

    def jobs(self, jobs: Jobs) -> dict[int, Job]:
        """The jobs in them as they are now, by their numbers."""
        found = {number: jobs.of(folder) for number, folder in self.folders().items()}
        return {number: job for number, job in found.items() if job is not None}

    def job(self, jobs: Jobs, number: int, *, otherwise: str) -> Job:
        """The job of a number. Raises RefusedError, with what to do otherwise, where there is none."""
        job = jobs.of(self[number])
        if job is None:
            raise RefusedError(404, f"there is no {self._noun} {number}", fix=otherwise)
        return job

    def last(self) -> Path | None:
        """The folder with the greatest number."""
        return next(reversed(self.folders().values()), None)

    def make(
        self,
        workspace: Workspace,
        work: str,
        options: dict[str, Any],
        *,
        ending: str = "",
        fill: Callable[[Path], dict[str, Any]],
    ) -> Job:
        """A job that waits, in a folder with the next number, which is whole or not there.

        Args:
            fill: puts what the job needs into its folder, and gives more options.
        """
        refuse_full_disk(workspace.folder, workspace.limits)
        self.folder.mkdir(exist_ok=True)
        known = known_facts(self.folder / _LAST, _Last)
        number = max([*self.folders(), 0 if known is None else known.last]) + 1
        if number >= _MOST:
            raise RefusedError(507, f"no {self._noun} can have a greater number", fix="make the project anew")
        write_facts(self.folder / _LAST, {"last": number})
        place = self.folder / f"{number}{ending}"
        with workspace.room() as room:
            unfinished = room / "job"
            unfinished.mkdir()
            asked_for(unfinished, work, options | fill(unfinished))
            rename_new(unfinished, place)
        job = job_in(place)
        if job is None:
            raise RefusedError(503, f"the {self._noun} cannot be written", fix="try again")
        return job


def number_of(folder: Path) -> int:
    """The number in a folder's name."""
    match = _NUMBERED.fullmatch(folder.name)
    return 0 if match is None else int(match[1])
