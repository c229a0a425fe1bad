"""Shards as examples: tars of samples, or many Parquet files that are one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.columns.find import refuse_unused
from headstart.data.files.arrow import Block
from headstart.data.files.text_file import suffix_of
from headstart.data.shards.sources import TAR, Shards
from headstart.data.shards.tar_index import CLASS_NAMES, Shard, index_of
from headstart.data.shards.tar_rows import TarRows
from headstart.data.tables.parts import read_parts
from headstart.data.tables.table import open_blocks, read_blocks, table_errors
from headstart.errors import DataError, some_of
from headstart.inputs.paths import is_file
from headstart.inputs.text import read_text
from headstart.storage.columns import Lazy
from headstart.storage.joined import mapped_lazily
from headstart.values import Columns, Examples

_DIGITS, _SHOWN = 9, 20  # of the number of a class; characters of it that are shown
_MOST_NAMES = 2**24  # bytes of a file of names


def read_shards(
    shards: Shards, columns: Columns | None, *, need_label: bool = True, kind: str | None = None
) -> Examples:
    """Read some shards as examples, in their parts where their names say these.

    Args:
        kind: the modality whose inputs are wanted; None: any.

    Raises:
        DataError: one cannot be read, or what samples have is not plain.
    """
    refuse_unused(columns, "shards", "class_folders", "encoding", "delimiter")
    said: list[_Names] = []
    one = partial(_read_part, shards, need_label=need_label, kind=kind, said=said)
    named = [(part or "train", files) for part, files in shards.parts]
    if len(named) == 1:
        whole = one(named[0][1], columns)
    else:
        whole = read_parts(named, columns, one, header=lambda files, asked: _header(files, asked, said))
    whole = replace(whole, name=_title(shards))
    n, names = len(shards.files), _class_names(shards, said)
    notes = [f"{n:,} shards read, {len(whole):,} examples"] if n > 1 else []
    whole = replace(whole, notes=(*notes, *shards.notes, *whole.notes))
    return whole if names is None or not need_label else _numbered(whole, names)


@dataclass(frozen=True)
class _Names:
    """What a file says that the classes are called."""

    where: str
    names: tuple[str, ...]


def _title(shards: Shards) -> str:
    only = shards.files[0]
    return only.stem if len(shards.files) == 1 else shards.root.resolve().name


def _read_part(
    shards: Shards,
    files: Sequence[Path],
    columns: Columns | None,
    *,
    need_label: bool,
    kind: str | None,
    said: list[_Names],
) -> Examples:
    """The shards of one part."""
    asked, where = columns or Columns(), _where(shards, files)
    if suffix_of(files[0]) == TAR:
        return _read_tars(shards, files, asked, where, need_label=need_label, kind=kind, said=said)
    tables = _Tables(shards, files, asked)
    with table_errors(where):
        return read_blocks(
            tables.blocks(),
            asked,
            name=where,
            where=where,
            base=files[0].parent,
            need_label=need_label,
            kind=kind,
            places=tables.places,
        )


def _read_tars(
    shards: Shards,
    files: Sequence[Path],
    asked: Columns,
    where: str,
    *,
    need_label: bool,
    kind: str | None,
    said: list[_Names],
) -> Examples:
    index = index_of([Shard(file, shards.name_of(file)) for file in files])
    rows = TarRows(index, asked, where)
    if index.class_names is not None:
        _name, file = index.class_names
        said.append(_Names(file.name, _lines(file.read().decode("utf-8", "replace"))))
    with table_errors(where):
        found = read_blocks(
            rows.blocks(),
            rows.columns(need_label=need_label),
            name=where,
            where=where,
            need_label=need_label,
            kind=kind,
            places=lambda n: rows.where(),
        )
    notes = (*index.notes, *found.notes, *rows.notes())
    return replace(found, findings=(*index.findings, *found.findings), notes=notes)


@dataclass
class _Tables:
    """Parquet files that are one table, one behind the other."""

    shards: Shards
    files: Sequence[Path]
    asked: Columns
    starts: list[int] = field(default_factory=lambda: [0])

    def blocks(self) -> Iterator[Block]:
        names: list[str] = []
        for file in self.files:
            n = 0
            for block in open_blocks(file, [], self.asked)[0]:
                names = names or list(block)
                lacking = [name for name in names if name not in block]
                if lacking:
                    what = f"no column {some_of(lacking)}, as {self.shards.name_of(self.files[0])} has"
                    raise DataError(what, where=str(file), fix="name files that are of one table")
                n += len(next(iter(block.values())))
                yield block
            self.starts.append(self.starts[-1] + n)

    def places(self, n: int) -> Lazy[str]:
        """What to call each row: the file that it is in, and its number there."""
        starts, names = np.array(self.starts), [self.shards.name_of(file) for file in self.files]

        def place(row: int) -> str:
            file = int(np.searchsorted(starts, row, side="right")) - 1
            return f"{names[file]} row {row - int(starts[file]) + 1}"

        return Lazy(place, range(n))


def _header(files: Sequence[Path], asked: Columns | None, said: list[_Names]) -> list[str]:
    """The columns that the shards of a part have."""
    if suffix_of(files[0]) == TAR:
        rows = TarRows(index_of([Shard(files[0], files[0].name)]), asked or Columns(), files[0].name)
        return list(next(rows.blocks(), {}))
    return list(next(iter(open_blocks(files[0], [], asked or Columns())[0]), {}))


def _where(shards: Shards, files: Sequence[Path]) -> str:
    """What to call the shards of a part."""
    first = shards.name_of(files[0])
    return first if len(files) == 1 else f"{first} and {len(files) - 1:,} more"


def _class_names(shards: Shards, said: Sequence[_Names]) -> _Names | None:
    """What the numbers of classes stand for, as a file beside the shards says it, or one in them."""
    folders = dict.fromkeys((shards.root, *(file.parent for file in shards.files), shards.root.parent))
    only_tars = suffix_of(shards.files[0]) == TAR
    for folder in folders if only_tars else ():
        for name in CLASS_NAMES:
            if is_file(folder / name) and (folder != shards.root.parent or shards.root.name in ("train", "test")):
                return _Names(name, _lines(read_text(folder / name, most=_MOST_NAMES)))
    return said[0] if said else None


def _lines(text: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.splitlines()]
    return tuple(lines[: max((n for n, line in enumerate(lines, 1) if line), default=0)])


def _numbered(whole: Examples, said: _Names) -> Examples:
    """With the names of classes in the place of their numbers, which start from 0.

    Raises:
        DataError: a number has no name.
    """
    numbers = {cell for cell in whole.targets if cell is not None}
    if not numbers or not all(isinstance(cell, str) and cell.isascii() and cell.isdigit() for cell in numbers):
        return whole
    fix = f"repair {said.where}, or move it away"
    for cell in sorted(numbers, key=lambda cell: (-len(cell), cell)):
        if len(cell.lstrip("0")) > _DIGITS or _class_number(cell) >= len(said.names):
            what = (
                f"class {cell[:_SHOWN]}, and {said.where} has {len(said.names)} names, for 0 to {len(said.names) - 1}"
            )
            raise DataError(what, where=whole.name, fix=fix)
        if not said.names[_class_number(cell)]:
            line = _class_number(cell) + 1
            raise DataError(
                f"class {cell[:_SHOWN]}, and line {line} of {said.where} is empty", where=whole.name, fix=fix
            )
    named: Callable[[Any], Any] = lambda cell: None if cell is None else said.names[_class_number(cell)]  # noqa: E731
    notes = (*whole.notes, f"classes are called by the lines of {said.where}, the first of which is class 0")
    return replace(whole, targets=mapped_lazily(whole.targets, named), notes=notes)


def _class_number(cell: str) -> int:
    """The number in a cell, of which what is before its last digits is zeros."""
    return int(cell[-_DIGITS:])
