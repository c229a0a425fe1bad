"""Whether the first row of a table names its columns, or is its first example."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from headstart.data.columns.label import numbers_rows
from headstart.data.columns.names import IMAGES, LABELS, PARTS, TEXTS
from headstart.data.labels.missing import says_missing
from headstart.data.labels.written_numbers import PLAIN
from headstart.values import Columns

NO_HEADER = "no header; columns named 1, 2, ...; names of row 1 with --text and --label take it as the header"
HEADER = "row 1 taken as the header; numbers of columns, as --text 1 --label 2, take it as an example"
_ROWS = 5  # below the first, at least, that tell what a column holds
_LONGEST = 30  # characters of a name
_WORDS = 3  # of a name, at most
_TIMES = 4  # as many words as its name, or characters, has a text of a column of texts
_SHORT = 20  # characters of a text
_BEGINS = re.compile(r"[-+($€£]?\.?\d")  # a number, a date, a time


def names_columns(
    first: Sequence[str], rows: Sequence[Sequence[str]], asked: Columns, *, usual: bool = False
) -> tuple[bool, bool]:
    """Whether the first row is a header; and whether that is a guess that is to be said.

    Args:
        first: its cells. rows: some below, each as wide.
        asked: columns that the user names, and as `known` those of another table: such names stand in a header.
        usual: whether such tables have one where nothing tells.
    """
    cells = [cell.strip() for cell in first]
    said = _by_names(cells, asked)
    if said is not None:
        return said, not said
    names = all(0 < len(cell) <= _LONGEST and len(cell.split()) <= _WORDS for cell in cells)
    if not names and _are_numbers(_inputs(asked.known), len(cells)):
        return False, True
    known = {*LABELS, *TEXTS, *IMAGES, *PARTS, "id", "idx", "index"}
    if any(cell.lower() in known or cell.lower().startswith("label") for cell in cells):
        return True, False
    if any(cell.replace(".", "").isdigit() or PLAIN.fullmatch(cell) for cell in cells):
        return False, True
    columns = [[cell.strip() for cell in column] for column in zip(*rows, strict=True)] or [[] for _ in cells]
    both = list(zip(cells, columns, strict=True))
    unlike = any(
        (not cell and numbers_rows(column)) or _above_numbers(cell, column) for cell, column in both
    ) or _above_classes(both)
    recurs = any(cell and _are_classes(column) and cell in column for cell, column in both)
    if not names:
        header = (unlike or not recurs) if usual else (unlike and not recurs)
        return header, not header or not usual or recurs
    again = recurs and list(first) not in list(map(list, rows))  # tables that were put together repeat their header
    header = (
        unlike
        or any(_above_texts(*one) for one in both)
        or not (again or _are_numbers(_inputs(asked.known), len(cells)))
    )
    new = any(_are_classes(column) and cell not in column for cell, column in both)
    return header, not header or recurs or not (unlike or new)


def _by_names(cells: Sequence[str], asked: Columns) -> bool | None:
    """What names of columns say: one that stands in the row makes it a header, nothing but numbers make it none."""
    names = _named(asked)
    if any(name in cells and not _are_numbers([name], len(cells)) for name in names):
        return True
    if _are_numbers(names, len(cells)) and not set(names) & {*cells}:
        return False
    known = _inputs(asked.known)
    return True if known and {*known} <= {*cells} and not _are_numbers(known, len(cells)) else None


def columns_named(asked: Columns) -> list[str]:
    """The columns that a table is to have: those that the user names, or else the inputs of a fit."""
    return _named(asked) or _inputs(asked.known)


def _named(asked: Columns) -> list[str]:
    return [name for name in [*_inputs(asked), asked.label, asked.group, *(asked.labels or ())] if name]


def _inputs(columns: Columns | None) -> list[str]:
    some = [] if columns is None else [*columns.texts, columns.text2, columns.image]
    return [name for name in some if name]


def _are_numbers(names: Sequence[str], n: int) -> bool:
    """Whether they are what the columns of a table without a header are called."""
    return bool(names) and {*names} <= {str(number) for number in range(1, n + 1)}


def _above_numbers(cell: str, column: Sequence[str]) -> bool:
    """Whether words stand above nothing but numbers, or dates."""
    full = [value for value in column if value]
    return len(full) >= _ROWS and cell[:1].isalpha() and not _no_name(cell) and all(map(_BEGINS.match, full))


def _above_classes(both: Sequence[tuple[str, Sequence[str]]]) -> bool:
    """Whether a cell is none of the classes below it, and looks like none; or another is short above texts."""
    unlike = [(cell, set(column)) for cell, column in both if _are_classes(column) and cell not in column]
    unlike = [(cell, classes) for cell, classes in unlike if not _no_name(cell)]
    for cell, classes in unlike:
        longer = len(cell.split()) > max(_WORDS - 1, *(len(value.split()) for value in classes))
        asks = cell.endswith("?") and not any(value.endswith("?") for value in classes)
        if longer or asks:
            return True
    return bool(unlike) and any(_above_texts(*one) for one in both)


def _above_texts(cell: str, column: Sequence[str]) -> bool:
    full = [value for value in column if value]
    if len(full) < _ROWS or _no_name(cell) or median(map(len, full)) < _SHORT:
        return False
    words = median(len(value.split()) for value in full)
    return _TIMES * len(cell.split()) <= words or _TIMES * len(cell) <= median(map(len, full))


def _are_classes(column: Sequence[str]) -> bool:
    full = [value for value in column if value]
    return len(full) >= _ROWS and 2 * len(set(full)) <= len(full)


def _no_name(cell: str) -> bool:
    return cell in ("", "-") or says_missing(cell)
