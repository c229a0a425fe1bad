"""JSON lines, or a list of JSON objects, as blocks of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from headstart.data.files.arrow import Block, unique
from headstart.data.files.text_file import MOST_LINE, leave_out, open_text
from headstart.data.tables.json_object import rows_of
from headstart.data.tables.label_tools import as_plain_row
from headstart.errors import DataError
from headstart.values import Finding

_MOST_WHOLE = 2**30  # characters of a file that is read whole
_MOST_NAMES = 10_000


class _Rows(Mapping[str, Any]):
    """JSON objects as columns, each made when it is asked for: there may be thousands that nobody needs."""

    def __init__(self, names: Iterable[str], rows: list[dict[str, Any]], absent: Any) -> None:
        self._names, self._rows, self._absent = dict.fromkeys(names), rows, absent

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self._names:
            raise KeyError(name)
        return [row.get(name, self._absent) for row in self._rows]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def json_rows(
    path: Path,
    encoding: str,
    left_out: list[Finding],
    absent: Any,
    most: int,
    *,
    label: str | None,
    need_label: bool,
    unread: dict[int, list[str]] | None = None,
) -> Iterator[Block]:
    """One JSON object a line; a line that is none is left out and listed. A file with one JSON list is read whole.

    Args:
        label: the column that the user named. need_label: whether rows without a label are left out, too.
        unread: takes what stands in rows that are none, by their numbers.
    """
    with open_text(path, encoding) as file:
        whole = _is_whole(file, str(path))
        file.seek(0)
        rows: Iterable[Any] = _all_of(path, encoding) if whole else (line for line in file if line.strip())
        names: dict[str, None] = {}
        block: list[dict[str, Any]] = []
        for number, row in enumerate(rows, start=1):
            found = _object(row)
            if found is None:
                written = [row.strip() if isinstance(row, str) else repr(row)]
                leave_out(left_out, "damaged-row", path, number, "not a JSON object", written=written, unread=unread)
                continue
            found, why = as_plain_row(found, f"{path.name} row {number}", label=label, need_label=need_label)
            if why:
                leave_out(left_out, "not-labelled", path, number, why)
                continue
            names |= dict.fromkeys(found)
            if len(names) > _MOST_NAMES:
                what = f"rows up to {number} have more than {_MOST_NAMES:,} different names"
                raise DataError(what, where=str(path), fix="the rows of a table have the same names")
            block.append(found)
            if len(block) == most:
                yield _Rows(names, block, absent)
                block = []
        if block:
            yield _Rows(names, block, absent)


def _is_whole(file: TextIO, where: str) -> bool:
    """Whether the file is one JSON value: a list, or an object that does not end with its line, or that holds rows."""
    pieces = (piece.lstrip("\ufeff") for piece in iter(lambda: file.readline(MOST_LINE), ""))
    full = (piece.strip() for piece in pieces if piece.strip())
    line, behind = next(full, ""), next(full, "")
    if not line.startswith("{"):
        return line.startswith("[")
    first = _object(line)
    if first is None:
        return not behind.startswith("{") or line == "{"
    return not behind and rows_of(first, where) is not None and any(isinstance(v, dict | list) for v in first.values())


def _all_of(path: Path, encoding: str) -> list[Any]:
    fix = "one JSON object a line, or one list of objects; of pandas: to_json(path, orient='records', lines=True)"
    try:
        rows = rows_of(_decode(whole_text(path, encoding)), str(path))
    except (ValueError, TypeError, RecursionError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else error
        raise DataError(f"not JSON: {what}", where=str(path), fix="one JSON object a line, or one list") from None
    if rows is None:
        raise DataError("a JSON object that holds no rows", where=str(path), fix=fix)
    return rows


def whole_text(path: Path, encoding: str) -> str:
    """All of a file that is one JSON value.

    Raises:
        DataError: more of it than fits. OSError: no regular file.
    """
    with open_text(path, encoding) as file:
        text = file.read(_MOST_WHOLE + 1)
    if len(text) > _MOST_WHOLE:
        raise DataError(f"more than {_MOST_WHOLE:,} characters", where=str(path), fix="save it as JSON lines")
    return text


def _each_name(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which a name that is there twice, with two values, is two."""
    found = dict(pairs)
    if len(found) == len(pairs) or all(found[name] == value for name, value in pairs):
        return found
    return dict(zip(unique(name for name, _ in pairs), (value for _, value in pairs), strict=True))


_decode = json.JSONDecoder(object_pairs_hook=_each_name).decode


def _object(row: Any) -> dict[str, Any] | None:
    try:
        found = _decode(row) if isinstance(row, str) else row
    except (ValueError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, dict) else None
