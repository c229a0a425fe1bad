"""A file that says what classes are called: a JSON object, or a table with a class and a text in each row."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from pathlib import Path

from headstart.errors import DataError
from headstart.inputs.paths import existing
from headstart.inputs.text import read_text
from headstart.storage.files import parse_json

_MOST = 1 << 24  # bytes
_HEADERS = frozenset({"class", "classes", "label", "labels", "category", "intent", "topic", "target", "name"})
_FIX = 'a row a text: CLASS,TEXT; or a JSON object: {"CLASS": ["TEXT", "TEXT"]}'
Words = list[tuple[str, str, object]]  # where it stands, the class, and what it is called


def read_words(path: Path, classes: Collection[str]) -> Words:
    """What the file says.

    Args:
        classes: by whose names a header is told from the rows below it.

    Raises:
        DataError: not there, not text, or neither of the two.
    """
    text = read_text(existing(path), most=_MOST)
    if text.lstrip().startswith("["):
        raise DataError("a JSON list, which does not say of which class a text is", where=str(path), fix=_FIX)
    return _of_json(text, path) if text.lstrip().startswith("{") else _of_table(text, path, classes)


def _of_json(text: str, path: Path) -> Words:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where=str(path), fix=_FIX) from None
    each = [(name, texts if isinstance(texts, list) else [texts]) for name, texts in dict(value).items()]
    return [(f"{path} {name!r}", name, said) for name, texts in each for said in texts]


def _of_table(text: str, path: Path, classes: Collection[str]) -> Words:
    try:
        read = [_rows(text, mark) for mark in ",\t;"]
    except csv.Error as error:
        raise DataError(f"cannot be read as a table: {error}", where=str(path), fix=_FIX) from None
    rows = next((rows for rows in read if all(len(row) == 2 for _, row in rows)), read[0])
    if rows and rows[0][1][0].strip() not in classes and rows[0][1][0].strip().lower() in _HEADERS:
        rows = rows[1:]
    wide = next((number for number, row in rows if len(row) != 2), None)
    if wide is not None or not rows:
        what = "no rows" if wide is None else f"row {wide} has not two cells"
        raise DataError(what, where=str(path), fix=_FIX)
    return [(f"{path} row {number}", row[0].strip(), row[1]) for number, row in rows]


def _rows(text: str, mark: str) -> list[tuple[int, list[str]]]:
    """The rows that are not empty, with their numbers."""
    return [(number, row) for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=mark), 1) if row]
