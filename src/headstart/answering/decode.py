"""From a reading model's scores to answers: the best spans of each window, and of all windows together."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from headstart.inputs.text import glued
from headstart.inputs.windows import Tokens, Window

LONGEST = 15  # tokens of an answer
MOST_SPANS = 20  # of a window, and of a question
_JOINERS = "\u200d\ufe0e\ufe0f"  # inside an emoji of several characters


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text that may be the answer."""

    text: int  # which text
    start: int  # characters
    stop: int
    score: float  # log of how much more probable it is than nothing, in the window that is most sure of it


class WindowSpans(NamedTuple):
    """The most probable spans of one window, best first."""

    first: np.ndarray  # (k,) tokens, counted in the window's part of the text
    last: np.ndarray  # (k,)
    scores: np.ndarray  # (k,) log probabilities
    nothing: float  # log probability of "not in this window"


def window_spans(
    logits: np.ndarray, *, lead: int, count: int, longest: int = LONGEST, most: int = MOST_SPANS
) -> WindowSpans:
    """The most probable spans of one window, where first and last token are drawn on their own.

    Each is drawn among the text's tokens and the first special one, which stands for nothing, that is for "not in this
    window" (Devlin et al. 2019, BERT, section 4.3).

    Args:
        logits: (t, 2) of first and last token. lead: tokens in front of the text's. count: tokens of the text.
        longest: tokens of a span, at most. most: spans, at most.
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
    return WindowSpans(start, start + longer, flat[best], float((nothing - total).sum()))


class Best:
    """The best spans of one question, gathered window by window; what is kept does not grow with the text.

    Windows, and texts, are compared by how much more probable a span is than nothing in its own window: a window
    without the answer has to put its probability somewhere, and a trained model puts it on nothing (Clark and Gardner,
    Simple and Effective Multi-Paragraph Reading Comprehension, ACL 2018, section 3). Within one window that changes no
    order.
    """

    def __init__(self, *, longest: int = LONGEST, margin: float | None = None) -> None:
        """
        Args:
            longest: tokens of a span, at most.
            margin: spans that are this close to the best one may have to be read again, so their windows are kept (of
                their text no more than they hold). None: no window is kept.
        """
        self._longest, self._margin = longest, margin
        self._kept: dict[tuple[int, str], tuple[Span, int]] = {}  # with the number of the window
        self._close: dict[int, Window] = {}  # by their numbers
        self._taken = 0

    def add(self, window: Window, logits: np.ndarray, text: str) -> None:
        """Take the spans of one window, from its scores."""
        count = window.stop - window.first
        self.take(window, window_spans(logits, lead=window.lead, count=count, longest=self._longest), text)

    def take(self, window: Window, found: WindowSpans, text: str) -> None:
        """Take spans of one window.

        Spans that read alike are one answer: within a window their probabilities add up (a word is often cut into
        several tokens, and each may start it); of several windows the most sure one counts, for they overlap.
        """
        here: dict[tuple[int, str], Span] = {}
        leads = (found.scores - found.nothing).tolist()
        for first, last, score in zip(found.first.tolist(), found.last.tolist(), leads, strict=True):
            start, stop = place(window.tokens, window.first + first, window.first + last, text)
            if start >= stop:
                continue
            key = (window.text, text[start:stop].casefold())
            known = here.get(key)
            if known is None:
                here[key] = Span(window.text, start, stop, score)
            else:
                here[key] = replace(known, score=float(np.logaddexp(known.score, score)))
        number, self._taken = self._taken, self._taken + 1
        better = {
            key: (span, number)
            for key, span in here.items()
            if key not in self._kept or _order(span) < _order(self._kept[key][0])
        }
        self._kept.update(better)
        if len(self._kept) > 16 * MOST_SPANS:
            self._kept = dict(self._ranked())
        if better and self._margin is not None:
            close = self._within(self._margin)
            self._close = {other: kept for other, kept in self._close.items() if other in close}
            if number in close:
                self._close[number] = _alone(window, text)

    def spans(self) -> tuple[Span, ...]:
        """Best first; no two of one text read alike."""
        return tuple(span for _, (span, _) in self._ranked())

    def doubtful(self) -> list[Window]:
        """The windows that decide where the best span, another and nothing are within the margin; they are forgotten.

        What they are read again with is taken as before.
        """
        if self._margin is None or not self._kept:
            return []
        close = self._within(self._margin)
        if len(close) == 1 and abs(self.spans()[0].score) > self._margin:
            return []
        again = {number: self._close.pop(number) for number in dict.fromkeys(close) if number in self._close}
        self._kept = {key: kept for key, kept in self._kept.items() if kept[1] not in again}
        return list(again.values())

    def _within(self, margin: float) -> list[int]:
        """Of each span that is so close to the best one, the number of its window; best first."""
        ranked = [kept for _, kept in self._ranked()]
        return [number for span, number in ranked if span.score >= ranked[0][0].score - margin]

    def _ranked(self) -> list[tuple[tuple[int, str], tuple[Span, int]]]:
        return sorted(self._kept.items(), key=lambda item: _order(item[1][0]))[:MOST_SPANS]


def _order(span: Span) -> tuple[float, int, int]:
    return -span.score, span.text, span.start


def _alone(window: Window, text: str) -> Window:
    """The same window without the rest of its text's tokens, but for those of a word that goes on beyond its ends.

    So `place` gives the same for it.
    """
    tokens, first, stop = window.tokens, window.first, window.stop
    begin, end = place(tokens, first, stop - 1, text)
    while first > 0 and tokens.words[first - 1] == tokens.words[first] and tokens.starts[first] > begin:
        first -= 1
    while stop < len(tokens) and tokens.words[stop] == tokens.words[stop - 1] and tokens.stops[stop - 1] < end:
        stop += 1
    if stop - first == len(tokens):  # all of a short text, which several questions may share
        return window
    columns = (tokens.ids, tokens.starts, tokens.stops, tokens.words)
    own = Tokens(*(column[first:stop].copy() for column in columns))
    return replace(window, tokens=own, first=window.first - first, stop=window.stop - first)


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
    while start > earliest and glued(text[start - 1]) and glued(text[start]):
        start -= 1
    while stop < latest and glued(text[stop - 1]) and glued(text[stop]):
        stop += 1
    while stop < len(text) and (unicodedata.combining(text[stop]) or text[stop] in _JOINERS):
        stop += 1
    return start, stop
