"""From a reading model's scores to answers: the best spans of each window, and of all windows together."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from headstart.data.windows import Tokens, Window

LONGEST = 15  # tokens of an answer
_SPANS = 20  # of a window, and of a question
_NO_SPACES = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)  # fmt: skip - Thai to Lao, Burmese, Khmer, kana, ideographs
_JOINERS = "\u200d\ufe0e\ufe0f"  # inside an emoji of several characters


@dataclass(frozen=True)
class Span:
    """A piece of a text that may be the answer."""

    text: int  # which text
    start: int  # characters
    stop: int
    score: float  # log of its probability in the window that is most sure of it


@dataclass(frozen=True)
class Found:
    """What was found for one question."""

    spans: tuple[Span, ...]  # best first; no two of one text read alike
    nothing: float  # log of the probability of no answer, in the window that is most sure of one


def window_spans(
    logits: np.ndarray, *, lead: int, count: int, longest: int = LONGEST, most: int = _SPANS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """The most probable spans of one window, where first and last token are drawn on their own.

    Each is drawn among the text's tokens and the first special one, which stands for "not in this window" (Devlin et
    al. 2019, BERT, section 4.3). So windows of one text, and texts, can be compared by these probabilities.

    Args:
        logits: (t, 2) of first and last token. lead: tokens in front of the text's. count: tokens of the text.
        longest: tokens of a span, at most. most: spans, at most.

    Returns:
        (k,) first and (k,) last token, counted in the window's part of the text; (k,) log probabilities, best first;
        and the log probability of nothing.
    """
    text = np.asarray(logits[lead : lead + count], dtype=np.float64)  # (c, 2)
    nothing = np.asarray(logits[0], dtype=np.float64)  # (2,)
    highest = np.maximum(text.max(axis=0), nothing)
    total = highest + np.log(np.exp(text - highest).sum(axis=0) + np.exp(nothing - highest))
    first, last = (text - total).T
    width = min(longest, count)
    behind = np.concatenate([last, np.full(width - 1, -np.inf)])
    scores = first[:, None] + np.lib.stride_tricks.sliding_window_view(behind, width)  # (c, width): by span's length
    flat = scores.ravel()
    some = np.argpartition(-flat, most)[:most] if len(flat) > most else np.arange(len(flat))
    some = some[np.isfinite(flat[some])]
    best = some[np.lexsort((some, -flat[some]))]
    start, longer = np.divmod(best, width)
    return start, start + longer, flat[best], float((nothing - total).sum())


class Best:
    """The best spans of one question, gathered window by window; what is kept does not grow with the text."""

    def __init__(self, *, longest: int = LONGEST) -> None:
        self._longest = longest
        self._spans: dict[tuple[int, str], Span] = {}
        self._nothing = 0.0

    def add(self, window: Window, logits: np.ndarray, text: str) -> None:
        """Take the spans of one window.

        Spans that read alike are one answer: within a window their probabilities add up (a word is often cut into
        several tokens, and each may start it); of several windows the most sure one counts, for they overlap.
        """
        count = window.stop - window.first
        firsts, lasts, scores, nothing = window_spans(logits, lead=window.lead, count=count, longest=self._longest)
        here: dict[tuple[int, str], Span] = {}
        for first, last, score in zip(firsts.tolist(), lasts.tolist(), scores.tolist(), strict=True):
            start, stop = place(window.tokens, window.first + first, window.first + last, text)
            if start >= stop:
                continue
            key = (window.text, text[start:stop].casefold())
            known = here.get(key)
            if known is None:
                here[key] = Span(window.text, start, stop, score)
            else:
                here[key] = Span(window.text, known.start, known.stop, float(np.logaddexp(known.score, score)))
        for key, span in here.items():
            known = self._spans.get(key)
            if known is None or (-span.score, span.start) < (-known.score, known.start):
                self._spans[key] = span
        self._nothing = min(self._nothing, nothing)
        if len(self._spans) > 16 * _SPANS:
            self._spans = dict(self._ranked()[:_SPANS])

    def found(self) -> Found:
        return Found(tuple(span for _, span in self._ranked()[:_SPANS]), self._nothing)

    def _ranked(self) -> list[tuple[tuple[int, str], Span]]:
        return sorted(self._spans.items(), key=lambda item: (-item[1].score, item[1].text, item[1].start))


def place(tokens: Tokens, first: int, last: int, text: str) -> tuple[int, int]:
    """Characters of a span of tokens, out to the ends of its words: half a word is no answer.

    A word ends where the tokenizer's does, and no later than at punctuation, or in a script that is written without
    spaces: some tokenizers call everything between two spaces a word.
    """
    start, stop = int(tokens.starts[first]), int(tokens.stops[last])
    while start < stop and text[start].isspace():
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    if start >= stop:
        return start, start
    low, high = first, last
    while low > 0 and tokens.words[low - 1] == tokens.words[first]:
        low -= 1
    while high + 1 < len(tokens) and tokens.words[high + 1] == tokens.words[last]:
        high += 1
    earliest, latest = int(tokens.starts[low]), int(tokens.stops[high])
    while start > earliest and _glued(text[start - 1]) and _glued(text[start]):
        start -= 1
    while stop < latest and _glued(text[stop - 1]) and _glued(text[stop]):
        stop += 1
    while stop < len(text) and (unicodedata.combining(text[stop]) or text[stop] in _JOINERS):
        stop += 1
    return start, stop


def _glued(character: str) -> bool:
    """Whether a character belongs to the word beside it."""
    if character.isascii():
        return character.isalnum()
    if character.isspace() or unicodedata.category(character).startswith("P"):
        return False
    return not any(low <= ord(character) <= high for low, high in _NO_SPACES)
