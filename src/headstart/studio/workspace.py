"""The workspace: a folder of projects on disk, that one server has at a time, and in which nothing is deleted."""

from __future__ import annotations

import datetime
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from headstart.errors import UserError, short_name
from headstart.serve.refused import RefusedError
from headstart.storage.locks import take_lock
from headstart.storage.places import cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.facts import read_facts, write_facts
from headstart.studio.limits import StudioLimits, refuse_full_disk
from headstart.studio.names import project_name, slug

FACTS = "project.json"
_VERSION = 1
_REMOVED, _INCOMING = ".removed", ".incoming"
_ID = re.compile(r"[\w][\w -]{0,100}")  # of a project: the name of its folder, which holds no dots


def now() -> str:
    """This moment in UTC, as JSON has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


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

    def saved(self) -> Project:
        """The same, once its facts are on the disk."""
        facts = asdict(self)
        del facts["folder"]
        write_facts(self.folder / FACTS, facts)
        return self


class Workspace:
    """A folder of projects. What changes a project does so within `alone`."""

    def __init__(self, folder: Path, limits: StudioLimits | None = None) -> None:
        """Raises UserError where it is no folder to write to, or another server has it."""
        self.limits = limits or StudioLimits()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.folder = folder.resolve()
        except OSError as error:
            raise cannot_write(folder, error) from error
        self._alone: dict[str, threading.RLock] = {}
        lock = take_lock(self.folder / ".studio", without_locks=True)
        if lock is None:
            fix = "use the one that runs, end it, or name another folder"
            raise UserError("another headstart studio has this folder open", where=str(folder), fix=fix)
        self._lock = lock
        # Halves of uploads, whose senders know of no success.
        shutil.rmtree(self.folder / _INCOMING, ignore_errors=True)

    def close(self) -> None:
        """Let another server have it."""
        self._lock.release()

    def __iter__(self) -> Iterator[Project]:
        """All projects, the newest first."""
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        projects = [project for name in names if (project := self._opened(name)) is not None]
        return iter(sorted(projects, key=lambda project: (project.created, project.id), reverse=True))

    def project(self, id: str) -> Project:
        """The project of an id. Raises RefusedError where there is none."""
        project = self._opened(id)
        if project is None:
            raise RefusedError(404, f"there is no project {short_name(id)!r}", fix="it may have been removed; go back")
        return project

    def _opened(self, id: str) -> Project | None:
        folder = self.folder / id
        if not _ID.fullmatch(id) or folder.is_symlink():
            return None
        facts = read_facts(folder / FACTS)
        return None if facts is None else _project(folder, facts)

    def create(self, name: str, kind: str) -> Project:
        """A new project without examples. Raises RefusedError where there are too many, or the disk is full."""
        name = project_name(name)
        refuse_full_disk(self.folder, self.limits)
        with self.alone(""):
            if sum(1 for _ in self) >= self.limits.projects:
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

    def rename(self, id: str, name: str) -> Project:
        """The project with another name for people; its folder stays."""
        self.project(id)
        with self.alone(id):
            return replace(self.project(id), name=project_name(name)).saved()

    def remove(self, path: Path) -> None:
        """Move something of the workspace to `.removed`, from where its owner can take it back.

        Raises:
            OutputError: it cannot be moved.
        """
        self.remove_all([path])

    def remove_all(self, paths: list[Path]) -> None:
        """As `remove`, all of them into one folder, where they lie as they lay."""
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H-%M-%S")
        top = self.folder / _REMOVED / f"{stamp}-{secrets.token_hex(3)}"
        for path in paths:
            place = top / path.relative_to(self.folder)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                path.rename(place)
            except OSError as error:
                raise cannot_write(place, error) from error

    @contextmanager
    def alone(self, id: str) -> Iterator[None]:
        """While no other request changes this project, which is there: its lock stays."""
        with self._alone.setdefault(id, threading.RLock()):  # in one step, whatever other threads do
            yield

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A folder for what is not finished yet, on the same disk; what is left in it is nobody's."""
        folder = self.folder / _INCOMING / secrets.token_hex(8)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _project(folder: Path, facts: dict[str, Any]) -> Project | None:
    """A project of its facts; None: they are not as a project of this version has them."""
    name, kind, created, table, columns = (facts.get(key) for key in ("name", "kind", "created", "table", "columns"))
    whole = all(isinstance(value, str) for value in (name, kind, created)) and facts.get("version") == _VERSION
    inside = table is None or (isinstance(table, str) and table == Path(table).name and not table.startswith("."))
    if not whole or not inside or not isinstance(columns, dict | None):
        return None
    return Project(folder, str(name), str(kind), str(created), table, columns)
