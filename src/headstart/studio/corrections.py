"""Rows of a table with other labels, or left out: written as a new table beside the old one, which stays as it is.

The rows are those of the table that was checked, also once some of them were changed: what was changed since is kept,
and each new table is made of that one with all of it.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from headstart.data.as_written import as_written
from headstart.data.tables.rewritten import rewritten
from headstart.errors import DataError
from headstart.serve.refused import RefusedError
from headstart.storage.places import as_utf8, cannot_write
from headstart.storage.renames import rename_new
from headstart.studio.examples import dataset_in
from headstart.studio.facts import Facts, FileName, known_facts, write_facts
from headstart.studio.kinds import table_of
from headstart.studio.names import free_file
from headstart.studio.tables import Choice, about_table, identity_of, rows_of
from headstart.studio.workspace import Project, Workspace
from headstart.values import Columns

_FILE = "corrections.json"
_ROW = re.compile(r"(?:.* )?row ([0-9]{1,9})", re.DOTALL)
_LONGEST = 200  # characters of a label
_MOST = 10_000  # changes of one request


class _Kept(Facts):
    """What `corrections.json` holds."""

    base: FileName | None = None  # the table that was checked
    made: FileName | None = None  # of it and the changes
    identity: list[int] | None = None  # of what was made
    rows: dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], str | None] = Field(default_factory=dict)  # new labels


class Corrections:
    """What was changed in a project's table since it was checked. Whoever changes more has the project alone."""

    def __init__(self, project: Project, workspace: Workspace) -> None:
        self._project, self._workspace = project, workspace
        self._kept = known_facts(project.folder / _FILE, _Kept) or _Kept()

    def begin(self) -> None:
        """From now on, rows are those of the table as it is now."""
        if self._project.table is not None:
            write_facts(self._project.folder / _FILE, {"base": self._project.table, "made": None, "rows": {}})

    def changed_rows(self) -> set[str]:
        """Those that were changed since, as findings name them."""
        return {f"row {number}" for number in self._kept.rows} if self._is_current() else set()

    def _is_current(self) -> bool:
        """Whether the project's table is the checked one, or that one with the changes that are known."""
        base, made, table = self._kept.base, self._kept.made, self._project.table
        if base is None or table is None or identity_of(self._project.data / base) is None:
            return False
        if made is None:
            return base == table
        return table == made and identity_of(self._project.data / made) == self._kept.identity

    def apply(self, changes: Sequence[Mapping[str, Any]], table: str, *, undo: bool = False) -> int:
        """Give rows other labels, or leave them out; gives how many.

        Args:
            changes: each with `where`, and `label` or `remove`. table: whose rows they are.
            undo: have them as they were in the checked table instead.

        Raises:
            RefusedError: another table is learned from by now, or a change cannot be done.
        """
        if not self._is_current() or table != self._kept.base:
            raise RefusedError(409, "the table is another one than was checked", fix="check it again")
        wanted = _wanted(changes)
        examples = table_of(self._project, self._workspace)
        base, before = self._project.data / table, self._kept.rows
        rows = {k: v for k, v in before.items() if k not in wanted} if undo else {**before, **wanted}
        n = rows_of(base, examples.choice)
        for number in wanted:
            if not 1 <= int(number) <= n:
                raise RefusedError(422, f"there is no row {number}", where=table, fix=f"it has {n:,} rows")
        made, written_anew = self._written(base, rows, examples.choice)
        choice = {k: v for k, v in (self._project.columns or {}).items() if k not in ("delimiter", "encoding")}
        columns = choice if written_anew else self._project.columns
        examples.of(made.name, columns)
        identity = identity_of(made)
        facts = {"base": base.name, "made": made.name, "identity": identity, "rows": rows}
        write_facts(self._project.folder / _FILE, facts)
        return len(wanted)

    def _written(self, base: Path, rows: Mapping[str, str | None], choice: Choice) -> tuple[Path, bool]:
        """A new table of the base, in the place of one that was made of it before; and whether in another format."""
        dataset = dataset_in(base, choice.columns, choice.task)
        label = None if dataset.columns is None else dataset.columns.label
        labels = {int(number): value for number, value in rows.items() if value is not None}
        drop = {int(number) for number, value in rows.items() if value is None}
        if labels and label is None:
            raise RefusedError(
                422, "what each row is does not stand in one column", fix="change it in the table itself"
            )
        with self._workspace.room() as room:
            new, anew = room / base.name.removesuffix(".gz"), False
            try:
                _write(new, rewritten(base, choice.columns, drop=drop, labels=labels, label=label))
            except DataError:  # of a format that no single rows can be taken out of
                new, anew = room / f"{base.name.partition('.')[0]}.csv", True
                _write(new, _as_csv(base, choice.columns, drop, labels, label))
            kept = Choice(Columns(text=choice.columns.text), choice.task) if anew else choice
            about = about_table(new, kept)
            if about["error"] is not None or about["n_used"] < len(dataset) - len(drop):
                what = "the table cannot be written with these changes so that it is read as before"
                raise RefusedError(422, what, fix="change it in the table itself, and add it again")
            return self._placed(new), anew

    def _placed(self, new: Path) -> Path:
        """The new table where it stays: in the place of the one that was made of the same base before, if any."""
        before = self._kept.made
        try:
            with new.open("rb") as file:
                os.fsync(file.fileno())
            if before is not None and Path(before).suffix == new.suffix:
                return new.replace(self._project.data / before)
            place = free_file(self._project.data / new.name)
            rename_new(new, place)
        except OSError as error:
            raise cannot_write(self._project.data, error) from error
        return place


def _wanted(changes: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """By the number of a row, its new label; None: it goes. Raises RefusedError where a change is none."""
    if len(changes) > _MOST:
        raise RefusedError(413, f"{len(changes):,} changes", where="changes", fix=f"send at most {_MOST:,} at a time")
    wanted: dict[str, str | None] = {}
    for number, change in enumerate(changes, start=1):
        row, label = _ROW.fullmatch(str(change.get("where"))), change.get("label")
        if row is None:
            raise RefusedError(422, "it names no row", where=f"change {number}", fix='send {"where": "row 12", ...}')
        if change.get("remove"):
            wanted[str(int(row[1]))] = None
            continue
        if not isinstance(label, str) or not label.strip() or len(label) > _LONGEST:
            raise RefusedError(422, "it has no label", where=f"change {number}", fix="send a label, or remove: true")
        wanted[str(int(row[1]))] = label.strip()
    if not wanted:
        raise RefusedError(422, "there is nothing to change", where="changes", fix="send at least one")
    return wanted


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _as_csv(
    path: Path, asked: Columns, drop: set[int], labels: Mapping[int, str], label: str | None
) -> Iterable[bytes]:
    """The rows of a table of any format as CSV."""
    names, rows = as_written(path, asked)
    column = None if label is None else names.index(label)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for number, row in enumerate(rows, start=1):
        if number in drop:
            continue
        if number in labels and column is not None:
            row = [*row[:column], labels[number], *row[column + 1 :]]
        writer.writerow(row)
        yield as_utf8(text.getvalue())
        text.seek(0)
        text.truncate()
