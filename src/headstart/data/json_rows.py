"""JSON lines, or a list of JSON objects, as blocks of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from headstart.data.arrow import Block
from headstart.data.text_file import leave_out, open_text
from headstart.errors import DataError
from headstart.storage.files import parse_json
from headstart.values import Finding

MOST_BYTES = 2**30  # of a file that is read whole
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


def json_rows(path: Path, encoding: str, left_out: list[Finding], absent: Any, most: int) -> Iterator[Block]:
    """One JSON object a line; a line that is none is left out and listed. A file with one JSON list is read whole."""
    with open_text(path, encoding) as file:
        first = file.read(1 << 16).lstrip()[:1]
        file.seek(0)
        rows: Iterable[Any] = _list(path, encoding) if first == "[" else (line for line in file if line.strip())
        names: dict[str, None] = {}
        block: list[dict[str, Any]] = []
        for number, row in enumerate(rows, start=1):
            found = _object(row)
            if found is None:
                leave_out(left_out, "damaged-row", path, number, "not a JSON object")
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


def _list(path: Path, encoding: str) -> list[Any]:
    try:
        return list(parse_json(_whole(path, encoding)))
    except (ValueError, TypeError) as error:
        raise DataError(f"not JSON: {error}", where=str(path), fix="one JSON object a line, or one list") from None


def _whole(path: Path, encoding: str) -> str:
    with open_text(path, encoding) as file:
        text = file.read(MOST_BYTES + 1)
    if len(text) > MOST_BYTES:
        raise DataError(f"more than {MOST_BYTES:,} characters", where=str(path), fix="save it as JSON lines")
    return text


def _object(row: Any) -> dict[str, Any] | None:
    try:
        found = json.loads(row) if isinstance(row, str) else row
    except (ValueError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, dict) else None
