"""Rows of a few hundred bytes each, as the fingerprints of photos are: in memory while they are few, else on disk."""

from __future__ import annotations

import os
import tempfile
import threading
from typing import TypeAlias

import numpy as np

from headstart.storage.matrix import with_room
from headstart.storage.places import cannot_write

MOST_IN_MEMORY = 16 * 2**20  # bytes; above that, rows go to disk
_NEAR = 8 * 2**10  # bytes between two rows that are wanted that are read along: another read takes longer


class Bytes:
    """(n, k) uint8 in a file that has no name, as `matrix.Rows` are: written from the first row on, read in any order.

    Mapped pages would count as the process's own memory, so rows are read; those that lie near each other at once.
    """

    def __init__(self, n: int, width: int) -> None:
        self.shape = (n, width)
        self._folder = with_room(n * width)
        self._turn = threading.Lock()  # a file has one place where it is read
        self._order: np.ndarray | None = None  # which rows of the file these are; None: all
        try:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    def __len__(self) -> int:
        return self.shape[0]

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        start, stop, _ = rows.indices(len(self))
        block = np.ascontiguousarray(values, dtype=np.uint8)
        if self._order is not None or block.shape != (stop - start, self.shape[1]):
            raise ValueError(f"{block.shape} does not fit into rows {start} to {stop} of {self.shape}")
        view = block.reshape(-1).data
        try:
            self._file.seek(start * self.shape[1])
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        wanted = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else rows
        wanted = wanted if self._order is None else self._order[wanted]
        distinct, place = np.unique(wanted, return_inverse=True)
        near = 1 + _NEAR // self.shape[1]
        ends = [*(np.flatnonzero(np.diff(distinct) > near) + 1).tolist(), len(distinct)] if len(distinct) else []
        out, start = np.empty((len(distinct), self.shape[1]), dtype=np.uint8), 0
        for end in ends:
            first, last = int(distinct[start]), int(distinct[end - 1])
            if last - first == end - 1 - start:
                self._read(out[start:end], first)
            else:
                between = np.empty((last + 1 - first, self.shape[1]), dtype=np.uint8)
                self._read(between, first)
                out[start:end] = between[distinct[start:end] - first]
            start = end
        return out if len(distinct) == len(wanted) and (wanted[1:] > wanted[:-1]).all() else out[place]

    def take(self, rows: np.ndarray) -> Bytes:
        """These rows, of the same file."""
        some: Bytes = object.__new__(Bytes)
        some.shape, some._folder = (len(rows), self.shape[1]), self._folder
        some._file, some._turn = self._file, self._turn
        some._order = rows if self._order is None else self._order[rows]
        return some

    def _read(self, out: np.ndarray, first: int) -> None:
        view = out.reshape(-1).data
        with self._turn:
            self._file.seek(first * self.shape[1])
            while view:
                done = self._file.readinto(view)
                if not done:
                    raise OSError(os.strerror(5), "a scratch file of the cache ended early")
                view = view[done:]


RowsOfBytes: TypeAlias = np.ndarray | Bytes  # (n, k) uint8, of which some rows are read at a time


def room_for(n: int, width: int) -> RowsOfBytes:
    """So many empty rows: an array while they are few."""
    few = n * width <= MOST_IN_MEMORY
    return np.empty((n, width), dtype=np.uint8) if few else Bytes(n, width)


def take(rows: RowsOfBytes, which: np.ndarray) -> RowsOfBytes:
    """Some of the rows, without reading those that are on disk."""
    return rows.take(which) if isinstance(rows, Bytes) else rows[which]
