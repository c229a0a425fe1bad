"""A table of examples: the file that was sent, what its columns were taken for, and what the user says instead."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.files.arrow import plain_values
from headstart.data.files.endings import READ_AS_TABLES, ending_of
from headstart.data.read import read
from headstart.data.tables.table import open_blocks, table_errors
from headstart.errors import DataError, UserError, shortened
from headstart.inputs.shown import beginning
from headstart.serve.refused import RefusedError
from headstart.storage.places import cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.examples import CHOICES, ClassCount, Source, columns_of
from headstart.studio.facts import read_facts, write_facts
from headstart.studio.names import file_stem
from headstart.studio.plain_words import plain_words
from headstart.studio.uploads import Upload
from headstart.studio.workspace import Project, Workspace
from headstart.tasks.table import TASKS
from headstart.values import Columns, Dataset, Request

_SHOWN_ROWS, _MOST_COLUMNS = 20, 200
_FEWEST = 20  # rows, with which training begins to make sense
_LONGEST = 1000  # characters of a column's name
_KEPT = "table.json"  # what was read of the table, so that it is read once
CORRECTED = "corrected"  # the folder of single examples that were corrected while the model was tried


@dataclass(frozen=True)
class Choice:
    """What the user says of the columns, where the guess is wrong."""

    columns: Columns
    task: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Choice:
        """Of the facts of a project, which are checked."""
        return cls(columns_of(said), said.get("task") or "auto")


class Table:
    """The table of a project. Whoever changes it has the project alone."""

    def __init__(self, project: Project, workspace: Workspace) -> None:
        self._project, self._workspace = project, workspace

    @property
    def choice(self) -> Choice:
        return Choice.of(self._project.columns or {})

    @property
    def path(self) -> Path:
        """The file. Raises RefusedError where there is none yet."""
        if self._project.table is None:
            raise RefusedError(404, "there is no table yet", fix="add one: CSV, Excel or JSON lines")
        return self._project.data / self._project.table

    def classes(self) -> list[ClassCount]:
        about = self.table() or {}
        return [ClassCount(each["name"], each["n"]) for each in about.get("classes", ())]

    def count(self) -> int:
        return int((self.table() or {}).get("n_rows", 0))

    def why_not(self) -> str | None:
        about = self.table()
        if about is None:
            return "Add a table with one example a row: a column of texts, and a column of what each of them is."
        if about["error"] is not None:
            return str(about["error"])
        if about["n_used"] < _FEWEST:
            rows = f"{about['n_used']} row{'' if about['n_used'] == 1 else 's'}"
            return f"The table has {rows} that can be used: {_FEWEST} are the least, and hundreds are better."
        if about["classes"] and len(about["classes"]) < 2:
            return f"Every row is {about['classes'][0]['name']!r}: add rows of a second class."
        return None

    def fingerprint(self) -> str:
        now = self.source()
        files = [now.data, *([] if now.feedback is None else [now.feedback])]
        return repr(
            [*((file.name, identity_of(file)) for file in files), sorted((self._project.columns or {}).items())]
        )

    def source(self) -> Source:
        corrected = self._project.folder / CORRECTED / f"{CORRECTED}.jsonl"
        chosen = columns_of(self._project.columns or {}) if self._project.columns else None
        return Source(self.path, self.choice.task, chosen, corrected if corrected.exists() else None)

    def snapshot(self, folder: Path) -> Source:
        now = self.source()
        try:
            folder.mkdir(parents=True)
            data = Path(shutil.copyfile(now.data, folder / now.data.name))
            if now.feedback is None:
                return replace(now, data=data)
            (folder / CORRECTED).mkdir()
            feedback = Path(shutil.copyfile(now.feedback, folder / CORRECTED / now.feedback.name))
            return replace(now, data=data, feedback=feedback)
        except OSError as error:
            raise cannot_write(folder, error) from error

    def table(self) -> dict[str, Any] | None:
        """The first rows, and what the columns are taken for; read once for as long as nothing changes."""
        if self._project.table is None:
            return None
        identity = identity_of(self.path)
        if identity is None:
            return _unread(f"The file {self._project.table} is gone: add the table again.")
        chosen = self._project.columns or {}
        key = [self._project.table, identity, chosen]
        kept = read_facts(self._project.folder / _KEPT)
        if kept is not None and kept.get("key") == key and isinstance(kept.get("about"), dict):
            return dict(kept["about"])
        about = about_table(self.path, self.choice) | {"chosen": chosen}
        write_facts(self._project.folder / _KEPT, {"key": key, "about": about})
        return about

    def put(self, upload: Upload) -> Table:
        """Learn from a file that was sent, from now on; one that was there stays beside it.

        Raises:
            RefusedError: its ending is none of a table's, or it is too large.
        """
        name = table_file(upload.name)
        if upload.too_large:
            what = f"the table has more than {upload.most / 2**20:.0f} MB"
            raise RefusedError(413, what, fix="send a part of it")
        path = free_file(self._project.data / name)
        try:
            with upload.path.open("rb") as file:
                os.fsync(file.fileno())
            rename_new(upload.path, path)
        except OSError as error:
            raise cannot_write(path, error) from error
        return self.of(path.name, None)

    def choose(self, said: Mapping[str, Any]) -> Table:
        """Take other columns than were guessed: what is None is guessed again, what is not named stays.

        Raises:
            RefusedError: they are no names of columns.
        """
        for name, value in said.items():
            texts = value if isinstance(value, list) and name in ("text", "labels") else [value]
            right = all(isinstance(text, str) and 0 < len(text) <= _LONGEST for text in texts)
            if name not in (*CHOICES, "task") or not (value is None or (right and len(texts) <= _MOST_COLUMNS)):
                raise RefusedError(422, "no name of a column", where=shortened(name, 40), fix="choose one of the list")
        chosen = {**(self._project.columns or {}), **said}
        return self.of(self.path.name, {name: value for name, value in chosen.items() if value is not None})

    def of(self, table: str | None, columns: dict[str, Any] | None) -> Table:
        """The project with another table of its folder, and other columns."""
        return Table(replace(self._project, table=table, columns=columns or None).saved(), self._workspace)


def identity_of(path: Path) -> list[int] | None:
    """Of a file: another one has another, and one that was changed, too. None: it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]


def table_file(name: str) -> str:
    """A file's name as it is kept. Raises RefusedError where it is not that of a table."""
    lower = name.lower()
    ending, packed = ending_of(lower), ".gz" if lower.endswith(".gz") else ""
    if ending not in READ_AS_TABLES:
        what = f"a file of the kind {shortened(ending, 20)} is no table" if ending else "a file without an ending"
        raise RefusedError(415, what, fix="save it as CSV, or as an Excel workbook (.xlsx)")
    stem = file_stem(name[: len(name) - len(packed)])
    return f"{stem or 'table'}{ending}{packed}"


def free_file(path: Path) -> Path:
    """The path, or one beside it that nothing has yet: reviews.csv, reviews.2.csv."""
    ending = ".gz" if path.suffix == ".gz" else ""
    inner = path.with_suffix("") if ending else path
    stem, number, free = re.sub(r"\.\d+$", "", inner.stem), 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{stem}.{number}{inner.suffix}{ending}")
    return free


def dataset_in(path: Path, choice: Choice) -> Dataset:
    """The examples of a table. Raises UserError where it cannot be learned from."""
    dataset = read(Request(path, None, None, choice.task, None, choice.columns, allow_rejected=True), TASKS)
    if not dataset.modality.in_tables:
        what = f"the table names {dataset.modality.noun}s, and only texts are learned from here"
        raise DataError(what, fix="make a project of photos, and drop them there")
    return dataset


def about_table(path: Path, choice: Choice) -> dict[str, Any]:
    """The first rows of a table and its columns, and what they are taken for."""
    columns: list[str] = []
    rows: list[list[str]] = []
    n = 0
    try:
        columns, rows, n = _first_rows(path, choice.columns)
        dataset = dataset_in(path, choice)
    except UserError as error:
        return _unread(plain_words(error), columns, rows, n)
    used = dataset.columns or Columns()
    counts = dataset.counts(np.arange(len(dataset))) if dataset.classes else ()
    classes = [{"name": name, "n": int(count)} for name, count in zip(dataset.classes, counts, strict=True)]
    guess = {
        "task": dataset.task.name,
        "title": dataset.title,
        "text": used.texts[0] if len(used.texts) == 1 else list(used.texts) or None,
        "text2": used.text2,
        "image": None,
        "label": used.label,
        "labels": None if used.labels is None else list(used.labels),
        "notes": [said for note in dataset.notes if (said := plain_words(note))],
    }
    return _said(columns, rows, n or len(dataset), guess=guess, used=len(dataset), classes=classes)


def _first_rows(path: Path, asked: Columns) -> tuple[list[str], list[list[str]], int]:
    """Names of columns, the first rows, and how many there are."""
    columns: list[str] = []
    rows: list[list[str]] = []
    n = 0
    with table_errors(path):
        for block in open_blocks(path, [], asked, absent="")[0]:
            columns = columns or list(block)[:_MOST_COLUMNS]
            more = len(next(iter(block.values()), ()))
            if few := _SHOWN_ROWS - len(rows):
                cells = [[_cell(v) for v in islice(plain_values(block[name]), few)] for name in columns]
                rows += [list(row) for row in zip(*cells, strict=True)]
            n += more
    return columns, rows, n


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    return "" if value is None else beginning(str(value))


def _unread(
    error: str, columns: list[str] | None = None, rows: list[list[str]] | None = None, n: int = 0
) -> dict[str, Any]:
    return _said(columns or [], rows or [], n, error=error)


def _said(
    columns: list[str],
    rows: list[list[str]],
    n: int,
    *,
    guess: dict[str, Any] | None = None,
    used: int = 0,
    classes: list[dict[str, Any]] | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    facts = {"columns": columns, "rows": rows, "n_rows": n, "n_used": used, "classes": classes or []}
    return {**facts, "guess": guess, "error": error}
