"""A table that is one JSON object or list: as pandas writes it in each of its orients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headstart.data.columns.names import IMAGES, LABELS, PARTS, TEXTS
from headstart.data.files.part_names import part_named
from headstart.errors import DataError

_KNOWN = {*LABELS, *TEXTS, *IMAGES, *PARTS}
Row = dict[str, Any]
_KEYS = ("data", "rows", "examples", "items", "records")  # of an object, under which the rows are


def rows_of(value: Any, where: str) -> list[Any] | None:
    """The rows that a JSON value holds, those of parts with their names in a column split; None: it is no table.

    Raises:
        DataError: there are rows in several places, and not as parts.
    """
    if isinstance(value, list):
        return _of_lists(value)
    if not isinstance(value, dict) or not value:
        return None
    if (parts := _of_parts(value, where)) is not None:
        return parts
    return _of_object(value, where)


def _of_object(value: dict[str, Any], where: str) -> list[Any] | None:
    names, key = value.get("columns"), next((key for key in _KEYS if isinstance(value.get(key), list)), None)
    if key is not None:
        refuse_other_rows(value, [key], where)
        rows = value[key]
        split = isinstance(names, list) and all(isinstance(row, list) and len(row) == len(names) for row in rows)
        return [dict(zip(map(str, names), row, strict=True)) for row in rows] if split and names else _of_lists(rows)
    held = list(value.values())
    if all(isinstance(column, list) for column in held) and len({len(column) for column in held}) == 1:
        return [dict(zip(value, row, strict=True)) for row in zip(*held, strict=True)]
    if all(isinstance(row, dict) for row in held):
        return held if _by_row(value) else _by_column(value)
    return None


def refuse_other_rows(value: dict[str, Any], taken: Sequence[str], where: str) -> None:
    """Raises DataError where an object has rows like those that are taken under another name, too."""
    mine = next((value[key][0] for key in taken if isinstance(value[key], list) and value[key]), None)
    others = [key for key in value if key not in taken and _like(value[key], mine)]
    if others:
        one, other = (key for key in value if key in (taken[0], others[0]))
        what = f"it holds rows under {one!r} and under {other!r}"
        raise DataError(what, where=where, fix="call them train and test where they are parts, or keep one of them")


def _like(value: Any, row: Any) -> bool:
    """Whether a value is a list of rows that have mostly the names of another row, or as many cells."""
    other = value[0] if isinstance(value, list) and value else None
    if isinstance(other, dict) and isinstance(row, dict):
        return 2 * len(other.keys() & row.keys()) > len(other)
    return isinstance(other, list) and isinstance(row, list) and len(other) == len(row)


def _of_parts(value: dict[str, Any], where: str) -> list[Row] | None:
    """The rows of an object in which they stand under names of parts."""
    named = {name: value[name] for name in value if part_named(name) and isinstance(value[name], list | dict)}
    found = {
        name: _of_lists(inner) if isinstance(inner, list) else _of_object(inner, where) if inner else None
        for name, inner in named.items()  # within which there are no others
    }
    tables = [rows is not None and all(isinstance(row, dict) for row in rows) for rows in found.values()]
    if not any(found.values()) or not all(tables):
        return None
    refuse_other_rows(value, list(named), where)
    return [{**row, "split": name} for name, rows in found.items() for row in rows or ()]


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
