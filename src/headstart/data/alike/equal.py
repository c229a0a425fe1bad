"""Rows that are equal byte by byte, and groups of rows that are joined by pairs; in a few bytes a row of memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from headstart.storage.rows_of_bytes import RowsOfBytes

_AT_ONCE, _MOST = 1 << 16, 1 << 24  # rows, and bytes of theirs at most, that are in memory, of what is on disk
_WORD = 8  # bytes that are compared at once
_SUM = 16  # bytes of a row's hash


def as_items(rows: np.ndarray) -> np.ndarray:
    """(n, k) uint8 -> (n,) of one value a row, that are equal, and in order, by their bytes."""
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()


def in_order(keys: RowsOfBytes, *, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(n,) rows in the order of their bytes, equal ones in their own order; and (n,) bool: which differ from the one
    before them.

    Eight bytes at a time, of the rows only that are equal so far and not altogether, which a hash of each says:
    digests are told apart by the first eight, and copies need no look at the others.

    Args:
        keys: (n, k) uint8. width: how many bytes of each count, from the first on; None: all.
    """
    n, width = len(keys), keys.shape[1] if width is None else width
    new = np.zeros(n, dtype=bool)
    new[:1] = True
    words = _words(keys, np.arange(n), 0, min(_WORD, width))
    order = np.argsort(words, kind="stable")
    words = words[order]
    new[1:] |= words[1:] != words[:-1]
    del words
    where = _tied(new)
    undecided = where[_differ(keys, order[where], new[where], width)] if len(where) and width > _WORD else where[:0]
    for start in range(_WORD, width, _WORD):
        where = np.intersect1d(undecided, _tied(new), assume_unique=True)
        if not len(where):
            break
        words = _words(keys, order[where], start, min(start + _WORD, width))
        by = np.lexsort((words, np.cumsum(new[where])))
        order[where] = order[where][by]
        words = words[by]
        new[where[1:]] |= words[1:] != words[:-1]
    return order, new


def _tied(new: np.ndarray) -> np.ndarray:
    """Places in an order whose row is not yet told from the one before or after it."""
    tied = ~new
    tied[:-1] |= ~new[1:]
    return np.flatnonzero(tied)


def _differ(keys: RowsOfBytes, rows: np.ndarray, new: np.ndarray, width: int) -> np.ndarray:
    """(m,) bool: whether a row is in a run, begun where `new` is, whose rows are not all equal."""
    sums = np.empty((len(rows), _SUM), dtype=np.uint8)
    for part in _parts(len(rows), keys.shape[1]):
        some = np.ascontiguousarray(keys[rows[part]][:, :width])
        made = b"".join(hashlib.blake2b(row, digest_size=_SUM).digest() for row in some)
        sums[part] = np.frombuffer(made, np.uint8).reshape(-1, _SUM)
    run = np.cumsum(new) - 1
    other = (sums != sums[np.flatnonzero(new)][run]).any(axis=1)
    return np.bincount(run, weights=other)[run] > 0


def _words(keys: RowsOfBytes, rows: np.ndarray, start: int, stop: int) -> np.ndarray:
    """(m,) uint64 that are in the order of these bytes of each row."""
    words = np.empty(len(rows), dtype=np.uint64)
    for part in _parts(len(rows), keys.shape[1]):
        some = keys[rows[part]][:, start:stop]
        whole = np.zeros((len(some), _WORD), dtype=np.uint8)
        whole[:, : some.shape[1]] = some
        words[part] = whole.view(">u8").ravel()
    return words


def _parts(n: int, width: int) -> Iterator[slice]:
    many = max(1, min(_AT_ONCE, _MOST // max(1, width)))
    return (slice(at, at + many) for at in range(0, n, many))


def equal_pairs(keys: RowsOfBytes) -> np.ndarray:
    """Consecutive rows with equal keys, (m, 2) int64. Args: keys: (n, k) uint8."""
    order, new = in_order(keys)
    again = np.flatnonzero(~new)
    return np.column_stack([order[again - 1], order[again]])


def group(n: int, pairs: np.ndarray) -> np.ndarray:
    """(n,) int64 group numbers: rows joined by a chain of pairs share the smallest row number of the chain.

    Of two groups that a pair joins, the one with the larger number points to the other; then all that point to what
    points on take the shorter way. A few times, since a chain may have joined with another one meanwhile.
    """
    label, (a, b) = np.arange(n), pairs.T
    joined = np.unique(pairs)
    while True:
        first, second = label[a], label[b]
        apart = first != second
        if not apart.any():
            return label
        a, b, first, second = a[apart], b[apart], first[apart], second[apart]
        np.minimum.at(label, np.maximum(first, second), np.minimum(first, second))
        while (label[joined] != (further := label[label[joined]])).any():
            label[joined] = further


def groups_of_each(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n_classes,) int64: in how many groups each class is. Args: (n,) class indices from 0 on, and group numbers."""
    if not len(y):
        return np.zeros(0, dtype=np.int64)
    lowest = groups.min()
    of = int(groups.max() - lowest) + 1
    return np.bincount(np.unique(y * of + (groups - lowest)) // of)
