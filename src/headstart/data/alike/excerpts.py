"""Texts that are cut from other texts: a phrase of a sentence, a sentence of a review.

What was learned from the whole is known of the piece. SST-2's training part is 6,920 sentences and 60,429 phrases of
them: a split that has a piece on one side and the whole on the other scores memory (docs/data.md).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import count

import numpy as np

from headstart.inputs.text import plain_words

_FEWEST = 4  # words of an excerpt; fewer in a row are common to texts that have nothing to do with each other
_COMMON = 64  # places from which on so many words in a row are a turn of phrase
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, its bits well mixed (Knuth, TAOCP 3, 6.4)
_SIEVE = 22  # bits of a hash that tell most of what is not wanted apart
_CHUNK = 1 << 20  # words hashed at once


def excerpts(texts: Sequence[str], twins: np.ndarray) -> np.ndarray:
    """Which texts are some words in a row of another: (m, 2) int64, the row of each and that of its source.

    The source is the shortest text that holds it. That may be an excerpt in its turn, but two texts are never joined by
    a phrase that both hold. Case, spacing and punctuation are ignored; of equal texts the first speaks for all. A text
    is looked for where the words around its rarest one occur, so that time and memory grow with the number of words.

    Args:
        twins: (n,) int64, from `group`: the row of the first of the texts that are equal to each.
    """
    rows = np.flatnonzero(twins == np.arange(len(twins)))
    words, starts = _numbered([texts[row] for row in rows.tolist()])
    asking = np.flatnonzero(np.diff(starts) >= _FEWEST)
    if len(asking) < 2:
        return np.empty((0, 2), dtype=np.int64)
    anchors = _around_rarest(words, starts, asking)
    where = _occurrences(words, anchors)
    pairs = _sources(words.tobytes(), starts.tolist(), asking.tolist(), anchors.tolist(), where)
    return rows[np.array(pairs, dtype=np.int64).reshape(-1, 2)]


def _numbered(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(w,) int32 number of each word of all texts, and (n + 1,) where each text starts."""
    number: defaultdict[str, int] = defaultdict(count().__next__)
    words, starts = array("i"), array("q", [0])
    for text in texts:
        words.extend(map(number.__getitem__, plain_words(text).split()))
        starts.append(len(words))
    return np.frombuffer(words, np.int32), np.frombuffer(starts, np.int64)


def _around_rarest(words: np.ndarray, starts: np.ndarray, asking: np.ndarray) -> np.ndarray:
    """(m,) where, in each of these texts, the `_FEWEST` words in a row start that hold the rarest one."""
    counts = np.bincount(words)
    begin, end = starts[asking], starts[asking + 1]
    rarest = [a + int(counts[words[a:b]].argmin()) for a, b in zip(begin.tolist(), end.tolist(), strict=True)]
    return np.clip(np.array(rarest) - _FEWEST // 2, begin, end - _FEWEST)


def _occurrences(words: np.ndarray, anchors: np.ndarray) -> list[np.ndarray]:
    """For each anchor, where the words that are there occur; nowhere, if in too many places."""
    wanted, number = np.unique(_hashes(words, anchors), return_inverse=True)
    sieve = np.zeros(1 << _SIEVE, dtype=bool)
    sieve[wanted >> np.uint64(64 - _SIEVE)] = True
    places, keys = [], []
    for start in range(0, len(words) - _FEWEST + 1, _CHUNK):
        here = np.arange(start, min(start + _CHUNK, len(words) - _FEWEST + 1))
        hashes = _hashes(words, here)
        some = np.flatnonzero(sieve[hashes >> np.uint64(64 - _SIEVE)])
        key = np.minimum(np.searchsorted(wanted, hashes[some]), len(wanted) - 1)
        hit = wanted[key] == hashes[some]
        places.append(here[some[hit]])
        keys.append(key[hit])
    key = np.concatenate(keys)
    counts = np.bincount(key, minlength=len(wanted))
    by_key = np.split(np.concatenate(places)[np.argsort(key, kind="stable")], np.cumsum(counts)[:-1])
    return [by_key[k] if counts[k] <= _COMMON else by_key[k][:0] for k in number.tolist()]


def _hashes(words: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(m,) uint64 of the `_FEWEST` words in a row at each of these places."""
    mixed = np.zeros(len(places), dtype=np.uint64)
    for step in range(_FEWEST):
        mixed = (mixed + words[places + step].astype(np.uint64) + np.uint64(1)) * _FACTOR
        mixed ^= mixed >> np.uint64(29)
    return mixed * _FACTOR


def _sources(
    words: bytes, starts: list[int], asking: list[int], anchors: list[int], where: list[np.ndarray]
) -> list[tuple[int, int]]:
    """Each of these texts that another holds, with the shortest such; of equal ones the first."""
    width, found = len(words) // starts[-1], []
    for text, anchor, places in zip(asking, anchors, where, strict=True):
        begin, end = starts[text], starts[text + 1]
        mine, best = words[width * begin : width * end], None
        for place in places.tolist():
            other = bisect_right(starts, place) - 1
            start = begin + place - anchor
            stop = start + end - begin
            size = starts[other + 1] - starts[other]
            if other == text or start < starts[other] or stop > starts[other + 1] or (best and size >= best[0]):
                continue
            if words[width * start : width * stop] == mine:
                best = size, other
        if best:
            found.append((text, best[1]))
    return found
