"""Workbooks of Excel as blocks of rows, by python-calamine where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from headstart.data.arrow import MOST_BYTES, Block, unique
from headstart.data.workbook_size import refuse_large
from headstart.errors import DataError, UserError, first_line
from headstart.storage.files import open_file


def workbook_blocks(path: Path, rows: int) -> tuple[Iterator[Block], list[str]]:
    """The rows of the first sheet that has any, its first row as names of columns, with a note on other sheets.

    Raises:
        DataError: python-calamine is not there, or cannot read it, or no sheet has rows. OSError: no regular file.
    """
    open_file(path, most=MOST_BYTES).close()
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        fix = "pip install 'headstart[excel]', or save it as CSV"
        raise DataError("a workbook, and python-calamine is not installed", where=str(path), fix=fix) from None
    if path.suffix.lower() != ".xls":  # which has 65,536 rows of 256 cells at most
        refuse_large(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except UserError:
        raise
    except Exception as error:  # of the library
        raise DataError(f"cannot be read: {first_line(error)}", where=str(path), fix="save it as CSV") from None
    full = [name for name, cells in sheets.items() if len(cells) > 1]
    if not full:
        raise DataError("no rows in any sheet", where=str(path), fix="a table has a header and one row an example")
    others = f"{path.name}: sheet {full[0]!r} is read, and not: {', '.join(full[1:])}; save one as CSV to take it"
    return _rows(sheets[full[0]], rows), [others] if full[1:] else []


def _rows(cells: list[list[Any]], most: int) -> Iterator[Block]:
    names = unique(str(name).strip() or str(number) for number, name in enumerate(cells[0], start=1))
    ahead = iter(cells[1:])
    while block := list(islice(ahead, most)):
        yield dict(zip(names, map(list, zip(*block, strict=True)), strict=True))
