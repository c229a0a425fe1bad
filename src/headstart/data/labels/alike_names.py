"""Names of classes that look the same to a reader, and are different ones to a machine."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from headstart.errors import short_name, some_of

# Letters of other alphabets that are drawn as Latin ones: Cyrillic, then Greek.
_LETTERS = str.maketrans("АВЕЅІЈКМНОРСТХУаеорсухіјѕԁԛԝһ", "ABESIJKMHOPCTXYaeopcyxijsdqwh") | str.maketrans(
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo"
)
_DRAWN = _LETTERS | str.maketrans("‐‑‒–−’‘", "-----''")
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u2800\u3164\ufe00-\ufe0f\uffa0]")  # besides "Cf"
_WORD = re.compile(r"[^\W\d_]+")


def alike_names(names: Sequence[str], named: str) -> list[str]:
    """Notes on names that differ in what a reader hardly sees, and on words with letters of two alphabets.

    Args:
        named: what they are: classes, or labels.
    """
    in_case = _twice(names, _plain)
    drawn = [twins for twins in _twice(names, lambda name: _plain(_drawn(name))) if twins not in in_case]
    mixed = [name for name in names if _of_two_alphabets(name) and not any(name in twins for twins in drawn)]
    said = {
        "that differ in case or spaces only, learned as different ones": [_and(repr, twins) for twins in in_case],
        "that look the same, learned as different ones": [_and(_written(twins), twins) for twins in drawn],
        "with letters of two alphabets in one word": [ascii(short_name(name)) for name in mixed],
    }
    return [f"{named} {what}: {some_of(some)}" for what, some in said.items() if some]


def _twice(names: Sequence[str], key: Callable[[str], str]) -> list[list[str]]:
    """The names that are one to a key, together."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return [twins for twins in found.values() if len(twins) > 1]


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _drawn(name: str) -> str:
    """As it looks: without what is not drawn, and with a letter of Latin for each that is drawn like it."""
    if name.isascii():
        return name
    seen = "".join(c for c in _UNSEEN.sub("", name) if unicodedata.category(c) != "Cf")
    return seen.translate(_DRAWN)


def _written(twins: Sequence[str]) -> Callable[[str], str]:
    """How they are written so that one sees what differs."""
    return repr if len({_drawn(repr(name)) for name in twins}) == len(twins) else ascii


def _of_two_alphabets(name: str) -> bool:
    """Whether a word has Latin letters, and others that look like such."""
    return not name.isascii() and any(
        word.translate(_LETTERS) != word and any(unicodedata.name(c, "").startswith("LATIN") for c in word)
        for word in _WORD.findall(name)
    )


def _and(written: Callable[[str], str], names: Sequence[str]) -> str:
    return " and ".join(written(short_name(name)) for name in names)
