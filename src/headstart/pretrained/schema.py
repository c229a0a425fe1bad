"""What JSON from a stranger may hold: each value is of its type and in its range before anything uses it.

A check takes a value and its name, and gives the value back or raises Wrong. Checks are put together from others, and
what a record has besides the fields that are named is dropped: only what is known goes any further.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from headstart.errors import ModelError

Check = Callable[[Any, str], Any]
_PLAIN_DEPTH = 6
_PLAIN_ENTRIES = 200_000  # of one list or object: names of classes, added tokens
_PLAIN_TEXT = 100_000  # characters
_LARGEST = 1e300  # number that was measured
_PLAIN_NUMBER = 1e31  # tokenizers say 1e30 where they mean no limit


class Wrong(ValueError):
    """A value that is missing, of another type or out of its range; the text names it."""


def checked(value: Any, check: Check, where: str, *, ours: bool = False) -> Any:
    """The value as `check` gives it.

    Args:
        where: the file that it is of.
        ours: headstart wrote it, so that it is not only unusual where something is wrong.

    Raises:
        ModelError: it is not as it should be; the first thing that is wrong is named.
    """
    try:
        return check(value, "")
    except Wrong as error:
        if ours:
            raise ModelError(f"damaged: {error}", where=where, fix="save or copy it again") from None
        raise ModelError(
            str(error), where=where, fix="fetch the model again, or take another: headstart models"
        ) from None


def whole(low: int, high: int) -> Check:
    """A whole number."""

    def check(value: Any, name: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(name, value, "a whole number")
        if not low <= value <= high:
            raise _wrong(name, value, f"between {low:,} and {high:,}")
        return value

    return check


def number(low: float = -math.inf, high: float = math.inf, *, above: float = -math.inf) -> Check:
    """A finite number; a whole one is given as it is."""

    def check(value: Any, name: str) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
            raise _wrong(name, value, "a number")
        if not max(low, -_PLAIN_NUMBER) <= value <= min(high, _PLAIN_NUMBER) or value <= above:
            least = f"above {above:g}" if above > -math.inf else f"from {low:g}"
            raise _wrong(name, value, f"a finite number {least}" + (f" to {high:g}" if high < math.inf else ""))
        return value

    return check


def flag(value: Any, name: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def text(*, most: int = 1000, pattern: str = "", said: str = "") -> Check:
    """Characters, at most so many; all of them as `pattern` has it, which `said` says in words."""
    fits = re.compile(pattern, re.DOTALL)

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise _wrong(name, value, said or "a text")
        if len(value) > most:
            raise _wrong(name, value, f"at most {most:,} characters")
        if pattern and not fits.fullmatch(value):
            raise _wrong(name, value, said)
        return value

    return check


def one_of(*allowed: Any) -> Check:
    """One of these values, of the same type: 1 is not True."""

    def check(value: Any, name: str) -> Any:
        if not any(type(value) is type(known) and value == known for known in allowed):
            raise _wrong(name, value, "one of " + ", ".join(map(str, allowed)))
        return value

    return check


def listing(item: Check, *, least: int = 0, most: int, distinct: bool = False) -> Check:
    """A list of so many items."""

    def check(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(name, value, "a list")
        if not least <= len(value) <= most:
            number_of = str(least) if least == most else f"{least} to {most:,}"
            raise Wrong(f"{_named(name)} has {len(value):,} entries, not {number_of}")
        items = [item(entry, f"{name}[{i}]") for i, entry in enumerate(value)]
        if distinct and len(set(items)) < len(items):
            raise Wrong(f"{_named(name)} has the same entry twice")
        return items

    return check


def record(fields: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with all of `fields`, and those of `optional` that are there; anything else in it is left out."""

    def check(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(name, value, "an object")
        for field in fields:
            if field not in value:
                raise Wrong(f"{_below(name, field)} is missing")
        known = {**fields, **(optional or {})}
        return {field: known[field](entry, _below(name, field)) for field, entry in value.items() if field in known}

    return check


NAME = text(most=10_000_000)  # of an example, a class, a step; or a sentence about it
COUNT = whole(0, 2**53)


def figure(value: Any, name: str) -> float | None:
    """What was measured: a finite number, or null where it was none."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST):
        return value
    raise _wrong(name, value, "a finite number, or null")


def real(value: Any, name: str) -> float | None:
    """A number, be it infinite or none, as Python's JSON has them; or null."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value if isinstance(value, float | None) else number()(value, name)
    raise _wrong(name, value, "a number, or null")


def mapping(item: Check, *, most: int) -> Check:
    """An object of so many entries, whatever their names."""

    def check(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > most:
            raise _wrong(name, value, f"an object of at most {most:,} entries")
        return {field: item(entry, _below(name, field)) for field, entry in value.items()}

    return check


def maybe(known: Check) -> Check:
    """Null, or what `known` lets through."""
    return lambda value, name: None if value is None else known(value, name)


def either(first: Check, second: Check) -> Check:
    """What one of the two lets through; of what neither does, the second says why."""

    def check(value: Any, name: str) -> Any:
        try:
            return first(value, name)
        except Wrong:
            return second(value, name)

    return check


def by_field(field: str, with_it: Check, without: Check) -> Check:
    """What the first lets through of an object that has the field, and the second of anything else."""

    def check(value: Any, name: str) -> Any:
        known = with_it if isinstance(value, dict) and field in value else without
        return known(value, name)

    return check


def plain(value: Any, name: str, *, depth: int = _PLAIN_DEPTH) -> Any:
    """Any JSON of bounded size and depth, its numbers finite."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return number()(value, name)
    if isinstance(value, str):
        return text(most=_PLAIN_TEXT)(value, name)
    if depth == 0:
        raise Wrong(f"{_named(name)} is nested too deep")
    if isinstance(value, list):
        return listing(lambda entry, at: plain(entry, at, depth=depth - 1), most=_PLAIN_ENTRIES)(value, name)
    if not isinstance(value, dict) or len(value) > _PLAIN_ENTRIES:
        raise _wrong(name, value, f"an object of at most {_PLAIN_ENTRIES:,} entries")
    return {key: plain(entry, _below(name, key), depth=depth - 1) for key, entry in value.items()}


def an_object(value: Any, name: str) -> dict[str, Any]:
    """An object of plain values."""
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object")
    found: dict[str, Any] = plain(value, name)
    return found


def some_object(value: Any, name: str) -> dict[str, Any]:
    """An object, whatever is in it: for what is checked elsewhere."""
    if not isinstance(value, dict):
        raise _wrong(name, value, "an object")
    return value


def entire(known: Check) -> Check:
    """What `known` lets through, with all else that stands in it."""

    def check(value: Any, name: str) -> Any:
        known(value, name)
        return value

    return check


def _below(name: str, field: str) -> str:
    shown = repr(field[:60])[1:-1]  # in one line, whatever is in it
    return f"{name}.{shown}" if name else shown


def _named(name: str) -> str:
    return name or "it"


def _wrong(name: str, value: Any, wanted: str) -> Wrong:
    return Wrong(f"{_named(name)} is {_shown(value)}, not {wanted}")


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    try:
        shown = repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of very many digits"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
