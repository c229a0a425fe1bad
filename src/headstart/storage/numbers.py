"""Numbers that become more: in memory while they are few, then in a file that has no name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headstart.storage.scratch import ScratchFile, run_of, with_room

MOST_IN_MEMORY = 8 * 2**20  # bytes
_AT_ONCE = 1 << 18  # numbers


class Numbers:
    """(n,) of one type. They are read a slice at a time, as `matrix.Rows` are."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._dtype, self._n = np.dtype(dtype), 0
        self._held: list[np.ndarray] = []  # the last ones, or all of few
        self._on_disk = 0
        self._file: ScratchFile | None = None

    def __len__(self) -> int:
        return self._n

    def add(self, numbers: np.ndarray) -> None:
        """More of them, behind the others."""
        self._held.append(np.asarray(numbers, dtype=self._dtype))
        self._n += len(numbers)
        if (self._n - self._on_disk) * self._dtype.itemsize > MOST_IN_MEMORY:
            self._write()

    def __getitem__(self, places: slice) -> np.ndarray:
        start, stop = run_of(places, self._n)
        if self._file is None:
            if len(self._held) != 1:
                self._held = [np.concatenate([np.empty(0, dtype=self._dtype), *self._held])]
            return self._held[0][start:stop]
        if self._on_disk < self._n:
            self._write()
        out = np.empty(max(0, stop - start), dtype=self._dtype)
        self._file.read(out.view(np.uint8).data, start * self._dtype.itemsize)
        return out

    def blocks(self, *, beyond: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """The numbers in their order, some at a time with where these begin, and so many of the next ones with them."""
        for start in range(0, self._n, _AT_ONCE):
            yield start, self[start : start + _AT_ONCE + beyond]

    def _write(self) -> None:
        folder = with_room((self._n - self._on_disk) * self._dtype.itemsize)
        if self._file is None:
            self._file = ScratchFile(folder)
        at = self._on_disk * self._dtype.itemsize
        for numbers in self._held:
            self._file.write(numbers.view(np.uint8).data, at)
            at += numbers.nbytes
        self._held, self._on_disk = [], self._n
