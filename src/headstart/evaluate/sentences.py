"""The sentence around a place in a text: no model, and no more of the text is looked at than a screen of it."""

from __future__ import annotations

import re

_WIDEST = 300  # characters to each side
# A full stop ends a sentence where a space and a capital, a digit or an opening mark follow; in scripts that write no
# spaces its own stop is enough. So does an empty line.
_END = re.compile(r"""[.!?…]+["'’”)\]]*(?=\s+["'‘“(\[]*[^\W_a-z])|[。！？]["”’」』）]*|\n[ \t\r]*\n""")
_SHORT = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|Fig|vs|etc|e\.g|i\.e|cf|ca|approx|Inc|Ltd|Jr|Sr|Gen|Col|Lt)|\b\w)\.$"
)


def sentence(text: str, start: int, stop: int) -> tuple[int, int]:
    """Characters of the sentence (or sentences) that `start` to `stop` is in, without white space around it.

    At most 300 characters to each side, cut between words where the sentence is longer.
    """
    low, high = max(0, start - _WIDEST), min(len(text), stop + _WIDEST)
    first = low
    for end in _END.finditer(text, low, start):
        if not _SHORT.search(text, max(low, end.start() - 8), end.start() + 1):
            first = end.end()
    last = high
    for end in _END.finditer(text, max(low, stop - 1), min(len(text), high + 2)):
        if end.end() >= stop and not _SHORT.search(text, max(low, end.start() - 8), end.start() + 1):
            last = min(high, end.end())
            break
    if first == low > 0:
        first = _word_start(text, low, start)
    if last == high < len(text):
        last = _word_stop(text, stop, high)
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
