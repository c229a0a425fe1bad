"""A matrix whose rows are elsewhere, and read when they are asked for: nothing of it is in memory, or copied."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Read = Callable[[np.ndarray], np.ndarray]  # (n,) handles -> (n, d)


class Chosen:
    """(n, d) float32: the rows of these handles, in their order."""

    def __init__(self, read: Read, handles: np.ndarray, width: int) -> None:
        self._read, self._handles, self.shape = read, handles, (len(handles), width)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._read(self._handles[rows]).astype(np.float32, copy=False)

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        raise TypeError("rows of the store are read only")

    def of(self, rows: np.ndarray) -> Chosen:
        """Some of these rows."""
        return Chosen(self._read, self._handles[rows], self.shape[1])
