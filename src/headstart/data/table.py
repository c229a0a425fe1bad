"""CSV, TSV, JSON lines and Parquet, batch by batch; only the columns that are needed stay in memory."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Literal

from headstart.data.arrow import (
    MOST_BYTES,
    MOST_ROWS,
    Block,
    Damaged,
    parquet_blocks,
    plain_values,
    too_many_rows,
    unique,
)
from headstart.data.columns import Found, find_columns
from headstart.data.indicators import indicator_cells
from headstart.data.json_rows import json_rows
from headstart.data.label_cells import label_cells
from headstart.data.label_values import as_text
from headstart.data.parts import in_parts
from headstart.data.text_file import encoding_of, leave_out, open_text
from headstart.errors import DataError, first_line
from headstart.storage.files import open_file
from headstart.values import Columns, Examples, Finding

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".label", ".train", ".test")
_SAMPLE = 2000  # rows to find columns in
_BLOCK = 10_000  # rows
MOST_CHARACTERS = 10_000_000  # of a cell
_MOST_TOGETHER = 2**32  # characters of all texts and labels of a table
_MOST_COLUMNS = 10_000
_MOST_CELLS = 5_000_000  # in a block


def read_table(path: Path, *, columns: Columns | None = None, need_label: bool = True) -> Examples:
    """Read a table file.

    Raises:
        DataError: empty, damaged, or without a column that fits.
    """
    asked = columns or Columns()
    ragged: list[Finding] = []
    with table_errors(path):
        blocks, notes = open_blocks(path, ragged)
        return read_blocks(blocks, asked, name=path.stem, where=path.name, base=path.parent, need_label=need_label,
                            notes=notes, findings=ragged)  # fmt: skip


def open_blocks(
    path: Path, ragged: list[Finding], *, absent: Any = None, rows: int = _BLOCK
) -> tuple[Iterable[Block], list[str]]:
    """Blocks of rows by the file's ending, with notes on what was assumed; rows that cannot be read go to `ragged`.

    Args:
        absent: what a row of JSON has under a name that other rows have and it has not.
        rows: of a block, at most. When it is given out, `ragged` has all rows before its last one.
    """
    if path.suffix.lower() == ".parquet":
        return parquet_blocks(path, rows), []
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        encoding, notes = encoding_of(path)
        return json_rows(path, encoding, ragged, absent, rows), notes
    return _delimited(path, ragged, rows)


@contextmanager
def table_errors(path: Path | str) -> Iterator[None]:
    """A table that turns out to be damaged, while its blocks are gone through too."""
    try:
        yield
    except (Damaged, csv.Error, UnicodeError) as error:
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
    inputs: list[Any] = []
    cells: list[Any] = []
    named: list[str | None] = []
    groups: list[str | None] = []
    together = 0
    for block in blocks:
        if found is None:
            first = {name: plain_values(column[:_SAMPLE]) for name, column in block.items()}
            sample = {name: _texts(column) for name, column in first.items()}
            found = find_columns(sample, first, asked, where=where, need_label=need_label)
        values = [_texts(block[name]) for name in found.values]
        marks = _cells(block, found, len(values[0]))
        parts = _texts(block[found.part]) if found.part else []
        of = _texts(block[found.group]) if found.group else []
        for column in (*values, _written(marks, found), parts, of):
            together += _characters(column, where, findings or [], len(inputs))
        if len(inputs) + len(values[0]) > MOST_ROWS:
            raise too_many_rows(where)
        if together > _MOST_TOGETHER:
            raise DataError(f"more than {_MOST_TOGETHER:,} characters", where=where, fix="give a part of it")
        inputs += _INPUTS[found.kind](values, base)
        cells += marks
        named += parts
        groups += of
    if found is None:
        raise DataError("no rows", where=where, fix="a table has one row an example")
    rows = list(islice(row_names(where, row_numbers(findings or ())), len(inputs)))
    more: list[str] = []
    if len(found.labels) > 1:
        cells, more = indicator_cells(cells, found.labels, rows)
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
        notes=(*notes, *found.notes, *more),
    )
    return in_parts(whole, named) if need_label else whole


def _paths(columns: list[list[str | None]], base: Path | None) -> list[Any]:
    """Paths of images, from where the table lies."""
    return [str(base / path) if path and base is not None else path or "" for path in columns[0]]


def _joined(columns: list[list[str | None]], base: Path | None) -> list[Any]:
    """Texts; of several columns, one below the other."""
    if len(columns) == 1:
        return [value or "" for value in columns[0]]
    return ["\n".join(filter(None, values)) for values in zip(*columns, strict=True)]


def _paired(columns: list[list[str | None]], base: Path | None) -> list[Any]:
    """Pairs of texts; the columns before the last one are joined."""
    return list(zip(_joined(columns[:-1], base), _joined(columns[-1:], base), strict=True))


_INPUTS = {"image": _paths, "text": _joined, "pair": _paired}


def _cells(block: Block, found: Found, n: int) -> list[Any]:
    """What the columns of targets hold: a cell a row, of several columns a tuple of what they hold."""
    if not found.labels:
        return [None] * n
    if len(found.labels) == 1:
        values = plain_values(block[found.labels[0]])
        return list(values) if all(type(value) is str for value in values) else label_cells(values, where="label")
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
            if value and len(value) > MOST_CHARACTERS:
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


def _delimited(path: Path, ragged: list[Finding], rows: int) -> tuple[Iterator[Block], list[str]]:
    """CSV or TSV, with what was assumed about it."""
    with open_file(path, most=MOST_BYTES) as file:
        head = file.read(1 << 20)
    encoding, notes = encoding_of(path)
    lines = head.decode(encoding, errors="replace").lstrip("\ufeff").splitlines()[:200]
    if not any(line.strip().strip("\0") for line in lines):
        raise DataError("the file is empty", where=str(path), fix="a table has a header and one row an example")
    if label_colon_text(lines):
        notes.append(f"{path.name}: no header; each line taken as LABEL:detail text, the detail left out")
        return _colon_lines(path, encoding, rows), notes
    delimiter = delimiter_of(lines, path)
    quoted = delimiter != "\t" or (
        all(line.count('"') % 2 == 0 for line in lines)
        and any(field.startswith('"') for line in lines[1:] for field in line.split("\t"))
    )
    csv.field_size_limit(MOST_CHARACTERS)
    header = _has_header(next(csv.reader(lines[:1], delimiter=delimiter)))
    if not header:
        notes.append(f"{path.name}: no header; columns named 1, 2, ...")
    return _stream(path, encoding, delimiter, quoted, header, ragged, rows), notes


def _stream(
    path: Path, encoding: str, delimiter: str, quoted: bool, header: bool, ragged: list[Finding], rows: int
) -> Iterator[Block]:
    """The csv module row by row: it reads quoted newlines and says which row is ragged."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    with open_text(path, encoding, newline="") as file:
        reader = csv.reader((line.replace("\0", "") for line in file), delimiter=delimiter, quoting=quoting)
        first = next(reader, [])
        numbers = [str(number) for number in range(1, len(first) + 1)]
        names = unique(n.strip() or number for n, number in zip(first, numbers, strict=True)) if header else numbers
        if len(names) > _MOST_COLUMNS:
            raise DataError(f"{len(names):,} columns, more than {_MOST_COLUMNS:,}", where=str(path))
        rows = max(1, min(rows, _MOST_CELLS // max(1, len(names))))
        block, number = ([], 0) if header else ([first], 1)
        try:
            for row in reader:
                if not row:
                    continue
                number += 1
                if len(row) != len(names):
                    reason = f"{len(row)} fields where the table has {len(names)}"
                    leave_out(ragged, "ragged-row", path, number, reason)
                    continue
                block.append(row)
                if len(block) == rows:
                    yield dict(zip(names, map(list, zip(*block, strict=True)), strict=True))
                    block = []
        except csv.Error as error:
            raise csv.Error(f"row {number + 1}: {error}") from None
        if block:
            yield dict(zip(names, map(list, zip(*block, strict=True)), strict=True))


def delimiter_of(lines: list[str], path: Path) -> str:
    """What stands between the cells of the lines of a file."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    first = lines[0]
    if "\t" in first and all("\t" in line for line in lines[:50] if line):
        return "\t"
    return ";" if first.count(";") > first.count(",") else ","


def _has_header(first: list[str]) -> bool:
    """A header is short words that name columns; a first row that holds a sentence or a known label is data."""
    from headstart.data.columns import IMAGES, LABELS, PARTS, TEXTS

    known = {*LABELS, *TEXTS, *IMAGES, *PARTS, "id", "idx", "index"}
    cells = [cell.strip().lower() for cell in first]
    if any(cell in known or cell.startswith("label") for cell in cells):
        return True
    return all(0 < len(cell) <= 30 and len(cell.split()) <= 3 and not cell.replace(".", "").isdigit() for cell in cells)


def label_colon_text(lines: list[str]) -> bool:
    """TREC's form: LABEL:detail text, in capitals, on every line."""
    full = [line for line in lines if line.strip()]
    return bool(full) and all(":" in line.split(" ")[0] and line.split(":")[0].isupper() for line in full)


def _colon_lines(path: Path, encoding: str, rows: int) -> Iterator[Block]:
    with open_text(path, encoding) as file:
        full = (line for line in file if line.strip())
        while block := list(islice(full, rows)):
            labels = [line.split(":", 1)[0] for line in block]
            yield {"label": labels, "text": [line.split(" ", 1)[-1].strip() for line in block]}
