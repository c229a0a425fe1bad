"""How large the sheets of a workbook are, told before a library makes room for all of their cells."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from headstart.data.files.arrow import MOST_BYTES
from headstart.errors import DataError

_MOST_CELLS = 30_000_000  # of a sheet, rows times columns: room is made for empty ones too
_MOST_COLUMNS = 10_000
_PART = 1 << 20  # bytes
_REFERENCE = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_LONGEST = 16  # bytes of a reference


def refuse_large(path: Path) -> None:
    """Raises DataError where a workbook is damaged, unpacks to more than a table may have, or has a cell far off.

    A file of a few kilobytes may name a cell in the last row and the last column, and a library that keeps sheets
    whole then asks for half a terabyte.
    """
    try:
        with zipfile.ZipFile(path) as book:
            left = MOST_BYTES
            for part in book.infolist():
                left -= part.file_size
                if left < 0:
                    raise DataError(
                        "it unpacks to too much", where=str(path), fix="give a part of it, or save it as CSV"
                    )
                if part.filename.startswith("xl/worksheets/"):
                    _refuse_sheet(book, part, path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path), fix="save it as CSV") from None


def _refuse_sheet(book: zipfile.ZipFile, part: zipfile.ZipInfo, path: Path) -> None:
    column, row, before = 0, 0, b""
    with book.open(part) as sheet:
        while piece := sheet.read(_PART):
            for letters, digits in _REFERENCE.findall(before + piece):
                row = max(row, int(digits))
                column = max(column, _number(letters))
            if column > _MOST_COLUMNS or column * row > _MOST_CELLS:
                what = f"a sheet with a cell in row {row:,} and column {column:,}"
                raise DataError(what, where=str(path), fix="delete what is far off the table, or save it as CSV")
            before = piece[-_LONGEST:]


def _number(letters: bytes) -> int:
    """Of a column: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number
