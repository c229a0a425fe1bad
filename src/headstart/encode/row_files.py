"""Rows in files: read where they are wanted, and never from bytes that are not those that were written.

A file is read, not mapped. A mapped page of a file that another machine has removed ends the process (SIGBUS), and it
would count as the process's own memory; a read raises OSError, and somebody goes on.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Protocol

import numpy as np

from headstart.encode import forms
from headstart.storage.files import open_unbuffered
from headstart.storage.rows_of_bytes import near_runs

SUM = 16  # bytes of a block's sum
MOST_BYTES = 2**40  # of a file
_BLOCK = 256 * 2**10  # bytes that are summed, and checked, together
_NEAR = 32 * 2**10  # bytes between two rows that are wanted, at most, that are read along: another read takes longer
_MOMENT = 2.0  # seconds: file systems tell times that are up to so coarse
_UNKNOWN, _WHOLE, _DAMAGED = 0, 1, 2

_states: dict[tuple[Path, int, int, int], np.ndarray] = {}  # what this process knows of each file's blocks


class _Ended(OSError):
    """A file that has been cut."""


class Rows(Protocol):
    """Rows of one type, by their numbers."""

    @property
    def dtype(self) -> np.dtype: ...

    def __len__(self) -> int: ...

    def read(self, which: np.ndarray) -> np.ndarray:
        """(n,) numbers -> (n, width). Raises OSError where they cannot be read, or are not what was written."""
        ...

    def kept(self, which: np.ndarray) -> np.ndarray:
        """(n,) numbers -> (n, k) as they are kept, see `encode.forms`. Raises OSError as `read`."""
        ...

    def whole(self, which: np.ndarray) -> np.ndarray:
        """(n,) numbers -> (n,) bool: whether they are what was written. Raises OSError: they cannot be read."""
        ...


@dataclass(frozen=True)
class HeldRows:
    """Rows in memory, because they could not be written."""

    rows: np.ndarray

    @property
    def dtype(self) -> np.dtype:
        return self.rows.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, which: np.ndarray) -> np.ndarray:
        return forms.opened(self.rows[which])

    def kept(self, which: np.ndarray) -> np.ndarray:
        return self.rows[which]

    def whole(self, which: np.ndarray) -> np.ndarray:
        return np.ones(len(which), dtype=bool)


@dataclass(frozen=True, eq=False)
class RowFile:
    """Rows one after the other in a file, from an offset on."""

    path: Path
    offset: int
    dtype: np.dtype
    width: int  # numbers of this type in a row
    count: int
    sums: np.ndarray | None = None  # (blocks, 16) uint8, each checked when it is first read; None: all of it was

    def __len__(self) -> int:
        return self.count

    def read(self, which: np.ndarray) -> np.ndarray:
        return forms.opened(self.kept(which))

    def kept(self, which: np.ndarray) -> np.ndarray:
        if not self.whole(which).all():
            raise OSError(errno.EIO, "damaged since it was written", str(self.path))
        together = in_a_row(which)
        if isinstance(together, slice):
            with open_unbuffered(self.path, most=MOST_BYTES) as file:
                return self._run(file, together.start, together.stop)
        out = np.empty((len(which), self.width), dtype=self.dtype)
        order = np.argsort(which, kind="stable")
        wanted, near = which[order], 1 + _NEAR // (self.width * self.dtype.itemsize)
        with open_unbuffered(self.path, most=MOST_BYTES) as file:
            for run in near_runs(wanted, near):
                first, last = int(wanted[run.start]), int(wanted[run.stop - 1])
                out[order[run]] = self._run(file, first, last + 1)[wanted[run] - first]
        return out

    def whole(self, which: np.ndarray) -> np.ndarray:
        if self.sums is None:
            return np.ones(len(which), dtype=bool)
        fresh = np.zeros(len(self.sums), dtype=np.int8)
        none = np.zeros(len(which), dtype=bool)
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            if self.path.parent.is_dir():  # else all of these rows are elsewhere by now
                return none
            raise
        if not stat.S_ISREG(status.st_mode):  # somebody's pipe or folder
            return none
        known = identity(self.path, status)
        states = fresh if known is None else _states.setdefault(known, fresh)
        size = block_rows(self.width, self.dtype)
        blocks = which // size
        unknown = np.unique(blocks[states[blocks] == _UNKNOWN]).tolist()
        if unknown:
            with open_unbuffered(self.path, most=MOST_BYTES) as file:
                for block in unknown:
                    states[block] = self._checked(file, block, size)
        return states[blocks] == _WHOLE

    @property
    def is_complete(self) -> bool:
        """Whether the file has as many bytes as it had, whatever they are."""
        try:
            status = self.path.stat()
        except OSError:
            return False
        size = self.offset + self.count * self.width * self.dtype.itemsize
        return stat.S_ISREG(status.st_mode) and status.st_size == size

    def _checked(self, file: FileIO, block: int, size: int) -> int:
        try:
            rows = self._run(file, block * size, min(self.count, (block + 1) * size))
        except _Ended:
            return _DAMAGED
        same = self.sums is not None and np.array_equal(sum_of(rows), self.sums[block])
        return _WHOLE if same and forms.are_finite(rows) else _DAMAGED

    def _run(self, file: FileIO, begin: int, end: int) -> np.ndarray:
        rows = np.empty((end - begin, self.width), dtype=self.dtype)
        file.seek(self.offset + begin * self.width * self.dtype.itemsize)
        view = rows.reshape(-1).view(np.uint8).data
        while view:
            read = file.readinto(view)
            if not read:
                raise _Ended(errno.EIO, "shorter than it was written", str(self.path))
            view = view[read:]
        return rows


def in_a_row(numbers: np.ndarray) -> np.ndarray | slice:
    """The same numbers as a slice, where each is one more than the one before it: nothing is sorted, or copied."""
    if not len(numbers) or numbers[-1] - numbers[0] != len(numbers) - 1 or (np.diff(numbers) != 1).any():
        return numbers
    return slice(int(numbers[0]), int(numbers[-1]) + 1)


def block_rows(width: int, dtype: np.dtype) -> int:
    """How many rows are summed together."""
    return max(1, _BLOCK // (width * dtype.itemsize))


def sum_of(rows: np.ndarray) -> np.ndarray:
    """(16,) uint8: the first half of the sha256 of these rows' bytes."""
    return np.frombuffer(hashlib.sha256(np.ascontiguousarray(rows).data).digest()[:SUM], np.uint8)


def sums_of(rows: np.ndarray) -> np.ndarray:
    """(blocks, 16) uint8: the sums of all blocks of a file of these rows."""
    size = block_rows(rows.shape[1], rows.dtype)
    return np.stack([sum_of(rows[start : start + size]) for start in range(0, len(rows), size)])


def identity(path: Path, status: os.stat_result) -> tuple[Path, int, int, int] | None:
    """What a file is known by: who has looked through it need not do so again, unless one of these has changed.

    None of a file that was changed a moment ago: another change might not show in its time.
    """
    if time.time() - status.st_mtime < _MOMENT:
        return None
    return path, status.st_ino, status.st_size, status.st_mtime_ns
