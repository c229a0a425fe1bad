"""The rows of a table with all of their columns, as they stand in its file: predictions are written beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count, islice
from pathlib import Path
from typing import Any

from headstart.data.files.arrow import plain_values
from headstart.data.tables.table import open_blocks, table_errors
from headstart.values import Columns


def as_written(path: Path, asked: Columns) -> tuple[list[str], list[list[str]]]:
    """Names of the columns, and every row of the file; of one that cannot be read what stands there, in its place.

    Args:
        asked: of which the encoding and the delimiter are taken.

    Raises:
        DataError: damaged, or no table.
    """
    unread: dict[int, list[str]] = {}
    columns: dict[str, list[str]] = {}
    n = 0
    with table_errors(path):
        for block in open_blocks(path, [], asked, absent="", unread=unread)[0]:
            cells = {name: [_cell(value) for value in plain_values(block[name])] for name in block}
            more = len(next(iter(cells.values()), ()))
            for name in {**columns, **cells}:
                columns.setdefault(name, [""] * n).extend(cells.get(name, [""] * more))
            n += more
    rows = iter(zip(*columns.values(), strict=True))
    numbers = islice(count(1), n + len(unread))
    blank = [""] * len(columns)
    given = (unread[number] + blank if number in unread else next(rows) for number in numbers)
    return list(columns), [list(row[: len(columns)]) for row in given]


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    if isinstance(value, Mapping) and {*value} == {"bytes", "path"}:  # a picture, as hubs keep them
        return _cell(value["path"])
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)
