"""Sentences by their marks, without a model: all of a text's, or the one around a place (in a screen of text)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WIDEST = 300  # characters to each side
# A full stop ends a sentence where a space and a capital, a digit or an opening mark follow; in scripts that write no
# spaces its own stop is enough. So does an empty line. Repeats are counted: a text may be nothing but dots.
_END = re.compile(r"""[.!?…]{1,9}["'’”)\]]{0,9}(?=\s+["'‘“(\[]*[^\W_a-z])|[。！？]["”’」』）]{0,9}|\n[ \t\r]*\n""")
_SHORT = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Fig|vs|etc|e\.g|i\.e|cf|ca|approx|Inc|Ltd|Jr|Sr|Gen|Col|Lt)|\b\w)\.$"
)


def sentence(text: str, start: int, stop: int) -> tuple[int, int]:
    """Characters of the sentence (or sentences) that `start` to `stop` is in, without white space around it.

    At most 300 characters to each side, cut between words where the sentence is longer.
    """
    low, high = max(0, start - _WIDEST), min(len(text), stop + _WIDEST)
    first = max(_ends(text, low, start), default=low)
    behind = (end for end in _ends(text, max(low, stop - 1), min(len(text), high + 2)) if end >= stop)
    last = min(high, next(behind, high))
    if first == low > 0:
        first = _word_start(text, low, start)
    if last == high < len(text):
        last = _word_stop(text, stop, high)
    return _without_space(text, first, last, start, stop)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Characters of each sentence of a text, in order, without white space around it; blank ones are left out."""
    first = 0
    for end in (*_ends(text, 0, len(text)), len(text)):
        start, stop = _without_space(text, first, end, end, first)
        if start < stop:
            yield start, stop
        first = end


def _ends(text: str, low: int, high: int) -> Iterator[int]:
    """Where sentences end between two places; a full stop behind an abbreviation ends none."""
    for end in _END.finditer(text, low, high):
        if not _SHORT.search(text, max(0, end.start() - 8), end.start() + 1):
            yield end.end()


def _without_space(text: str, first: int, last: int, start: int, stop: int) -> tuple[int, int]:
    """`first` to `last` without white space at its ends, but no less of it than `start` to `stop`."""
    while first < start and text[first].isspace():
        first += 1
    while last > stop and text[last - 1].isspace():
        last -= 1
    return first, last


def _word_start(text: str, low: int, start: int) -> int:
    space = re.compile(r"\s").search(text, low, start)
    return space.end() if space else low


def _word_stop(text: str, stop: int, high: int) -> int:
    return next((at for at in range(high, stop, -1) if text[at - 1].isspace()), high)
