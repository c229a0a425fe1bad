"""Cells whose text says that a value is missing, as pandas, R, Python, databases and spreadsheets write it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from headstart.storage.columns import mapped

_MARKS = frozenset(("nan", "na", "n/a", "#n/a", "<na>", "null", "none", "?"))  # whatever their case
_OFTEN = "which often says that a value is missing"


def says_missing(cell: Any) -> bool:
    """Whether a cell is a text that says so; a blank one says nothing, and is for the caller to know."""
    return isinstance(cell, str) and cell.strip().lower() in _MARKS


def without_missing(inputs: Sequence[Any], cells: Sequence[Any], where: str) -> tuple[Sequence[Any], list[str]]:
    """The cells of targets, none where the input says that it is missing, too; with a note on those that are labels.

    One of them beside a real input may be a class that somebody called so, and is kept.
    """
    written = {cell for cell in {cell for cell in cells if type(cell) is str} if says_missing(cell)}
    if not written:
        return cells, []
    marks = [number for number, cell in enumerate(cells) if type(cell) is str and cell in written]
    gone = {number for number in marks if says_missing(text := inputs[number]) or text == ""}
    kept = Counter(cells[number].strip() for number in marks if number not in gone)
    said = "{}: {:,} labels are {!r}, {}; taken as a label: empty cells are none"
    notes = [said.format(where, n, mark, _OFTEN) for mark, n in kept.items()]
    return [None if number in gone else cell for number, cell in enumerate(cells)], notes


def without_missing_groups(names: Sequence[str | None]) -> tuple[Sequence[str | None], list[str]]:
    """Names of groups, none where one says that it is missing: such examples need not belong together; with a note."""
    marks = Counter(name.strip() for name in names if name is not None and says_missing(name))
    notes = [f"{n:,} examples are of group {mark!r}, {_OFTEN}: taken as none" for mark, n in marks.items()]
    return mapped(names, lambda name: None if says_missing(name) else name) if marks else names, notes
