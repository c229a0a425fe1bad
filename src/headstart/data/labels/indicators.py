"""Columns of 0 and 1, one a label: which of a table they are, and which labels each row has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from headstart.data.labels.cells import without_example, zeros_note
from headstart.data.labels.missing import says_missing
from headstart.data.labels.values import Cell, absent, mark, shown
from headstart.errors import DataError

_YES = frozenset(("1", "1.0", "true", "t", "yes", "y", "x", "\N{CHECK MARK}", "\N{HEAVY CHECK MARK}"))
_NO = frozenset(("0", "0.0", "false", "f", "no", "n"))
_PLAINEST: dict[Any, str] = {0: "no", 1: "yes", "0": "no", "1": "yes", "": "blank", None: "blank"}
_NUMBERS = frozenset(("0", "0.0", "1", "1.0"))
_ODD = 0.1  # share of a column's values, at most, that may be other than 0 and 1 for a word about it
_FIX = "0 or 1 in a column for each label (yes and no, x and empty), or one column with the label: --label COLUMN"


def indicator_columns(columns: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """The columns that hold nothing but 0 and 1, or true and false, in their order: each says who has its label.

    One such column is a label of two classes, and a column of zeros alone may be a count: two or more have both values,
    or there are no such columns at all. Cells without a value say nothing here.
    """
    marks = {name: {mark(cell) for cell in cells if not _blank(cell)} for name, cells in columns.items()}
    found = tuple(name for name, seen in marks.items() if seen and None not in seen)
    return found if sum(len(marks[name]) == 2 for name in found) >= 2 else ()


def nearly_indicators(columns: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Columns that would be of 0 and 1 but for a few values, with the first of these, for a note."""
    found = {}
    for name, cells in columns.items():
        marks = [(cell, mark(cell)) for cell in cells if not _blank(cell)]
        odd = [cell for cell, yes in marks if yes is None]
        if odd and len(odd) <= _ODD * len(marks) and len({yes for _, yes in marks}) == 3:
            found[name] = shown(odd[0])
    return found


def marked_columns(columns: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """The columns whose values are yes and no in any of the ways to write that, an empty cell for no too."""
    kinds = {name: {_meant(cell) for cell in cells} for name, cells in columns.items()}
    return tuple(name for name, seen in kinds.items() if "" not in seen and "yes" in seen and len(seen) > 1)


def indicator_cells(
    rows: Sequence[Sequence[Any]], names: Sequence[str], where: Sequence[str]
) -> tuple[list[Cell], list[str]]:
    """The names of the columns that are 1, row by row, with notes; a row without any value is missing.

    Yes and no are understood in any of the ways to write them. An empty cell is no where nothing else says no. Columns
    of names that recur (label1, label2) give the names.

    Raises:
        DataError: any other value, or none where others of its row have one.
    """
    meant = list(map(_meant_in, rows))
    if any("" in row for row in meant):
        named = _names_in(rows, meant)
        if named is None:
            row, at = next((row, kinds.index("")) for row, kinds in enumerate(meant) if "" in kinds)
            raise DataError(f"{shown(rows[row][at])} in column {names[at]!r}", where=where[row], fix=_FIX)
        different = len(set(chain.from_iterable(cell for cell in named if cell is not None)))
        note = f"columns {', '.join(names)}: their cells are taken as names of labels, {different} different"
        return list(named), [note]
    empty_is_no = not any("no" in row for row in meant)
    cells = [_cell(row, names, place, empty_is_no=empty_is_no) for row, place in zip(meant, where, strict=True)]
    notes = _notes(rows, meant, names, empty_is_no=empty_is_no)
    return cells, [*notes, *zeros_note(without_example(names, cells))]


def _cell(kinds: list[str], names: Sequence[str], where: str, *, empty_is_no: bool) -> Cell:
    if "blank" in kinds and not empty_is_no:
        if set(kinds) == {"blank"}:
            return None
        fix = "write 0 or 1; a row of which nothing is known is empty in all of these columns"
        raise DataError(f"no value in column {names[kinds.index('blank')]!r}", where=where, fix=fix)
    return tuple(name for name, kind in zip(names, kinds, strict=True) if kind == "yes")


def _names_in(rows: Sequence[Sequence[Any]], meant: list[list[str]]) -> list[tuple[str, ...] | None] | None:
    """The texts in each row, where these are clearly names of labels: words only, which recur."""
    present = [
        (value, kind)
        for row, kinds in zip(rows, meant, strict=True)
        for value, kind in zip(row, kinds, strict=True)
        if kind != "blank"
    ]
    words = [value for value, kind in present if not kind and isinstance(value, str) and any(map(str.isalpha, value))]
    if len(words) < len(present) or 2 * len({word.strip() for word in words}) > len(words):
        return None
    return [
        tuple(value.strip() for value, kind in zip(row, kinds, strict=True) if not kind) or None
        for row, kinds in zip(rows, meant, strict=True)
    ]


def _notes(
    rows: Sequence[Sequence[Any]], meant: list[list[str]], names: Sequence[str], *, empty_is_no: bool
) -> list[str]:
    """What words and empty cells were taken for; 0 and 1 need none."""
    seen: dict[str, dict[str, None]] = {"yes": {}, "no": {}}
    for row, kinds in zip(rows, meant, strict=True):
        for value, kind in zip(row, kinds, strict=True):
            if kind in seen and isinstance(value, str) and value.strip() not in _NUMBERS:
                seen[kind][repr(value.strip())] = None
    said = [f"{', '.join(words)} taken as {1 if kind == 'yes' else 0}" for kind, words in seen.items() if words]
    if empty_is_no and any("blank" in row for row in meant):
        rows_empty = sum(set(row) == {"blank"} for row in meant)
        marks = dict.fromkeys(repr(value.strip()) for row in rows for value in row if says_missing(value))
        empty = ", ".join(["an empty cell", *marks])
        said.append(f"{empty} taken as 0, since nothing else says no ({rows_empty} rows have none of the labels)")
    return [f"columns {', '.join(names)}: {'; '.join(said)}"] if said else []


def _meant_in(row: Sequence[Any]) -> list[str]:
    """`_meant` of each, at once where they are the plainest."""
    try:
        found = [_PLAINEST.get(value, "") for value in row]
    except TypeError:  # one has no hash
        found = [""]
    return found if "" not in found else [_meant(value) for value in row]


def _meant(value: Any) -> str:
    """ "yes", "no" or "blank"; "": none of them."""
    yes = mark(value)
    if yes is not None:
        return "yes" if yes else "no"
    if _blank(value):
        return "blank"
    word = value.strip().lower() if isinstance(value, str) else ""
    return "yes" if word in _YES else "no" if word in _NO else ""


def _blank(value: Any) -> bool:
    return absent(value) or (isinstance(value, str) and (not value.strip() or says_missing(value)))
