"""Patterns of names: train-{000..099}.tar, data/train-*.parquet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

SPECIAL = "*?["
_NUMBERS = re.compile(r"(\d{1,9})\.\.(\d{1,9})")
BRACES = re.compile(r"\{([^{}]*)\}")


def expanded(pattern: str) -> Iterator[str]:
    """The names that a pattern in braces stands for, as shells have it: {000..099}, {a,b}."""
    found = BRACES.search(pattern)
    if found is None:
        yield pattern
        return
    numbers = _NUMBERS.fullmatch(found[1])
    if numbers:
        first, last = int(numbers[1]), int(numbers[2])
        wide = max(len(numbers[1]), len(numbers[2])) if "0" in (numbers[1][:1], numbers[2][:1]) else 0
        step = 1 if first <= last else -1
        inside: Sequence[str] | Iterator[str] = (f"{n:0{wide}}" for n in range(first, last + step, step))
    else:
        inside = found[1].split(",")
    for each in inside:
        yield from expanded(f"{pattern[: found.start()]}{each}{pattern[found.end() :]}")
