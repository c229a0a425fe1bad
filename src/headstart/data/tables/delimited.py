"""CSV, TSV and their relatives as blocks of rows: what stands between cells, whether there is a header, and whether
quotation marks hold cells together or are part of them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from headstart.data.columns.header import HEADER, NO_HEADER, names_columns
from headstart.data.files.arrow import Block, unique
from headstart.data.files.text_file import leave_out, open_bytes, open_text, suffix_of
from headstart.data.tables.line_forms import line_blocks, line_form
from headstart.errors import DataError
from headstart.values import Columns, Finding

MOST_CHARACTERS = 10_000_000  # of a cell
_MOST_COLUMNS = 10_000
_MOST_CELLS = 5_000_000  # in a block
_HEAD = 1 << 20  # bytes
_LINES = 50  # that have the delimiter
_SAMPLE = 2000  # rows that say which values recur in a column
_MOST_LONG = 1000  # rows of several lines that are looked at
_ROWS = 4  # within a cell, that are a table by themselves
_RECURS = 40  # characters of a value that may, at most
_TOLD = 5  # rows
_EXCEL = re.compile(r'^"?sep=(.|\\t)"?;*,*$', re.IGNORECASE)  # its first line may say what it writes between cells
_TYPED = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class _Form(NamedTuple):
    """How the lines of a file are to be taken apart."""

    encoding: str
    delimiter: str
    quoted: bool
    skip: int  # lines before the table
    header: bool = True


class _Long(NamedTuple):
    """What stands in the cells of a row that takes several lines of the file."""

    wide: list[list[str]]  # the lines that have as many cells as a row, but for the first
    lines: int
    start: int
    end: int


def delimited_blocks(
    path: Path, ragged: list[Finding], rows: int, *, encoding: str, asked: Columns
) -> tuple[Iterator[Block], list[str]]:
    """A file of rows that are lines, mostly, with notes on what was assumed.

    Args:
        ragged: takes a finding for each row that has not as many cells as the others.
        rows: of a block, at most.
        encoding: of the file.
        asked: whose delimiter is taken, and whose columns tell a header.

    Raises:
        DataError: it is empty, or a quotation mark without its partner takes in lines behind it.
    """
    delimiter = asked.delimiter
    with open_text(path, encoding) as file:
        head = file.read(_HEAD).lstrip("\ufeff")
    skip = next((n for n, line in enumerate(head.split("\n")) if line.strip(" \0")), 0)  # blank lines before the header
    lines = head.split("\n", skip)[-1].splitlines()[:200]
    if not any(line.strip().strip("\0") for line in lines):
        raise DataError("the file is empty", where=str(path), fix="a table has a header and one row an example")
    if delimiter is None and label_colon_text(lines):
        note = f"{path.name}: no header; each line taken as LABEL:detail text, the detail left out"
        return _colon_lines(path, encoding, rows), [note]
    lined = line_form(lines, path) if delimiter is None else None
    if lined is not None:
        return line_blocks(path, encoding, lined, ragged, rows), [f"{path.name}: {lined.said}"]
    said = _EXCEL.match(lines[0].strip(" "))
    lines = lines[1:] if said and len(lines) > 1 else lines
    between = typed(delimiter) if delimiter else typed(said[1]) if said else delimiter_of(lines, path)
    quoted = between != "\t" or (
        all(line.count('"') % 2 == 0 for line in lines)
        and any(field.startswith('"') for line in lines[1:] for field in line.split("\t"))
    )
    csv.field_size_limit(MOST_CHARACTERS)
    form = _Form(encoding, between, quoted, skip + bool(said))
    form, notes = _with_quotes_checked(path, form) if quoted else (form, [])
    header, said_so = _header(lines, form, asked, path)
    notes = [*said_so, *notes]
    if between == "|" and delimiter is None and not said:
        notes = [*notes, f"{path.name}: cells between |; --delimiter takes another"]
    return _stream(path, form._replace(header=header), ragged, rows), notes


def delimiter_of(lines: list[str], path: Path) -> str:
    """What stands between the cells of the lines of a file."""
    first = lines[0]
    if suffix_of(path) == ".tsv" and "\t" in first:
        return "\t"
    if "\t" in first and all("\t" in line for line in lines[:_LINES] if line):
        return "\t"
    if first.count("|") > max(first.count(","), first.count(";")) and _as_wide(lines, "|"):
        return "|"
    more, less = (";", ",") if first.count(";") > first.count(",") else (",", ";")
    return less if not _as_wide(lines, more) and _as_wide(lines, less) else more


def _as_wide(lines: list[str], delimiter: str) -> bool:
    """Whether all lines have as many cells as the first, and several."""
    widths = {len(row) for row in csv.reader(lines[:_LINES], delimiter=delimiter) if row}
    return len(widths) == 1 and widths != {1}


def typed(delimiter: str) -> str:
    """What the user says is between cells.

    Raises:
        DataError: more than a character, or one that means something else.
    """
    found = _TYPED.get(delimiter.strip().lower(), delimiter)
    if len(found) != 1 or found in '"\r\n\0':
        raise DataError(f"{delimiter!r} is no delimiter", where="--delimiter", fix="one character: , or ; or | or tab")
    return found


@contextmanager
def _opened(path: Path, form: _Form) -> Iterator[Any]:
    """The csv module over the lines of the table; the header is its first row."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE
    with open_text(path, form.encoding, newline="") as file:
        for _ in range(form.skip):
            file.readline()
        yield csv.reader((line.replace("\0", "") for line in file), delimiter=form.delimiter, quoting=quoting)


def _with_quotes_checked(path: Path, form: _Form) -> tuple[_Form, list[str]]:
    """With quotation marks as a part of cells, where some have no partner and all lines are rows without them.

    Raises:
        DataError: one without its partner takes in lines that are rows, and other marks hold cells together.
    """
    odd = _odd_lines(path, form)
    if not odd:
        return form, []
    taken_in = _taken_in(path, form)
    if taken_in is None:
        return form, []
    start, end = taken_in
    plain = form._replace(quoted=False)
    with _opened(path, plain) as reader:
        widths = {len(row) for row in reader if row}
    if len(widths) == 1:
        some = f"{', '.join(map(str, odd[:_TOLD]))}{f' and {len(odd) - _TOLD} more' if len(odd) > _TOLD else ''}"
        return plain, [f"{path.name}: quotation marks are read as they stand, since some have no partner: lines {some}"]
    what = f"a quotation mark without its partner takes in the lines up to {end}, which look like rows"
    raise DataError(what, where=f"{path} line {start}", fix='close it there, or write " as "" within a quoted text')


def _odd_lines(path: Path, form: _Form) -> list[int]:
    """Numbers of the lines in which a quotation mark has no partner."""
    if not form.encoding.startswith("utf-16") and not _any_odd(path):
        return []
    with open_text(path, form.encoding) as file:
        return [number for number, line in enumerate(file, start=1) if line.count('"') & 1]


def _any_odd(path: Path) -> bool:
    """Whether there is such a line, by the bytes: of a large table this takes no time."""
    before = 0  # marks in the line so far
    with open_bytes(path) as file:
        while block := file.read(_HEAD):
            if (n := block.count(b'"')) == 0 and before % 2 == 0:
                before = 0 if b"\n" in block else before
                continue
            content = np.frombuffer(block, np.uint8)
            ends = np.flatnonzero(content == 10)
            marks = np.searchsorted(np.flatnonzero(content == 34), ends) + before
            if np.any(np.diff(marks, prepend=0) % 2):
                return True
            before += n - (int(marks[-1]) if len(marks) else 0)
    return before % 2 == 1


def _taken_in(path: Path, form: _Form) -> tuple[int, int] | None:
    """The first and last line of the first row in whose cells other rows stand, by width and recurring values."""
    width, recurring, long = 0, list[Counter[str]](), list[_Long]()
    before = form.skip
    with _opened(path, form) as reader:
        for number, row in enumerate(filter(None, reader)):
            line = reader.line_num + form.skip
            width = width or len(row)
            recurring = recurring or [Counter() for _ in range(width)]
            if line > before + 1 and any("\n" in cell.strip() for cell in row):
                if len(long) < _MOST_LONG:
                    inner = [text.split(form.delimiter, width) for cell in row for text in cell.splitlines()[1:]]
                    wide = [cells for cells in inner if len(cells) == width > 1]
                    long += [_Long(wide, len(inner), before + 1, line)] if wide else []
            elif number and len(row) == width and number <= _SAMPLE:
                for seen, cell in zip(recurring, row, strict=True):
                    if 0 < len(cell) <= _RECURS:
                        seen[cell] += 1
            before = line
    for one in long:
        recurs = any(seen[c] > 1 for cells in one.wide for seen, c in zip(recurring, cells, strict=True))
        if recurs or _is_table(one):
            return one.start, one.end
    return None


def _is_table(row: _Long) -> bool:
    """Whether the lines within cells are a table by themselves: all but the last as wide, and a column that recurs."""
    distinct = [len(set(column)) for column in zip(*row.wide, strict=True)]
    return len(row.wide) >= max(_ROWS, row.lines - 1) and 2 * min(distinct) <= len(row.wide)


def _stream(path: Path, form: _Form, ragged: list[Finding], rows: int) -> Iterator[Block]:
    """The csv module row by row: it reads quoted newlines and says which row is ragged."""
    with _opened(path, form) as reader:
        first: list[str] = next(reader, [])
        numbers = [str(number) for number in range(1, len(first) + 1)]
        given = unique(n.strip() or number for n, number in zip(first, numbers, strict=True))
        names = given if form.header else numbers
        if len(names) > _MOST_COLUMNS:
            raise DataError(f"{len(names):,} columns, more than {_MOST_COLUMNS:,}", where=str(path))
        rows = max(1, min(rows, _MOST_CELLS // max(1, len(names))))
        block, number = ([], 0) if form.header else ([first], 1)
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


def _header(lines: list[str], form: _Form, asked: Columns, path: Path) -> tuple[bool, list[str]]:
    """Whether the first of the lines names the columns, with a note where that is guessed."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE
    first, *rows = csv.reader((f"{line}\n" for line in lines), delimiter=form.delimiter, quoting=quoting)
    header, guessed = names_columns(first, [row for row in rows if len(row) == len(first)], asked)
    return header, [f"{path.name}: {HEADER if header else NO_HEADER}"] if guessed else []


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
