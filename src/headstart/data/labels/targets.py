"""From a cell that holds a label to what a task learns, or a refusal in words."""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from headstart.data.files.accents import composed
from headstart.data.labels.values import Cell, Scalar, as_text, cell_of, shown
from headstart.data.labels.written_numbers import PLAIN
from headstart.errors import DataError

_MOST_WRITTEN = 10_000  # characters of a list as Python writes it
BRACKETED = re.compile(r"\[.*\]|\(.*\)|\{.*\}|set\(\)", re.DOTALL)
_SIDE_BY_SIDE = re.compile(r"['\"]\s+['\"]")  # as numpy writes texts
_NONE = re.compile(r"\[\s*\]|\(\s*\)|\{\s*\}|set\(\)")  # an empty list, written down
_REMEMBERED = 1 << 14  # labels


def as_class(cell: Cell, *, where: str = "label") -> str | None:
    """The one class of an example, without space around it: 1 and 1.0 are "1", true is "true", blank or [] is missing.

    A text that writes down a list of one label, such as "['spam']", is that label.

    Raises:
        DataError: several labels.
    """
    if not isinstance(cell, tuple):
        text = _stripped(cell)
        return text if text is None or text[-1] not in "])}" else only_one(text) or text
    classes = _classes(cell)
    if len(classes) > 1:
        fix = "one label an example; or learn several with --task multilabel"
        raise DataError(f"{len(classes)} labels: {shown(list(classes))}", where=where, fix=fix)
    return classes[0] if classes else None


def as_labels(cell: Cell, *, separator: str | None = None, where: str = "label") -> tuple[str, ...] | None:
    """The labels of an example, each once, in their order; (): it is said to have none; None: nothing is said.

    A text may be a list as JSON, Python or numpy write it, which a separator does not split. A blank text is missing,
    and so is a list of nothing but blank texts and nulls.

    Raises:
        DataError: a text that starts out as a list and cannot be read as one.
    """
    if cell is None or isinstance(cell, tuple):
        return None if cell is None else _labels(cell)
    text = _stripped(cell)
    if text is None or not isinstance(cell, str):
        return (() if says_none(cell) else None) if text is None else (text,)
    written = list_in(text)
    if written is not None:
        members = cell_of(written, where=where)
        return None if members is None else _labels(members if isinstance(members, tuple) else (text,))
    if _meant_as_list(text):
        raise DataError(f"{shown(text)} is no list that can be read", where=where, fix='write it as ["one", "other"]')
    return _labels(tuple(text.split(separator))) if separator else (text,)


def as_number(cell: Cell, *, where: str = "label") -> float | None:
    """The number that an example has; a blank text is missing.

    Raises:
        DataError: no number, or an infinite one, or one whose comma may mean this or that.
    """
    if isinstance(cell, tuple):
        if len(cell) > 1:
            raise DataError(f"{len(cell)} values: {shown(list(cell))}", where=where, fix="one number an example")
        cell = cell[0] if cell else None
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    number = number_of(cell)
    if number is not None:
        return number
    what = str(as_text(cell)) if isinstance(cell, bool) else shown(cell)
    if isinstance(cell, str) and "," in cell and number_of(cell.replace(",", "")) is not None:
        fix = "write 1234.5: a point before the fraction, and nothing between thousands"
        raise DataError(f"{what} has a comma", where=where, fix=fix)
    if isinstance(cell, bool):
        raise DataError(f"{what} is no number", where=where, fix="give numbers, or learn true and false as classes")
    fix = "write the number alone, such as 3.5, and leave the cell empty where there is none"
    raise DataError(f"{what} is no {'finite ' if not isinstance(cell, str) else ''}number", where=where, fix=fix)


def says_none(cell: Cell) -> bool:
    """Whether it is an empty list, as text too: the example has no label, which is said."""
    return cell == () or (isinstance(cell, str) and _class_in(cell) is None and not cell.isspace() and cell != "")


def _labels(cells: Sequence[Any]) -> tuple[str, ...] | None:
    """Those that are no blank text; None where all of several are."""
    labels = _classes(cells)
    return labels if labels or not cells else None


def _classes(cells: Sequence[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for cell in cells if (text := as_class(cell)) is not None))


@lru_cache(_REMEMBERED)  # labels recur, and each is looked at in many ways
def _class_in(text: str) -> str | None:
    text = composed(text.strip())
    return None if not text or _NONE.fullmatch(text) else text


def _stripped(cell: Scalar | None) -> str | None:
    return _class_in(cell if type(cell) is str else as_text(cell) or "")


@lru_cache(_REMEMBERED)
def only_one(text: str) -> str | None:
    """The label that a text writes down as a list of one."""
    found = list_in(text)
    members = list(found) if isinstance(found, list | tuple | set) else []
    return _stripped(members[0]) if len(members) == 1 and isinstance(members[0], str) else None


def text_of(cell: Cell) -> str | None:
    return None if isinstance(cell, tuple) else _stripped(cell)


@lru_cache(_REMEMBERED)
def _number_in(text: str) -> float | None:
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    return float(text) if PLAIN.fullmatch(text) else None


def number_of(cell: Any) -> float | None:
    """None: none, or not a finite one."""
    if isinstance(cell, str):
        cell = _number_in(cell)
    if cell is None or isinstance(cell, bool | tuple):
        return None
    try:
        number = float(cell)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def is_list(cell: Cell) -> bool:
    return isinstance(cell, str) and writes_list(cell)


@lru_cache(_REMEMBERED)
def writes_list(text: str) -> bool:
    return isinstance(list_in(text.strip()), list | tuple | set)


def list_in(text: str) -> Any:
    """The list, or the dict, that a text writes down, or the list in {"choices": [...]}; None where it does neither.

    In round and curly brackets are texts only: "(1, 2)" may be a range.
    """
    if not BRACKETED.fullmatch(text):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _literal(text)
    if isinstance(found, dict) and set(found) == {"choices"}:
        found = found["choices"]
    if isinstance(found, tuple | set) and not all(isinstance(member, str) for member in found):
        return None
    return found if isinstance(found, list | tuple | set | dict) else None


def _meant_as_list(text: str) -> bool:
    """Like [a, b], which R and YAML write, or [0 1], as numpy does; but "[spam]" is a label."""
    inside = text[1:-1]
    if not text.startswith("[") or not text.endswith("]") or "[" in inside or "]" in inside:
        return False
    parts = inside.split()
    return any(sign in inside for sign in ",'\"") or (len(parts) > 1 and all(map(PLAIN.fullmatch, parts)))


def _literal(text: str) -> Any:
    if len(text) > _MOST_WRITTEN:
        return None
    try:
        with warnings.catch_warnings():  # of escapes that Python does not know
            warnings.simplefilter("ignore")
            found = ast.literal_eval(text)
            texts = isinstance(found, list) and all(isinstance(member, str) for member in found)
            if not texts or not _SIDE_BY_SIDE.search(text):
                return found
            # ['a' 'b'] is two texts to numpy, which has no commas, and one to Python
            tokens = tokenize.generate_tokens(io.StringIO(text).readline)
            return [ast.literal_eval(token.string) for token in tokens if token.type == tokenize.STRING]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        return None


def split_at(text: str, separator: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(piece for part in text.split(separator) if (piece := part.strip())))
