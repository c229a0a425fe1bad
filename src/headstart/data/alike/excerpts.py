"""Texts that are cut from other texts: a phrase of a sentence, a sentence of a review.

What was learned from the whole is known of the piece. SST-2's training part is 6,920 sentences and 60,429 phrases of
them: a split that has a piece on one side and the whole on the other scores memory (docs/data.md).
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from headstart.inputs.text import plain_words
from headstart.storage.columns import in_blocks
from headstart.storage.numbers import Numbers

_FEWEST = 4  # words of an excerpt; fewer in a row are common to texts that have nothing to do with each other
_COMMON = 64  # places from which on so many words in a row are a turn of phrase
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, its bits well mixed (Knuth, TAOCP 3, 6.4)
_SIEVE = 22  # bits of a hash that tell most of what is not wanted apart
_AT_ONCE = 4096  # texts that are looked for at once; and, of texts that are read, at most
_CHUNK = 1 << 20  # characters of texts that are read at once, and bytes that are hashed
_OF_BYTES = np.frombuffer(hashlib.shake_256(b"words of excerpts").digest(8 * 256), np.uint64)
_INVERSE = np.uint64(pow(int(_FACTOR), -1, 2**64))
_SPACE, _END = b" \n"


def excerpts(texts: Sequence[str], twins: np.ndarray) -> np.ndarray:
    """Which texts are some words in a row of another: (m, 2) int64, the row of each and that of its source.

    The source is the shortest text that holds it. That may be an excerpt in its turn, but two texts are never joined by
    a phrase that both hold. Case, spacing and punctuation are ignored; of equal texts the first speaks for all. A text
    is looked for where the words around its rarest one occur, so that time grows with the number of words, which are
    on disk where they are many: two words are one where their hashes of 64 bits are.

    Args:
        twins: (n,) int64, from `group`: the row of the first of the texts that are equal to each.
    """
    rows = np.flatnonzero(twins == np.arange(len(twins)))
    words, starts = _hashed(str(texts[row]) for row in in_blocks(rows))
    if np.count_nonzero(np.diff(starts) >= _FEWEST) < 2:
        return np.empty((0, 2), dtype=np.int64)
    asking, anchors, keys = _around_rarest(words, starts)
    found = _sources(words, starts, asking, anchors, *_occurrences(words, keys))
    return rows[found]


def _hashed(texts: Iterator[str]) -> tuple[Numbers, np.ndarray]:
    """(w,) uint64 hash of each word of all texts, and (n + 1,) where each text starts."""
    words, starts, some, size = Numbers(np.uint64), array("q", [0]), list[str](), 0

    def hash_these() -> None:
        words.add(_hashes_of_words("\n".join([*some, ""]).encode("utf-8", "surrogatepass")))
        for text in some:
            starts.append(starts[-1] + (text.count(" ") + 1 if text else 0))

    for text in texts:
        some.append(plain_words(text))
        size += len(some[-1])
        if size >= _CHUNK or len(some) == _AT_ONCE:
            hash_these()
            some, size = [], 0
    hash_these()
    return words, np.frombuffer(starts, np.int64)


def _hashes_of_words(text: bytes) -> np.ndarray:
    """(w,) uint64 of the words between spaces and ends: polynomials in an odd number, so that each is the difference of
    two sums, whatever stands before it."""
    data = np.frombuffer(text, np.uint8)
    end = np.flatnonzero((data == _SPACE) | (data == _END))
    begin = np.concatenate([[0], end + 1])[:-1]
    begin, end = begin[end > begin], end[end > begin]
    hashes, first = np.empty(len(begin), dtype=np.uint64), 0
    while first < len(begin):
        last = max(first + 1, int(np.searchsorted(end, begin[first] + _CHUNK, side="right")))
        here = data[begin[first] : end[last - 1]]
        a, b = begin[first:last] - begin[first], end[first:last] - begin[first]
        powers = np.cumprod(np.full(len(here) + 1, _FACTOR), dtype=np.uint64)
        inverse = np.cumprod(np.full(len(here) + 1, _INVERSE), dtype=np.uint64)
        sums = np.zeros(len(here) + 1, dtype=np.uint64)
        np.cumsum(_OF_BYTES[here] * powers[:-1], out=sums[1:])
        hashes[first:last] = (sums[b] - sums[a]) * inverse[a]
        first = last
    return hashes


def _around_rarest(words: Numbers, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which texts may be a piece of another: all of their words occur elsewhere, too. Of each where the `_FEWEST` words
    in a row start that hold its rarest one, and the hash of these."""
    known, times = _counted(words)
    found: list[tuple[np.ndarray, ...]] = []
    long = np.flatnonzero(np.diff(starts) >= _FEWEST)
    for texts in _spans(starts, long):
        begin, end = starts[texts], starts[texts + 1]
        some = words[int(begin[0]) : int(end[-1])]
        distinct, of = np.unique(some, return_inverse=True)
        counts = times[np.searchsorted(known, distinct)][of]
        a, b = begin - begin[0], end - begin[0]
        fewest = np.minimum.reduceat(counts, np.column_stack([a, b]).ravel()[:-1])[::2]
        rare = np.flatnonzero(counts == np.repeat(fewest, np.diff(np.append(a, len(counts)))))
        rarest = rare[np.searchsorted(rare, a)]  # the first one of each
        anchor = np.clip(rarest - _FEWEST // 2, a, b - _FEWEST)
        twice = fewest > 1
        found.append((texts[twice], anchor[twice] + begin[0], _hashes(some, anchor[twice])))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))  # type: ignore[return-value]


def _spans(starts: np.ndarray, texts: np.ndarray) -> Iterator[np.ndarray]:
    """The texts, some at a time, so that these and what is between them are not many words."""
    first = 0
    while first < len(texts):
        last = int(np.searchsorted(starts[texts + 1], starts[texts[first]] + _CHUNK // 4, side="right"))
        last = min(max(first + 1, last), first + _AT_ONCE)
        yield texts[first:last]
        first = last


def _counted(words: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """The distinct words, ascending, and how often each occurs. What was counted of some is put together with what was
    counted of as many others, so that time grows hardly more than the number of words."""
    counted: list[tuple[np.ndarray, np.ndarray]] = []
    for _, some in words.blocks():
        counted.append(np.unique(some, return_counts=True))
        while len(counted) > 1 and len(counted[-2][0]) <= 2 * len(counted[-1][0]):
            counted.append(_together(counted.pop(), counted.pop()))
    while len(counted) > 1:
        counted.append(_together(counted.pop(), counted.pop()))
    return counted[0]


def _together(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    known = np.concatenate([one[0], other[0]])
    order = np.argsort(known, kind="stable")
    known, times = known[order], np.concatenate([one[1], other[1]])[order]
    first = np.flatnonzero(np.concatenate([[True], known[1:] != known[:-1]]))
    return known[first], np.add.reduceat(times, first)


def _occurrences(words: Numbers, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where words with these hashes occur, but nowhere, if in too many places.

    Returns:
        (p,) places; (m,) which of the places are of each key, from here; and (m,) how many.
    """
    wanted = np.unique(keys)
    number = np.searchsorted(wanted, keys).astype(np.int32)
    sieve = np.zeros(1 << _SIEVE, dtype=bool)
    sieve[wanted >> np.uint64(64 - _SIEVE)] = True
    places, which = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int32)]
    for start, some in words.blocks(beyond=_FEWEST - 1):
        hashes = _hashes(some, np.arange(max(0, len(some) - _FEWEST + 1)))
        passed = np.flatnonzero(sieve[hashes >> np.uint64(64 - _SIEVE)])
        key = np.minimum(np.searchsorted(wanted, hashes[passed]), len(wanted) - 1)
        hit = wanted[key] == hashes[passed] if len(wanted) else key.astype(bool)
        places.append(passed[hit] + start)
        which.append(key[hit].astype(np.int32))
    key, place = np.concatenate(which), np.concatenate(places)
    counts = np.bincount(key, minlength=len(wanted))
    counts[counts > _COMMON] = 0
    some = np.flatnonzero(counts[key] > 1)
    place = place[some[np.argsort(key[some], kind="stable")]]
    counts[counts < 2] = 0
    ends = np.cumsum(counts)
    return place, (ends - counts)[number], counts[number]


def _hashes(words: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(m,) uint64 of the `_FEWEST` words in a row at each of these places."""
    mixed = np.zeros(len(places), dtype=np.uint64)
    for step in range(_FEWEST):
        mixed = (mixed + words[places + step] + np.uint64(1)) * _FACTOR
        mixed ^= mixed >> np.uint64(29)
    return mixed * _FACTOR


def _sources(
    words: Numbers,
    starts: np.ndarray,
    asking: np.ndarray,
    anchors: np.ndarray,
    places: np.ndarray,
    first: np.ndarray,
    many: np.ndarray,
) -> np.ndarray:
    """(m, 2) each of these texts that another holds, with the shortest such; of equal ones the first."""
    found = array("q")
    there = np.flatnonzero(many)
    for start in range(0, len(there), _AT_ONCE):
        some = there[start : start + _AT_ONCE]
        each = np.repeat(some, many[some])
        place = places[np.arange(len(each)) + np.repeat(first[some] - (np.cumsum(many[some]) - many[some]), many[some])]
        text, other = asking[each], np.searchsorted(starts, place, side="right") - 1
        begin = starts[text] + place - anchors[each]
        size = starts[other + 1] - starts[other]
        inside = (begin >= starts[other]) & (begin + starts[text + 1] - starts[text] <= starts[other + 1])
        maybe = np.flatnonzero(inside & (other != text))
        maybe = maybe[np.lexsort((other[maybe], size[maybe], text[maybe]))]
        pairs = zip(text[maybe].tolist(), other[maybe].tolist(), begin[maybe].tolist(), strict=True)
        for number, candidates in groupby(pairs, key=lambda pair: pair[0]):
            mine = words[int(starts[number]) : int(starts[number + 1])].tobytes()
            for _, holder, at in candidates:
                if words[at : at + len(mine) // 8].tobytes() == mine:
                    found.extend((number, holder))
                    break
    return np.frombuffer(found, np.int64).reshape(-1, 2)
