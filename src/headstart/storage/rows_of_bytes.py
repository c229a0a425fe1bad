"""Rows of a few hundred bytes each, as the fingerprints of photos are: in memory while they are few, else on disk."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from headstart.storage.scratch import ScratchFile, run_of, with_room

MOST_IN_MEMORY = 16 * 2**20  # bytes; above that, rows go to disk
_NEAR = 8 * 2**10  # bytes between two rows that are wanted that are read along: another read takes longer


class Bytes:
    """(n, k) uint8 in a file that has no name, as `matrix.Rows` are: written from the first row on, read in any order.

    Rows that lie near each other are read at once.
    """

    def __init__(self, n: int, width: int) -> None:
        self.shape = (n, width)
        self._order: np.ndarray | None = None  # which rows of the file these are; None: all
        self._file = ScratchFile(with_room(n * width))

    def __len__(self) -> int:
        return self.shape[0]

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        start, stop = run_of(rows, len(self))
        block = np.ascontiguousarray(values, dtype=np.uint8)
        if self._order is not None or block.shape != (stop - start, self.shape[1]):
            raise ValueError(f"{block.shape} does not fit into rows {start} to {stop} of {self.shape}")
        self._file.write(block.reshape(-1).data, start * self.shape[1])

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        wanted = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        wanted = wanted if self._order is None else self._order[wanted]
        distinct, place = np.unique(wanted, return_inverse=True)
        out = np.empty((len(distinct), self.shape[1]), dtype=np.uint8)
        for run in near_runs(distinct, 1 + _NEAR // max(1, self.shape[1])):
            first, last = int(distinct[run.start]), int(distinct[run.stop - 1])
            if last - first == run.stop - 1 - run.start:
                self._read(out[run], first)
            else:
                between = np.empty((last + 1 - first, self.shape[1]), dtype=np.uint8)
                self._read(between, first)
                out[run] = between[distinct[run] - first]
        return out if len(distinct) == len(wanted) and (wanted[1:] > wanted[:-1]).all() else out[place]

    def take(self, rows: np.ndarray) -> Bytes:
        """These rows, of the same file."""
        some: Bytes = object.__new__(Bytes)
        some.shape, some._file = (len(rows), self.shape[1]), self._file
        some._order = rows if self._order is None else self._order[rows]
        return some

    def _read(self, out: np.ndarray, first: int) -> None:
        self._file.read(out.reshape(-1).data, first * self.shape[1])


RowsOfBytes: TypeAlias = np.ndarray | Bytes  # (n, k) uint8, of which some rows are read at a time


def room_for(n: int, width: int) -> RowsOfBytes:
    """So many empty rows: an array while they are few."""
    few = n * width <= MOST_IN_MEMORY
    return np.empty((n, width), dtype=np.uint8) if few else Bytes(n, width)


def near_runs(numbers: np.ndarray, most: int) -> list[slice]:
    """Ascending numbers in runs, in which none is more than so much above the one before it: each is read at once."""
    if not len(numbers):
        return []
    ends = [*(np.flatnonzero(np.diff(numbers) > most) + 1).tolist(), len(numbers)]
    return list(map(slice, [0, *ends[:-1]], ends))


def take(rows: RowsOfBytes, which: np.ndarray) -> RowsOfBytes:
    """Some of the rows, without reading those that are on disk."""
    return rows.take(which) if isinstance(rows, Bytes) else rows[which]
