"""Names whose accents are characters of their own, as a Mac writes them, or one with their letters: the same names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from headstart.errors import some_of

_BETWEEN = re.compile("[|;,]")  # labels of one example


def composed(name: str) -> str:
    """A name with each accent and its letter as one character."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def spellings(name: str) -> list[str]:
    """As it is, composed, and with its accents apart: a file is called by one of them."""
    if name.isascii():
        return [name]
    return list(dict.fromkeys((name, composed(name), unicodedata.normalize("NFD", name))))


def spelled(name: str, is_there: Callable[[str], bool]) -> str:
    """The name in the spelling that is there, of a file on a disk; as it is, where none is."""
    return name if name.isascii() else next(filter(is_there, spellings(name)), name)


def two_spellings(cells: Iterable[Any]) -> tuple[str, ...]:
    """A note on the names that are written both ways among labels or groups, which are taken as one."""
    flat = chain.from_iterable(cell if isinstance(cell, tuple) else (cell,) for cell in cells)
    texts = {text for text in flat if type(text) is str}
    names = {name.strip() for text in texts if not text.isascii() for name in _BETWEEN.split(text)}
    both = sorted(name for name in map(composed, names - {*map(composed, names)}) if name in names)
    return (f"two spellings of one name, accents apart or with their letters: {some_of(both)}",) if both else ()
