"""Matrices that may be larger than what should be held in memory: an array, or rows in a file that has no name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from headstart.backbone import Matrix
from headstart.storage.chosen import Chosen
from headstart.storage.scratch import ScratchFile, run_of, with_room

MOST_IN_MEMORY = 64 * 2**20  # bytes; above that, rows go to disk
_BLOCK = 4 * 2**20  # bytes of one block
_SIGN_AND_REST, _EXPONENTS = np.int32(-0x70000001), np.float32(2.0**112)  # see `widened`

T = TypeVar("T")


class Rows:
    """(n, d) float32 on disk, read and written a slice at a time.

    The file lies in the cache folder (a temporary folder may be memory, so it comes second), see `scratch`.
    """

    def __init__(self, n: int, d: int) -> None:
        self.shape = (n, d)
        size = 4 * n * d
        self._file = ScratchFile(with_room(size), size)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop = run_of(rows, len(self))
        out = np.empty((max(0, stop - start), self.shape[1]), dtype=np.float32)
        self._file.read(_bytes_of(out), 4 * start * self.shape[1])
        return out

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        start, stop = run_of(rows, len(self))
        block = np.ascontiguousarray(values, dtype=np.float32)
        if block.shape != (stop - start, self.shape[1]):
            raise ValueError(f"{block.shape} does not fit into rows {start} to {stop} of {self.shape}")
        self._file.write(_bytes_of(block), 4 * start * self.shape[1])


def room_for(n: int, d: int) -> Matrix:
    """An empty (n, d) float32 matrix: an array while it is small."""
    return np.empty((n, d), dtype=np.float32) if 4 * n * d <= MOST_IN_MEMORY else Rows(n, d)


def blocks(matrix: Matrix) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows in order, a few megabytes at a time."""
    step = max(1, _BLOCK // (4 * max(1, matrix.shape[1])))
    for start in range(0, len(matrix), step):
        rows = slice(start, min(start + step, len(matrix)))
        yield rows, matrix[rows]


def ahead(parts: Iterable[T]) -> Iterator[T]:
    """The same, each made by a thread of its own while the one before it is worked on: numpy lets both run."""
    parts = iter(parts)
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        following = reader.submit(next, parts, None)
        while (part := following.result()) is not None:
            following = reader.submit(next, parts, None)
            yield part


def widened(half: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Finite float16 numbers as float32, exactly, an eighth of the time that numpy's own conversion takes.

    The bits are moved to where float32 has them, which leaves an exponent that is 112 too small.
    """
    wide = np.empty(half.shape, dtype=np.float32) if out is None else out
    bits = wide.view(np.int32)
    np.copyto(bits, half.view(np.int16))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _SIGN_AND_REST, out=bits)
    return np.multiply(wide, _EXPONENTS, out=wide)


def take(matrix: Matrix, rows: np.ndarray) -> Matrix:
    """The given rows, ascending, as a matrix of their own."""
    if isinstance(matrix, np.ndarray):
        return matrix[rows]
    if isinstance(matrix, Chosen):
        return matrix.of(rows)
    out, done = room_for(len(rows), matrix.shape[1]), 0
    for here, block in blocks(matrix):
        mine = rows[np.searchsorted(rows, here.start) : np.searchsorted(rows, here.stop)]
        out[done : done + len(mine)] = block[mine - here.start]
        done += len(mine)
    return out


def _bytes_of(block: np.ndarray) -> memoryview:
    """Not by `memoryview.cast`, which refuses a block without rows."""
    return block.reshape(-1).view(np.uint8).data
