"""Columns of texts: what they look like, how they are called, and what a table of nothing else is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from headstart.data.columns.label import are_dates
from headstart.data.columns.names import words_of
from headstart.data.columns.picture_cells import are_pictures
from headstart.errors import DataError, some_of

_WORDS = 4  # of a text, on average, from which a column is one of texts
_ROWS = 'write one row an example, such as {"text": "...", "label": "..."}, or columns text and label'
_QUESTIONS = frozenset(("qas", "question"))  # names in SQuAD's rows within rows
_DIFFERENT = 0.5  # share of its values, at least


def holds_texts(values: Sequence[str | None]) -> bool:
    """Whether a column is one of texts: several words each, and mostly different; no dates."""
    present = [value for value in values if value and value.strip()]
    words = sum(len(value.split()) for value in present)
    several = bool(present) and words >= _WORDS * len(present) and len(set(present)) >= _DIFFERENT * len(present)
    return several and not are_dates(present)


def by_last_word(names: Sequence[str], wanted: tuple[str, ...]) -> str | None:
    """The only one of some names that ends so: short_description, reviewText."""
    found = [name for name in names if words_of(name)[-1:] and words_of(name)[-1] in wanted]
    return found[0] if len(found) == 1 else None


def refuse_unlabelled(
    sample: Mapping[str, Sequence[str | None]], cells: Mapping[str, Sequence[Any]], where: str
) -> None:
    """Raises DataError where all columns hold texts, or what rows are to be made of: no name that is typed helps."""
    nested = [_nested(cells[name]) and not are_pictures(cells[name]) for name in sample]
    names = some_of([*map(repr, sample)])
    if len(sample) > 1 and all(map(holds_texts, sample.values())) and not any(nested):
        what = f"each column holds texts, and none the labels: {names}"
        raise DataError(what, where=where, fix=f"name a label with --label COLUMN; or {_ROWS}")
    if sample and all(nested):
        raise _rows_within_rows("no texts or labels, but rows within rows: " + names, cells, where)


def refuse_nested(texts: Sequence[str], cells: Mapping[str, Sequence[Any]], where: str) -> None:
    """Raises DataError where a column of texts holds what rows are to be made of, which would be learned as printed."""
    nested = [name for name in texts if _nested(cells[name])]
    if nested:
        what = f"column {nested[0]!r} holds rows within rows, no texts"
        raise _rows_within_rows(what, {name: cells[name] for name in nested}, where)


def _rows_within_rows(what: str, cells: Mapping[str, Sequence[Any]], where: str) -> DataError:
    """That cells hold rows; and what to do, where these are the questions of SQuAD's JSON, too."""
    asked = any(_QUESTIONS.intersection(_first_row(column) or ()) for column in cells.values())
    if asked:
        fix = f"SQuAD's JSON is learned with --task answering; or {_ROWS}"
        return DataError(f"{what}: questions about texts", where=where, fix=fix)
    return DataError(what, where=where, fix=_ROWS)


def _nested(column: Sequence[Any]) -> bool:
    """Whether cells are objects of JSON, or lists of such."""
    return _first_row(column) is not None


def _first_row(column: Sequence[Any]) -> dict[Any, Any] | None:
    """The first cell that is an object of JSON, or the first object of the first that is a list of such."""
    cells = (value.tolist() if isinstance(value, np.ndarray) else value for value in column)
    rows = (value[0] if isinstance(value, list | tuple) and value else value for value in cells)
    return next((row for row in rows if isinstance(row, dict)), None)
