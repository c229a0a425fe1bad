"""Whether the quotation marks of a file of rows hold its cells together, or are part of them."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from headstart.data.files.text_file import lines_in, open_bytes, open_text
from headstart.errors import DataError

_BLOCK = 1 << 20  # bytes
_SAMPLE = 2000  # rows that say which values recur in a column
_MOST_LONG = 1000  # rows of several lines that are looked at
_ROWS = 4  # within a cell, that are a table by themselves
_RECURS = 40  # characters of a value that may, at most
_TOLD = 5  # rows
_PLAIN = "quotation marks are read as they stand"


class Form(NamedTuple):
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


class _Rows(NamedTuple):
    """The rows of a file, as they come out one way."""

    fitting: int  # that have as many cells as the first
    others: int
    odd: int = 0  # the line in which a mark that begins a cell turns out not to end it

    @property
    def fit(self) -> int:
        """How well they do: of lines that are parts of rows, some have as many cells by chance, the others count."""
        return self.fitting - self.others


@contextmanager
def opened(path: Path, form: Form, *, strict: bool = False) -> Iterator[Any]:
    """The csv module over the lines of the table; the header is its first row.

    Args:
        strict: whether it raises `csv.Error` where a mark that opens a cell is not closed at the cell's end.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE
    with open_text(path, form.encoding, newline="") as file:
        for _ in range(form.skip):
            file.readline()
        lines = (line.replace("\0", "") for line in file)
        yield csv.reader(lines, delimiter=form.delimiter, quoting=quoting, strict=strict)


def with_quotes(path: Path, form: Form) -> tuple[Form, list[str]]:
    """How the marks of a file are to be read, with a note where that is a guess.

    Raises:
        DataError: a mark without its partner takes in lines that are rows, and other marks hold cells together.
    """
    return _between_tabs(path, form) if form.delimiter == "\t" else _with_partners(path, form)


def _between_tabs(path: Path, form: Form) -> tuple[Form, list[str]]:
    """By the whole file: the marks as they stand, or cells held together by them, as all rows are as wide, or more."""
    plain, marked = form._replace(quoted=False), form._replace(quoted=True)
    if not _any_opens(path, form):
        return plain, []
    apart, together = _rows(path, plain), _rows(path, marked, strict=True)
    odd = together.odd
    if odd and not apart.others:
        return plain, [f"{path.name}: {_PLAIN}, since some begin a cell and do not end it"]
    together = _rows(path, marked) if odd else together
    hold = together.fit > apart.fit or bool(not odd and apart.others and not together.others)
    if hold or (together.fit == apart.fit and not odd and _hold_something(path, plain)):
        form, notes = _with_partners(path, marked)
        but = f", though one in line {odd:,} or before does not end the cell that it begins" if odd else ""
        return form, notes or [f"{path.name}: quotation marks hold cells together{but}"]
    return plain, [f"{path.name}: {_PLAIN}; {apart.fitting:,} rows are as wide so, {together.fitting:,} otherwise"]


def _any_opens(path: Path, form: Form) -> bool:
    """Whether a cell begins with a mark, by the bytes; of two bytes a character it is not looked at."""
    if form.encoding.startswith("utf-16"):
        return True
    last = b"\n"
    with open_bytes(path) as file:
        while block := file.read(_BLOCK):
            whole = last + block.removeprefix(codecs.BOM_UTF8) if b'"' in block else b""
            if any(opens in whole for opens in (b'\t"', b'\n"', b'\r"')):
                return True
            last = block[-1:]
    return False


def _rows(path: Path, form: Form, *, strict: bool = False) -> _Rows:
    """The rows of a file as they come out this way; where they do not, the line up to which they do."""
    with opened(path, form, strict=strict) as reader:
        full = filter(None, reader)
        try:
            width = len(next(full, ()))
            widths = Counter(map(len, full))
        except csv.Error:
            return _Rows(0, 1, odd=max(1, reader.line_num + form.skip))
    return _Rows(widths[width] + 1, widths.total() - widths[width])


def _hold_something(path: Path, plain: Form) -> bool:
    """Whether marks around cells are those of a program, where each row is a line: it writes them around all cells of a
    column, around those with marks within, which it doubles, or as spreadsheets do around those with a comma."""
    marked, bare = Counter[int](), Counter[int]()  # cells with marks around them and without, of each column
    commas = Counter[bool]()  # cells with one, by whether they have marks around them
    with opened(path, plain) as reader:
        next(filter(None, reader), None)
        for row in reader:
            for at, cell in enumerate(row):
                held = cell[:1] == '"'
                if held and '""' in cell[1:-1]:
                    return True
                (marked if held else bare)[at] += bool(cell)
                commas[held] += "," in cell
    return any(bare[at] == 0 for at in marked) or (commas[True] > 0 and not commas[False])


def _with_partners(path: Path, form: Form) -> tuple[Form, list[str]]:
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
    with opened(path, plain) as reader:
        widths = {len(row) for row in reader if row}
    if len(widths) == 1:
        some = f"{', '.join(map(str, odd[:_TOLD]))}{f' and {len(odd) - _TOLD} more' if len(odd) > _TOLD else ''}"
        return plain, [f"{path.name}: {_PLAIN}, since some have no partner: lines {some}"]
    what = f"a quotation mark without its partner takes in the lines up to {end}, which look like rows"
    raise DataError(what, where=f"{path} line {start}", fix='close it there, or write " as "" within a quoted text')


def _odd_lines(path: Path, form: Form) -> list[int]:
    """Numbers of the lines in which a quotation mark has no partner."""
    if not form.encoding.startswith("utf-16") and not _any_odd(path):
        return []
    with open_text(path, form.encoding) as file:
        return [number for number, line in enumerate(file, start=1) if line.count('"') & 1]


def _any_odd(path: Path) -> bool:
    """Whether there is such a line, by the bytes: of a large table this takes no time."""
    before = 0  # marks in the line so far
    with open_bytes(path) as file:
        while block := file.read(_BLOCK):
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


def _taken_in(path: Path, form: Form) -> tuple[int, int] | None:
    """The first and last line of the first row in whose cells other rows stand, by width and recurring values."""
    width, recurring, long = 0, list[Counter[str]](), list[_Long]()
    before = form.skip
    with opened(path, form) as reader:
        for number, row in enumerate(filter(None, reader)):
            line = reader.line_num + form.skip
            width = width or len(row)
            recurring = recurring or [Counter() for _ in range(width)]
            if line > before + 1 and any("\n" in cell.strip() for cell in row):
                if len(long) < _MOST_LONG:
                    inner = [text.split(form.delimiter, width) for cell in row for text in lines_in(cell)[1:]]
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
