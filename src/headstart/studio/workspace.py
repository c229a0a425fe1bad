"""The workspace: a folder of projects on disk, that one server has at a time, and in which nothing is deleted."""

from __future__ import annotations

import datetime
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headstart.errors import UserError, short_name
from headstart.serve.refused import RefusedError
from headstart.storage.locks import take_lock
from headstart.storage.places import cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.examples import ColumnFacts
from headstart.studio.facts import DamagedError, Facts, FileName, read_facts, write_facts
from headstart.studio.limits import StudioLimits, refuse_full_disk
from headstart.studio.names import project_name, slug
from headstart.studio.plain_folders import A_FILE, FOLDER, is_file, refuse_other_kinds

FACTS, CORRECTED = "project.json", "corrected"  # the latter: single examples that were corrected while it was tried
_VERSION = 1
REMOVED, _INCOMING = ".removed", ".incoming"
REMOVED_ID = re.compile(r"[\dT-]{19}-[0-9a-f]{6}")  # of what was removed at once
_OURS = ".headstart-studio"  # in each folder for what is unfinished: what has it not is somebody else's, and stays
_LAYOUT = {  # of a project's folder: what is there is of this kind
    "data": FOLDER,
    "runs": FOLDER,
    "checks": FOLDER,
    "exports": FOLDER,
    CORRECTED: FOLDER,
    f"{CORRECTED}/{CORRECTED}.jsonl": A_FILE,
}
_ID = re.compile(r"[\w][\w -]{0,100}")  # of a project: the name of its folder, which holds no dots


def now() -> str:
    """This moment in UTC, as JSON has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


class _ProjectFacts(Facts):
    """What `project.json` holds."""

    version: int
    name: str
    kind: str
    created: str
    table: FileName | None = None
    columns: ColumnFacts | None = None


@dataclass(frozen=True)
class Project:
    """A project, as its folder says it."""

    folder: Path
    name: str
    kind: str  # of examples, by their name in `kinds.KINDS`
    created: str
    table: str | None = None  # the file in `data` that is learned from
    columns: dict[str, Any] | None = None  # of it, that the user chose
    version: int = field(default=_VERSION)

    @property
    def id(self) -> str:
        """What it is called in addresses."""
        return self.folder.name

    @property
    def address(self) -> str:
        """Of what is asked about it, from the page on."""
        return f"api/projects/{quote(self.id)}"

    @property
    def data(self) -> Path:
        """Its examples."""
        return self.folder / "data"

    def renamed(self, name: str) -> Project:
        """The same with another name for people; its folder stays. Raises RefusedError where it is none."""
        return replace(self, name=project_name(name)).saved()

    def saved(self) -> Project:
        """The same, once its facts are on the disk."""
        facts = asdict(self)
        del facts["folder"]
        write_facts(self.folder / FACTS, facts)
        return self


class Workspace:
    """A folder of projects. Whoever changes one has it alone, see `Studio.changing`."""

    def __init__(self, folder: Path, limits: StudioLimits | None = None) -> None:
        """Raises UserError where it is no folder to write to, or another server has it."""
        self.limits = limits or StudioLimits()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.folder = folder.resolve()
        except OSError as error:
            raise cannot_write(folder, error) from error
        lock = take_lock(self.folder / ".studio", without_locks=True)
        if lock is None:
            fix = "use the one that runs, end it, or name another folder"
            raise UserError("another headstart studio has this folder open", where=str(folder), fix=fix)
        self._lock = lock
        self._clear_incoming()

    def close(self) -> None:
        """Let another server have it."""
        self._lock.release()

    def _clear_incoming(self) -> None:
        """Remove halves of uploads, whose senders know of no success."""
        incoming = self.folder / _INCOMING
        with suppress(OSError):  # there is none; or something else has that name, or is in it too
            for room in incoming.iterdir():
                if is_file(room / _OURS):
                    shutil.rmtree(room, ignore_errors=True)
            incoming.rmdir()

    def ids(self) -> list[str]:
        """Of all projects, damaged ones too."""
        with os.scandir(self.folder) as entries:
            return sorted(entry.name for entry in entries if self._is_project(entry.name))

    def _is_project(self, id: str) -> bool:
        folder = self.folder / id
        return bool(_ID.fullmatch(id)) and not folder.is_symlink() and os.path.lexists(folder / FACTS)

    def folder_of(self, id: str) -> Path:
        """The folder of a project, which may be damaged. Raises RefusedError where there is none."""
        if not self._is_project(id):
            raise RefusedError(404, f"there is no project {short_name(id)!r}", fix="it may have been removed; go back")
        return self.folder / id

    def project(self, id: str) -> Project:
        """The project of an id. Raises RefusedError where there is none, DamagedError where it is not as one is."""
        folder = self.folder_of(id)
        facts = read_facts(folder / FACTS, _ProjectFacts)
        if facts is None:
            raise DamagedError(f"{FACTS} is gone", where=id)
        if facts.version != _VERSION:
            raise DamagedError("it was made by another version of headstart", where=id, fix="use that one for it")
        table = {} if facts.table is None else {f"data/{facts.table}": A_FILE}
        refuse_other_kinds(folder, {**_LAYOUT, **table})
        columns = None if facts.columns is None else facts.columns.model_dump(exclude_none=True)
        return Project(folder, facts.name, facts.kind, facts.created, facts.table, columns)

    def create(self, name: str, kind: str) -> Project:
        """A new project without examples. Raises RefusedError where there are too many, or the disk is full."""
        name = project_name(name)
        refuse_full_disk(self.folder, self.limits)
        if len(self.ids()) >= self.limits.projects:
            raise RefusedError(507, "there are too many projects", fix="remove some")
        folder = self._free(slug(name))
        with self.room() as unfinished:
            made = unfinished / "project"
            (made / "data").mkdir(parents=True)
            Project(made, name, kind, now()).saved()
            rename_new(made, folder)
        return self.project(folder.name)

    def _free(self, id: str) -> Path:
        """A folder of this name, or one like it, that nothing has yet."""
        number, free = 1, self.folder / id
        while os.path.lexists(free):
            number += 1
            free = self.folder / f"{id}-{number}"
        return free

    def remove(self, path: Path) -> str:
        """Move something of the workspace to `.removed`, from where its owner can take it back; gives what it is called
        there.

        Raises:
            OutputError: it cannot be moved.
        """
        return self.remove_all([path])

    def remove_all(self, paths: list[Path]) -> str:
        """As `remove`, all of them into one folder, where they lie as they lay."""
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H-%M-%S")
        top = self.folder / REMOVED / f"{stamp}-{secrets.token_hex(3)}"
        for path in paths:
            place = top / path.relative_to(self.folder)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                path.rename(place)
            except OSError as error:
                raise cannot_write(place, error) from error
        return top.name

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A folder for what is not finished yet, on the same disk; what is left in it is nobody's."""
        folder = self.folder / _INCOMING / secrets.token_hex(8)
        try:
            folder.mkdir(parents=True)
            (folder / _OURS).touch()
        except OSError as error:
            raise cannot_write(folder, error) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
