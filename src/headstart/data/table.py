"""CSV, TSV, JSON lines and Parquet, batch by batch; only the columns that are needed stay in memory."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from headstart.data import workbook
from headstart.data.accents import spellings
from headstart.data.arrow import (
    MOST_ROWS,
    Block,
    Damaged,
    parquet_blocks,
    plain_values,
    too_many_rows,
)
from headstart.data.cells import are_pictures, picture
from headstart.data.columns import Found, find_columns
from headstart.data.delimited import MOST_CHARACTERS, delimited_blocks
from headstart.data.indicators import indicator_cells
from headstart.data.json_rows import json_rows
from headstart.data.label_cells import label_cells, whole_numbers
from headstart.data.label_values import as_text
from headstart.data.named_files import read_named
from headstart.data.parts import in_parts
from headstart.data.photos import Photos, photos_beside, with_photos
from headstart.data.text_file import encoding_of, stem_of, suffix_of
from headstart.data.twins import by_option, refuse_twins
from headstart.errors import DataError, first_line
from headstart.inputs.paths import is_file
from headstart.values import Columns, Examples, Finding

SUFFIXES = (
    ".csv",
    ".tsv",
    ".txt",
    ".jsonl",
    ".ndjson",
    ".json",
    ".parquet",
    ".label",
    ".train",
    ".test",
    *workbook.SUFFIXES,
)
_JSON = (".jsonl", ".ndjson", ".json")
_SAMPLE = 2000  # rows to find columns in
_BLOCK = 10_000  # rows
_MOST_TOGETHER = 2**32  # characters of all texts and labels of a table


def read_table(path: Path, *, columns: Columns | None = None, need_label: bool = True) -> Examples:
    """Read a table file.

    Raises:
        DataError: empty, damaged, or without a column that fits.
    """
    asked = columns or Columns()
    ragged: list[Finding] = []
    with table_errors(path):
        blocks, notes = open_blocks(path, ragged, encoding=asked.encoding, delimiter=asked.delimiter)
        return read_blocks(blocks, asked, name=stem_of(path), where=path.name, base=path.parent, need_label=need_label,
                            notes=notes, findings=ragged)  # fmt: skip


def open_blocks(
    path: Path,
    ragged: list[Finding],
    *,
    absent: Any = None,
    rows: int = _BLOCK,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> tuple[Iterable[Block], list[str]]:
    """Blocks of rows by the file's ending, with notes on what was assumed; rows that cannot be read go to `ragged`.

    Args:
        absent: what a row of JSON has under a name that other rows have and it has not.
        rows: of a block, at most. When it is given out, `ragged` has all rows before its last one.
        encoding: of the text, where the user named it. delimiter: between its cells, likewise.
    """
    suffix = suffix_of(path)
    if delimiter and suffix in (".parquet", *_JSON, *workbook.SUFFIXES):
        raise DataError("it has no delimiter", where=f"{path}, --delimiter", fix="leave it out")
    if suffix == ".parquet":
        if path.suffix.lower() == ".gz":
            raise DataError("a .parquet in a .gz", where=str(path), fix=f"it is packed in itself: gunzip {path.name}")
        return parquet_blocks(path, rows), []
    if suffix in workbook.SUFFIXES:
        return workbook.workbook_blocks(path, rows)
    found, notes = encoding_of(path, encoding)
    if suffix in _JSON:
        return json_rows(path, found, ragged, absent, rows), notes
    blocks, more = delimited_blocks(path, ragged, rows, encoding=found, delimiter=delimiter)
    return blocks, [*notes, *more]


@contextmanager
def table_errors(path: Path | str) -> Iterator[None]:
    """A table that turns out to be damaged, while its blocks are gone through too."""
    try:
        yield
    except (Damaged, csv.Error, UnicodeError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read as a table: {first_line(error)}", where=str(path)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot be read: {reason}", where=str(path), fix="name a table's file") from None
    except MemoryError:
        raise DataError("it does not fit into memory", where=str(path), fix="give a part of it") from None


def read_blocks(
    blocks: Iterable[Block],
    asked: Columns,
    *,
    name: str,
    where: str,
    base: Path | None = None,
    need_label: bool = True,
    notes: Iterable[str] = (),
    findings: list[Finding] | None = None,
) -> Examples:
    """Blocks of rows as Examples; `base` is what relative image paths start from."""
    found: Found | None = None
    photos: Photos | None = None
    inputs: list[Any] = []
    cells: list[Any] = []
    named: list[str | None] = []
    groups: list[str | None] = []
    together = 0
    for block in blocks:
        if found is None:
            found, photos = _columns(block, asked, base, where, need_label=need_label)
        values = _values(block, found, base or Path())
        marks = _cells(block, found, len(values[0]))
        parts = _texts(block[found.part]) if found.part else []
        of = _texts(block[found.group]) if found.group else []
        for column in (*_counted(values, found), _written(marks, found), parts, of):
            together += _characters(column, where, findings or [], len(inputs))
        if len(inputs) + len(values[0]) > MOST_ROWS:
            raise too_many_rows(where)
        if together > _MOST_TOGETHER:
            raise DataError(f"more than {_MOST_TOGETHER:,} characters", where=where, fix="give a part of it")
        inputs += values[0] if found.holds == "pictures" else _INPUTS[found.kind](values, photos)
        cells += marks
        named += parts
        groups += of
    if found is None:
        seen = "".join(f": {finding.where} is left out: {finding.reason}" for finding in (findings or ())[:1])
        raise DataError(f"no rows{seen}", where=where, fix="a table has one row an example, with names of its columns")
    rows = list(islice(row_names(where, row_numbers(findings or ())), len(inputs)))
    more: list[str] = []
    if found.holds == "files":
        folder = Path(asked.image_root) if asked.image_root else base or Path()
        named_so = [_on_disk(name, folder) for name in inputs]
        inputs, more = read_named(named_so, folder, where=where, encoding=asked.encoding)
    cells, told = indicator_cells(cells, found.labels, rows) if len(found.labels) > 1 else whole_numbers(cells)
    whole = Examples(
        kind=found.kind,
        name=name,
        inputs=inputs,
        targets=cells,
        where=rows,
        separator=asked.separator,
        columns=found.columns(asked.separator),
        named_groups=groups if found.group else None,
        findings=tuple(findings or ()),
        notes=(*notes, *found.notes, *more, *told),
    )
    return in_parts(whole, named) if need_label else whole


def _columns(
    block: Block, asked: Columns, base: Path | None, where: str, *, need_label: bool
) -> tuple[Found, Photos | None]:
    """Which columns the first block of a table says to take, and where the photos lie that it names."""
    first = {name: plain_values(column[:_SAMPLE]) for name, column in block.items()}
    sample = {name: [] if are_pictures(column) else _texts(column) for name, column in first.items()}
    asked = with_photos(sample, asked, base) if base is not None else asked
    found = find_columns(sample, first, asked, where=where, need_label=need_label)
    taken = {**by_option(found.columns(None)), **({found.part: ""} if found.part else {})}
    said = refuse_twins(sample, taken, by_option(asked), where)
    found = replace(found, notes=(*found.notes, *said))
    if found.holds != "names" or base is None:
        return found, None
    return found, photos_beside(sample[found.values[0]], base, asked.image_root, base / where)


def _counted(values: list[list[Any]], found: Found) -> list[list[Any]]:
    """The columns whose sizes tell how much is in memory."""
    return [[value for value in values[0] if isinstance(value, bytes)]] if found.holds == "pictures" else values


def _values(block: Block, found: Found, base: Path) -> list[list[Any]]:
    """The columns of the inputs: texts, names of photos or of texts, or the pictures that cells hold."""
    if found.holds == "pictures":
        return [[picture(value, base) for value in plain_values(block[found.values[0]])]]
    return [_texts(block[name]) for name in found.values]


def _paths(columns: list[list[str | None]], photos: Photos | None) -> list[Any]:
    """Paths of images, from where they lie."""
    return [path or "" for path in columns[0]] if photos is None else photos.paths(columns[0])


def _joined(columns: list[list[str | None]], photos: Photos | None) -> list[Any]:
    """Texts; of several columns, one below the other."""
    if len(columns) == 1:
        return [value or "" for value in columns[0]]
    return ["\n".join(filter(None, values)) for values in zip(*columns, strict=True)]


def _paired(columns: list[list[str | None]], photos: Photos | None) -> list[Any]:
    """Pairs of texts; the columns before the last one are joined."""
    return list(zip(_joined(columns[:-1], photos), _joined(columns[-1:], photos), strict=True))


def _on_disk(name: str | None, folder: Path) -> str | None:
    """The name of a file as the disk writes its accents."""
    return name if not name or name.isascii() else next((one for one in spellings(name) if is_file(folder / one)), name)


_INPUTS = {"image": _paths, "text": _joined, "pair": _paired}


def _cells(block: Block, found: Found, n: int) -> list[Any]:
    """What the columns of targets hold: a cell a row, of several columns a tuple of what they hold."""
    if not found.labels:
        return [None] * n
    if len(found.labels) == 1:
        values = plain_values(block[found.labels[0]])
        return values if all(type(value) is str for value in values) else label_cells(values, where="label")
    return list(zip(*(plain_values(block[name]) for name in found.labels), strict=True))


def _written(marks: list[Any], found: Found) -> list[str | None]:
    """The texts among cells, or among those of several columns."""
    together = chain.from_iterable(marks) if len(found.labels) > 1 else marks
    return [mark if isinstance(mark, str) else None for mark in together]


def _texts(column: Any) -> list[str | None]:
    return [value if type(value) is str else as_text(value) for value in plain_values(column)]


def _characters(values: list[str | None], where: str, findings: list[Finding], before: int) -> int:
    """How many these are together; `before` rows come before them."""
    together = sum(map(len, filter(None, values)))
    if together > MOST_CHARACTERS:
        for number, value in enumerate(values):
            if isinstance(value, str) and len(value) > MOST_CHARACTERS:
                what = f"a text of more than {MOST_CHARACTERS // 10**6} million characters"
                place = next(islice(row_names(where, row_numbers(findings)), before + number, None))
                raise DataError(what, where=place, fix="shorten it, or leave it out")
    return together


def row_names(where: str, left_out: Collection[int]) -> Iterator[str]:
    """Names of one row after the other, numbered as in the file: rows that were left out count.

    Args:
        left_out: numbers of such rows; it may grow while rows are named, as long as it is ahead of them.
    """
    return (f"{where} row {number}" for number in count(1) if number not in left_out)


def row_numbers(findings: Iterable[Finding]) -> set[int]:
    """Of the rows that these findings, made while a table was read, are about."""
    return {int(finding.where.rsplit(" ", 1)[1]) for finding in findings}
