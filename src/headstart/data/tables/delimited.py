"""CSV, TSV and their relatives as blocks of rows: what stands between cells, whether there is a header, and whether
quotation marks hold cells together or are part of them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

from headstart.data.columns.header import HEADER, NO_HEADER, columns_named, names_columns
from headstart.data.files.arrow import Block, unique
from headstart.data.files.text_file import first_lines, leave_out, open_text, suffix_of
from headstart.data.tables.line_forms import line_blocks, line_form
from headstart.data.tables.quotation import Form, opened, with_quotes
from headstart.errors import DataError
from headstart.values import Columns, Finding

MOST_CHARACTERS = 10_000_000  # of a cell
_MOST_COLUMNS = 10_000
_MOST_CELLS = 5_000_000  # in a block
_HEAD = 200  # lines by which a file is judged
_LINES = 50  # that have the delimiter
_EXCEL = re.compile(r'^"?sep=(.|\\t)"?;*,*$', re.IGNORECASE)  # its first line may say what it writes between cells
_DELIMITERS = ("\t", ",", ";", "|")
_TYPED = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def delimited_blocks(
    path: Path,
    ragged: list[Finding],
    rows: int,
    *,
    encoding: str,
    asked: Columns,
    unread: dict[int, list[str]] | None = None,
) -> tuple[Iterator[Block], list[str]]:
    """A file of rows that are lines, mostly, with notes on what was assumed.

    Args:
        ragged: takes a finding for each row that has not as many cells as the others.
        rows: of a block, at most.
        encoding: of the file.
        asked: whose delimiter is taken, and whose columns tell a header.
        unread: takes the cells of rows in `ragged`, by their numbers.

    Raises:
        DataError: it is empty, or a quotation mark without its partner takes in lines behind it.
    """
    lines, skip = _beginning(path, encoding)
    delimiter = asked.delimiter
    if not any(line.strip().strip("\0") for line in lines):
        raise DataError("the file is empty", where=str(path), fix="a table has a header and one row an example")
    if delimiter is None and label_colon_text(lines):
        note = f"{path.name}: no header; each line taken as LABEL:detail text, the detail left out"
        return _colon_lines(path, encoding, rows), [note]
    lined = line_form(lines, path) if delimiter is None else None
    if lined is not None:
        return line_blocks(path, encoding, lined, ragged, rows, unread), [f"{path.name}: {lined.said}"]
    form, notes = _form(lines, skip, path, encoding, asked)
    return _stream(path, form, ragged, rows, unread), notes


def form_of(path: Path, encoding: str, asked: Columns) -> Form | None:
    """How a file of rows with something between their cells is taken apart; None: its lines are of another form.

    Raises:
        DataError: as `delimited_blocks`.
    """
    lines, skip = _beginning(path, encoding)
    if asked.delimiter is None and (label_colon_text(lines) or line_form(lines, path) is not None):
        return None
    return _form(lines, skip, path, encoding, asked)[0]


def _beginning(path: Path, encoding: str) -> tuple[list[str], int]:
    """The lines that a file is judged by, and how many blank ones come before them."""
    lines = first_lines(path, encoding)
    skip = next((n for n, line in enumerate(lines) if line.strip(" \0")), 0)  # blank lines before the header
    return lines[skip : skip + _HEAD], skip


def _form(lines: list[str], skip: int, path: Path, encoding: str, asked: Columns) -> tuple[Form, list[str]]:
    """How the rows that begin with these lines are taken apart, with notes."""
    delimiter = asked.delimiter
    said = _EXCEL.match(lines[0].strip(" "))
    lines = lines[1:] if said and len(lines) > 1 else lines
    between = typed(delimiter) if delimiter else typed(said[1]) if said else delimiter_of(lines, path, asked)
    csv.field_size_limit(MOST_CHARACTERS)
    form, notes = with_quotes(path, Form(encoding, between, True, skip + bool(said)))
    header, said_so = _header(lines, form, asked, path)
    notes = [*said_so, *notes]
    if between == "|" and delimiter is None and not said:
        notes = [*notes, f"{path.name}: cells between |; --delimiter takes another"]
    return form._replace(header=header), notes


def delimiter_of(lines: list[str], path: Path, asked: Columns) -> str:
    """What stands between the cells of the lines of a file; where columns are known, what they stand between."""
    found, wanted = _delimiter(lines, path), columns_named(asked)
    others = (other for other in _DELIMITERS if _are_there(wanted, lines, other))
    return found if _are_there(wanted, lines, found) else next(others, found)


def _delimiter(lines: list[str], path: Path) -> str:
    first = lines[0]
    if suffix_of(path) == ".tsv" and "\t" in first:
        return "\t"
    if "\t" in first and (all("\t" in line for line in lines[:_LINES] if line) or _as_wide(lines, "\t")):
        return "\t"
    if first.count("|") > max(first.count(","), first.count(";")) and _as_wide(lines, "|"):
        return "|"
    more, less = (";", ",") if first.count(";") > first.count(",") else (",", ";")
    return less if not _as_wide(lines, more) and _as_wide(lines, less) else more


def _are_there(wanted: list[str], lines: list[str], delimiter: str) -> bool:
    """Whether the first line has these columns, by name or number."""
    cells = [cell.strip() for cell in next(csv.reader(lines[:1], delimiter=delimiter), [])]
    return {*wanted} <= {*cells, *map(str, range(1, len(cells) + 1))}


def _as_wide(lines: list[str], delimiter: str) -> bool:
    """Whether all lines have as many cells as the first, and several; a row may be cut behind the last line."""
    rows = [row for row in csv.reader(lines[:_LINES], delimiter=delimiter) if row]
    widths = {len(row) for row in (rows[:-1] if len(lines) > _LINES and len(rows) > 1 else rows)}
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


def _stream(
    path: Path, form: Form, ragged: list[Finding], rows: int, unread: dict[int, list[str]] | None
) -> Iterator[Block]:
    """The csv module row by row: it reads quoted newlines and says which row is ragged."""
    with opened(path, form) as reader:
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
                    cut = len(names) - 1  # the last cell takes what is too much
                    written = row if len(row) <= cut else [*row[:cut], form.delimiter.join(row[cut:])]
                    leave_out(ragged, "ragged-row", path, number, reason, written=written, unread=unread)
                    continue
                block.append(row)
                if len(block) == rows:
                    yield dict(zip(names, map(list, zip(*block, strict=True)), strict=True))
                    block = []
        except csv.Error as error:
            raise csv.Error(f"row {number + 1}: {error}") from None
        if block:
            yield dict(zip(names, map(list, zip(*block, strict=True)), strict=True))


def _header(lines: list[str], form: Form, asked: Columns, path: Path) -> tuple[bool, list[str]]:
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
