"""The words of a text from its tokens: pieces that no space, sign or script parts are one word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.explain.evidence import Word
from headstart.inputs.text import glued

_APOSTROPHES = "'’"


def words_of(text: str, spans: Sequence[tuple[int, int]], weights: np.ndarray, *, of: int | None = None) -> list[Word]:
    """Each word with the sum of its tokens' weights, in the order of the text.

    Args:
        spans: first character of each token and the one behind its last, ascending; empty ones are of no word.
        weights: (t,) of each token.
    """
    found: list[tuple[int, int, float]] = []
    for (start, stop), weight in zip(spans, weights.tolist(), strict=True):
        start, stop = _trimmed(text, start, stop)
        if start >= stop:
            continue
        if found and _one_word(text, found[-1][1], start):
            first, last, sum_ = found[-1]
            found[-1] = (first, max(last, stop), sum_ + weight)
        else:
            found.append((start, stop, weight))
    return [Word(text[start:stop], start, stop, weight, of) for start, stop, weight in found]


def _trimmed(text: str, start: int, stop: int) -> tuple[int, int]:
    """Without the spaces that some tokenizers count to a token."""
    while start < stop and text[start].isspace():
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return start, stop


def _one_word(text: str, behind: int, start: int) -> bool:
    """Whether a token that begins at a place goes on with the word that ends behind another one."""
    if start != behind:
        return start < behind  # several tokens of one character
    before, after = text[start - 1], text[start]
    if before in _APOSTROPHES:  # don't, l'eau
        return start >= 2 and glued(text[start - 2]) and glued(after)
    if after in _APOSTROPHES:
        return glued(before) and start + 1 < len(text) and glued(text[start + 1])
    return glued(before) and glued(after)
