"""Workbooks of Excel as blocks of rows, by python-calamine where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from headstart.data.columns.find import find_columns
from headstart.data.columns.header import HEADER, NO_HEADER, columns_named, names_columns
from headstart.data.columns.inputs import Sample
from headstart.data.files.arrow import MOST_BYTES, Block, unique
from headstart.data.files.old_workbook import old_sheets
from headstart.data.files.workbook_archive import checked_archive
from headstart.errors import DataError, first_line
from headstart.storage.files import open_file
from headstart.values import Columns

_SAMPLE = 200  # rows that tell a header
_EXACT = 2**53


def workbook_blocks(path: Path, rows: int, asked: Columns, *, need_label: bool) -> tuple[Iterator[Block], list[str]]:
    """The rows of a sheet, with notes on the others and on a header that is guessed.

    It is the first that has any; where that one has not the columns that the user names, or that a fit had, or has no
    label and needs one, the only other that has.

    Raises:
        DataError: python-calamine is not there, or cannot read it, or no sheet has rows; or several may be meant.
        OSError: no regular file.
    """
    open_file(path, most=MOST_BYTES).close()
    try:
        import python_calamine
    except ImportError:
        fix = "pip install 'headstart[excel]', or save it as CSV"
        raise DataError("a workbook, and python-calamine is not installed", where=str(path), fix=fix) from None
    if path.suffix.lower() == ".xls":
        sheets = old_sheets(path, Path(python_calamine.__file__).parents[1])
    else:
        sheets = _sheets(path)
    sheets = {name: _whole_as_such(cells) for name, cells in sheets.items()}
    full = {name: cells for name, cells in sheets.items() if len(cells) > 1}
    if not full:
        raise DataError("no rows in any sheet", where=str(path), fix="a table has a header and one row an example")
    name = _meant(full, asked, path, need_label=need_label)
    first, *below = full[name]
    texts = [[str(cell) for cell in row] for row in full[name][:_SAMPLE]]
    header, guessed = names_columns(texts[0], texts[1:], asked, usual=True)
    others = [other for other in full if other != name]
    notes = [f"{path.name}: sheet {name!r} is read, and not: {', '.join(others)}; save one as CSV to take it"]
    said = [f"{path.name}: {HEADER if header else NO_HEADER}"] if guessed else []
    names = [str(cell).strip() if header else "" for cell in first]
    names = unique(name or str(number) for number, name in enumerate(names, start=1))
    return _rows(names, below if header else full[name], rows), [*(notes if others else []), *said]


def _sheets(path: Path) -> dict[str, list[list[Any]]]:
    from python_calamine import CalamineWorkbook

    opened = checked_archive(path)
    try:
        book = CalamineWorkbook.from_filelike(opened)
        return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except Exception as error:  # of the library
        raise DataError(f"cannot be read: {first_line(error)}", where=str(path), fix="save it as CSV") from None


def _whole_as_such(cells: list[list[Any]]) -> list[list[Any]]:
    """The rows, with numbers of a column as whole ones where all of them are: workbooks have only floats.

    Those beyond what a float holds exactly stay as they are, so that it is seen.
    """
    for column in range(len(cells[0]) if cells else 0):
        numbers = [row[column] for row in cells if isinstance(row[column], float)]
        if numbers and all(number.is_integer() and abs(number) < _EXACT for number in numbers):
            for row in cells:
                if isinstance(row[column], float):
                    row[column] = int(row[column])
    return cells


def _meant(sheets: dict[str, list[list[Any]]], asked: Columns, path: Path, *, need_label: bool) -> str:
    """The name of the sheet that is read.

    Raises:
        DataError: the first one has not the columns that are wanted, and none or several others have.
    """
    wanted, reasons = columns_named(asked), dict[str, str]()
    for name, cells in sheets.items():
        names = [str(cell).strip() for cell in cells[0]]
        if wanted:
            reasons[name] = "" if {*wanted} <= {*names} else f"no column {wanted[0]!r}"
        elif need_label:
            reasons[name] = _unfit(names, cells[1:_SAMPLE], asked)
    first, *others = sheets
    fitting = [name for name in others if not reasons.get(name)]
    if not reasons.get(first) or not others or (not fitting and wanted):
        return first
    if len(fitting) == 1:
        return fitting[0]
    what = f"several sheets may be meant: {', '.join(map(repr, fitting))}"
    none = f"none of {len(sheets)} sheets can be read: {'; '.join(f'{name!r}: {why}' for name, why in reasons.items())}"
    raise DataError(what if fitting else none, where=str(path), fix="save the one that is meant as CSV")


def _unfit(names: list[str], cells: list[list[Any]], asked: Columns) -> str:
    """Why a sheet holds no examples with labels; "" where it does."""
    called = unique(name or str(number) for number, name in enumerate(names, start=1))
    sample: Sample = {
        name: [str(cell) for cell in column] for name, column in zip(called, zip(*cells, strict=True), strict=True)
    }
    try:
        find_columns(sample, sample, asked, where="")
    except DataError as error:
        return error.what
    return ""


def _rows(names: list[str], cells: list[list[Any]], most: int) -> Iterator[Block]:
    ahead = iter(cells)
    while block := list(islice(ahead, most)):
        yield dict(zip(names, map(list, zip(*block, strict=True)), strict=True))
