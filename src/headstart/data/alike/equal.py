"""Rows that are equal byte by byte, and groups of rows that are joined by pairs; in a few bytes a row of memory."""

from __future__ import annotations

import numpy as np

from headstart.storage.rows_of_bytes import RowsOfBytes

_AT_ONCE, _MOST = 1 << 16, 1 << 24  # rows, and bytes of theirs at most, that are in memory, of what is on disk
_WORD = 8  # bytes that are compared at once


def as_items(rows: np.ndarray) -> np.ndarray:
    """(n, k) uint8 -> (n,) of one value a row, that are equal, and in order, by their bytes."""
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()


def in_order(keys: RowsOfBytes, *, width: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(n,) rows in the order of their bytes, equal ones in their own order; and (n,) bool: which differ from the one
    before them.

    Eight bytes at a time, of the rows only that are equal so far: hashes are told apart by the first ones.

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
    for start in range(_WORD, width, _WORD):
        tied = ~new
        tied[:-1] |= ~new[1:]
        where = np.flatnonzero(tied)
        if not len(where):
            break
        words = _words(keys, order[where], start, min(start + _WORD, width))
        by = np.lexsort((words, np.cumsum(new[where])))
        order[where] = order[where][by]
        words = words[by]
        new[where[1:]] |= words[1:] != words[:-1]
    return order, new


def _words(keys: RowsOfBytes, rows: np.ndarray, start: int, stop: int) -> np.ndarray:
    """(m,) uint64 that are in the order of these bytes of each row."""
    words = np.empty(len(rows), dtype=np.uint64)
    many = max(1, min(_AT_ONCE, _MOST // max(1, keys.shape[1])))
    for at in range(0, len(rows), many):
        some = keys[rows[at : at + many]][:, start:stop]
        whole = np.zeros((len(some), _WORD), dtype=np.uint8)
        whole[:, : some.shape[1]] = some
        words[at : at + many] = whole.view(">u8").ravel()
    return words


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
