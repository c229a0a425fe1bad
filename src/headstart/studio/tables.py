"""A table of examples: the file that was sent, what its columns were taken for, and what the user says instead."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from headstart.data.files.arrow import plain_values
from headstart.data.files.endings import READ_AS_TABLES, ending_of
from headstart.data.tables.table import open_blocks, table_errors
from headstart.errors import DataError, UserError, shortened
from headstart.inputs.shown import beginning
from headstart.serve.refused import RefusedError
from headstart.storage.places import cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.examples import CHOICES, ClassCount, ClassFacts, Source, columns_of, dataset_in
from headstart.studio.facts import Facts, known_facts, write_facts
from headstart.studio.names import file_stem, free_file
from headstart.studio.plain_words import plain_words
from headstart.studio.uploads import Upload
from headstart.studio.workspace import CORRECTED, Project, Workspace
from headstart.values import Columns, Dataset, Passages

_SHOWN_ROWS, _MOST_COLUMNS = 20, 200
_FEWEST = 20  # rows, with which training begins to make sense
_LONGEST = 1000  # characters of a column's name
_WIDEST = 2000  # columns of a table
_KEPT = "table.json"  # what was read of the table, so that it is read once


class _About(Facts):
    """What was read of a table."""

    columns: list[str]
    rows: list[list[str]]
    n_rows: int = Field(ge=0)
    n_used: int = Field(ge=0)
    classes: list[ClassFacts]
    guess: dict[str, Any] | None
    error: str | None
    chosen: dict[str, Any]


class _Kept(Facts):
    """What `table.json` holds: what was read, and of what."""

    key: list[Any]
    about: _About


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
        about = self._known()
        return [] if about is None else [ClassCount(each.name, each.n) for each in about.classes]

    def count(self) -> int | None:
        about = self._known()
        return about.n_rows if about is not None else 0 if self._project.table is None else None

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
        files = [(file.name, known) for file in (self.path, self._corrected) if (known := identity_of(file))]
        return repr([*files, sorted((self._project.columns or {}).items())])

    @property
    def _corrected(self) -> Path:
        return self._project.folder / CORRECTED / f"{CORRECTED}.jsonl"

    def source(self) -> Source:
        about = self.table()
        if about is not None and about["error"] is not None:
            raise RefusedError(422, about["error"], fix="add another table, or choose other columns")
        chosen = columns_of(self._project.columns or {}) if self._project.columns else None
        return Source(self.path, self.choice.task, chosen, self._corrected if self._corrected.exists() else None)

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
        chosen = self._project.columns or {}
        if (known := self._known()) is not None:
            return known.model_dump()
        if identity_of(self.path) is None:
            return _unread(f"The file {self._project.table} is gone: add the table again.") | {"chosen": chosen}
        key = self._key()
        about = about_table(self.path, self.choice) | {"chosen": chosen}
        write_facts(self._project.folder / _KEPT, {"key": key, "about": about})
        return about

    def _key(self) -> list[Any]:
        """Another one where the table would have to be read again."""
        return [self._project.table, identity_of(self.path), self._project.columns or {}]

    def _known(self) -> _About | None:
        """What was read of the table; None: it is not read yet, or there is none."""
        if self._project.table is None or identity_of(self.path) is None:
            return None
        kept = known_facts(self._project.folder / _KEPT, _Kept)
        return None if kept is None or kept.key != self._key() else kept.about

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
    """Of a file: another one has another, and one that was changed, too. None: it is gone, or a link."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns] if stat.S_ISREG(status.st_mode) else None


def table_file(name: str) -> str:
    """A file's name as it is kept. Raises RefusedError where it is not that of a table."""
    lower = name.lower()
    ending, packed = ending_of(lower), ".gz" if lower.endswith(".gz") else ""
    if ending not in READ_AS_TABLES:
        what = f"a file of the kind {shortened(ending, 20)} is no table" if ending else "a file without an ending"
        raise RefusedError(415, what, fix="save it as CSV, or as an Excel workbook (.xlsx)")
    stem = file_stem(name[: len(name) - len(packed)])
    return f"{stem or 'table'}{ending}{packed}"


def about_table(path: Path, choice: Choice) -> dict[str, Any]:
    """The first rows of a table and its columns, and what they are taken for."""
    columns: list[str] = []
    rows: list[list[str]] = []
    n = 0
    try:
        columns, rows, n = _first_rows(path, choice.columns)
        if len(columns) > _WIDEST:
            what = f"the table has {len(columns):,} columns, more than {_WIDEST:,}"
            raise DataError(what, fix="leave out those that say nothing of the examples")
        dataset = dataset_in(path, choice.columns, choice.task)
        if isinstance(dataset.inputs, Passages):
            columns, rows, n = _first_questions(dataset)
    except UserError as error:
        return _unread(plain_words(error, about=path), columns[:_MOST_COLUMNS], rows, n)
    used = dataset.columns or Columns()
    labelled = np.flatnonzero([target is not None for target in dataset.targets])
    counts = dataset.counts(labelled) if dataset.classes else ()
    classes = [{"name": name, "n": int(count)} for name, count in zip(dataset.classes, counts, strict=True)]
    guess = {
        "task": dataset.task.name,
        "title": dataset.title,
        "text": used.texts[0] if len(used.texts) == 1 else list(used.texts) or None,
        "text2": used.text2,
        "image": None,
        "label": used.label,
        "labels": None if used.labels is None else list(used.labels),
        "notes": [said for note in dataset.notes if (said := plain_words(note, about=path))],
    }
    shown = columns[:_MOST_COLUMNS]
    return _said(shown, rows, n or len(dataset), guess=guess, used=len(labelled), classes=classes)


def _first_rows(path: Path, asked: Columns) -> tuple[list[str], list[list[str]], int]:
    """Names of columns, the first rows, and how many there are."""
    columns: list[str] = []
    rows: list[list[str]] = []
    n = 0
    with table_errors(path):
        for block in open_blocks(path, [], asked, absent="")[0]:
            columns = columns or list(block)
            more = len(next(iter(block.values()), ()))
            if few := _SHOWN_ROWS - len(rows):
                cells = [[_cell(v) for v in islice(plain_values(block[name]), few)] for name in columns[:_MOST_COLUMNS]]
                rows += [list(row) for row in zip(*cells, strict=True)]
            n += more
    return columns, rows, n


def rows_of(path: Path, choice: Choice) -> int:
    """How many rows a table has. Raises UserError where it cannot be read."""
    return _first_rows(path, choice.columns)[2]


def _first_questions(dataset: Dataset) -> tuple[list[str], list[list[str]], int]:
    """As `_first_rows`, of questions with their texts, which a file may have within one another."""
    answers = [row[0][0] if row else "" for row in dataset.targets[:_SHOWN_ROWS]]
    asked = zip(dataset.passages, answers, strict=False)
    rows = [[_cell(question), _cell(answer), _cell(text)] for (question, text), answer in asked]
    return ["question", "answer", "text"], rows, len(dataset)


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
