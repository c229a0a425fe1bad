"""Answers in the forms that data have them in: cells of tables, entries of JSON, and either of them printed as text."""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from headstart.data.labels.values import as_text
from headstart.storage.files import parse_json

Given = tuple[str, int | None]  # an answer's text, and its first character in the context; None: not given
Answers = tuple[list[Given] | None, str]  # the answers, or why there are none that can be used

NOT_ANSWERED = "not answered yet: it has no answers, and is_impossible is not true"
_MOST = 1_000_000  # characters of a printed value
_PRINTED = re.compile(r"""\{\s*['"}].*\}|\[\s*['"{\]](.*\])?""", re.DOTALL)
_NAMES = {"null": None, "nan": None, "NaN": None, "true": True, "false": False}  # Python's own are constants
_VALUES = (tokenize.STRING, tokenize.NUMBER)


def given(text: Any, start: Any) -> Given:
    """An answer as data have it. A place may be a number with nothing behind the point, as pandas writes it.

    Raises:
        ValueError: what is wrong with it.
    """
    written = as_text(text)
    if written is None:
        raise ValueError("an answer without text")
    if start is None or start != start:
        return written, None
    try:
        place = float(start)
    except (TypeError, ValueError, OverflowError):
        place = math.nan
    if not place.is_integer():
        raise ValueError(f"answer_start {start!r} is no place")
    return written, int(place)


def answers_in(value: Any, start: Any, context: str) -> Answers:
    """Answers in one of their forms: a text, texts, a dict of text and answer_start, a list of such; or one of these as
    text, the way that `to_csv` writes it. An empty list says that nobody has answered yet; an empty cell, or a dict
    whose lists are empty (SQuAD 2.0's tables), that there is no answer."""
    value, start = _unwrapped(value), _unwrapped(start)
    if isinstance(start, str) and start.lstrip().startswith("["):
        start = printed(start)
    if isinstance(value, str) and _is_printed(value, context):
        value = printed(value)
        if not isinstance(value, dict | list):
            return (
                None,
                "its answers are a dict or a list as text, and damaged; save the table as JSON lines or Parquet",
            )
    if isinstance(value, dict):
        if "text" not in value:
            return None, f"answers without text: {', '.join(map(str, value))}"
        inside = _unwrapped(value["text"])
        return ([], "") if inside == [] else answers_in(inside, value.get("answer_start"), context)
    starts = None if start is None or start == "" or start != start else start if isinstance(start, list) else [start]
    if isinstance(value, list):
        if not value and starts is None:
            return None, NOT_ANSWERED
        if value and all(isinstance(item, dict) for item in value):
            return _paired([item.get("text") for item in value], [item.get("answer_start") for item in value])
        return _paired(value, starts)
    text = as_text(value)
    if text is None and isinstance(start, list) and start:
        return None, "an answer_start, and answers without text"
    return ([], "") if text is None or not text.strip() else _paired([text], starts)


def is_true(value: Any) -> bool:
    """Whether data say of a question that it has no answer: true, as JSON, Python and pandas write it, or 1."""
    return str(value).strip().lower() in ("true", "1", "1.0")


def _unwrapped(value: Any) -> Any:
    """A numpy array in a cell as the list that it holds."""
    return value.tolist() if hasattr(value, "tolist") else value


def _paired(texts: list[Any], starts: list[Any] | None) -> Answers:
    if starts is not None and len(starts) != len(texts):
        return None, f"{len(texts)} answers and {len(starts)} answer_start"
    try:
        return [given(text, start) for text, start in zip(texts, starts or [None] * len(texts), strict=True)], ""
    except ValueError as error:
        return None, str(error)


def _is_printed(text: str, context: str) -> bool:
    """Whether a text is a dict or a list of texts that was written as text; what the context has is an answer."""
    bare = text.strip()
    return _PRINTED.fullmatch(bare) is not None and bare not in context


def printed(text: str) -> Any:
    """The value that Python, JSON or numpy printed: dicts, lists, texts and numbers; the text itself, where it is none.

    numpy puts no commas between the members of an array, where Python would make one text of two; pandas calls arrays
    `array(...)`.
    """
    if len(text) > _MOST:
        return text
    with suppress(ValueError):
        return parse_json(text)
    try:
        return _value(ast.parse(_with_commas(text.strip()), mode="eval").body)
    except (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        return text


def _with_commas(text: str) -> str:
    return " ".join(_tokens(text))


def _tokens(text: str) -> Iterator[str]:
    """Python's tokens, with a comma between values that have none."""
    before = None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER):
            continue
        if token.type in _VALUES and before in _VALUES:
            yield ","
        yield token.string
        before = token.type


def _value(node: ast.expr) -> Any:
    """Raises ValueError for whatever is no plain value: nothing is executed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {_value(k): _value(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
    if isinstance(node, ast.Name) and node.id in _NAMES:
        return _NAMES[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "array" and node.args:
        return _value(node.args[0])
    raise ValueError("no plain value")
