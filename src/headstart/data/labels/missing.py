"""Cells whose text says that a value is missing, as pandas, R and spreadsheets write it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

MARKS = frozenset(("nan", "NaN", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "?"))


def without_missing(inputs: Sequence[Any], cells: list[Any], where: str) -> tuple[list[Any], list[str]]:
    """The cells of targets, none where the input says that it is missing, too; with a note on those that are labels.

    One of them beside a real input may be a class that somebody called so, and is kept.
    """
    count = Counter(cell.strip() for cell in cells if type(cell) is str and cell.strip() in MARKS)
    if not count:
        return cells, []
    both = [
        type(cell) is str and cell.strip() in MARKS and isinstance(text, str) and text.strip() in (*MARKS, "")
        for text, cell in zip(inputs, cells, strict=True)
    ]
    kept = count - Counter(cell.strip() for cell, gone in zip(cells, both, strict=True) if gone)
    said = "{}: {:,} labels are {!r}, which often says that a value is missing; taken as a label: empty cells are none"
    notes = [said.format(where, n, mark) for mark, n in kept.items()]
    return [None if gone else cell for cell, gone in zip(cells, both, strict=True)], notes
