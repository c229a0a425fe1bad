"""A table that is one JSON object or list: as pandas writes it in each of its orients."""

from __future__ import annotations

from typing import Any

from headstart.data.columns import IMAGES, LABELS, PARTS, TEXTS

_KNOWN = {*LABELS, *TEXTS, *IMAGES, *PARTS}
Row = dict[str, Any]
_KEYS = ("data", "rows", "examples", "items", "records")  # of an object, under which the rows are


def rows_of(value: Any) -> list[Any] | None:
    """The rows that a JSON value holds; None: it is no table."""
    if isinstance(value, list):
        return _of_lists(value)
    if not isinstance(value, dict) or not value:
        return None
    names, rows = value.get("columns"), next((value[key] for key in _KEYS if isinstance(value.get(key), list)), None)
    if rows is not None:
        split = isinstance(names, list) and all(isinstance(row, list) and len(row) == len(names) for row in rows)
        return [dict(zip(map(str, names), row, strict=True)) for row in rows] if split and names else _of_lists(rows)
    held = list(value.values())
    if all(isinstance(column, list) for column in held) and len({len(column) for column in held}) == 1:
        return [dict(zip(value, row, strict=True)) for row in zip(*held, strict=True)]
    if all(isinstance(row, dict) for row in held):
        return held if _by_row(value) else _by_column(value)
    return None


def _by_row(value: dict[str, dict[str, Any]]) -> bool:
    """Whether the outer names are those of rows, the inner ones those of columns."""
    inner = {name.strip().lower() for name in next(iter(value.values()))}
    outer = {name.strip().lower() for name in value}
    if _KNOWN & inner or _KNOWN & outer:
        return len(_KNOWN & inner) > len(_KNOWN & outer)
    return len(inner) < len(outer)


def _by_column(value: dict[str, dict[str, Any]]) -> list[Row]:
    rows = dict.fromkeys(name for column in value.values() for name in column)
    return [{name: column.get(row) for name, column in value.items()} for row in rows]


def _of_lists(rows: list[Any]) -> list[Any]:
    """Rows that are lists of cells, with numbers as names of columns; other rows as they are."""
    if rows and all(isinstance(row, list) for row in rows) and len({len(row) for row in rows}) == 1:
        return [{str(number): cell for number, cell in enumerate(row, start=1)} for row in rows]
    return rows
