"""A column of photos that lie in one piece each: in a file, or in what was written down of data that come once."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

from headstart.errors import DataError
from headstart.inputs.packed import PhotoInFile, PhotoInSpool
from headstart.storage.spool import Spool

_NONE, _ELSEWHERE, _WRITTEN = -1, -2, -3  # and below that: where it begins in the spool


class PhotoPieces:
    """Where the photos of a column lie, 16 bytes each; they come one after the other, and are read in any order."""

    def __init__(self, name: str, file: str = "") -> None:
        """Args: name: of the table. file: that photos lie in as they are."""
        self._name, self._file = name, file
        self._offsets, self._sizes = array("q"), array("q")
        self._others: dict[int, Any] = {}
        self._spool: Spool | None = None

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def written(self) -> int:
        """Bytes of those that were written down."""
        return 0 if self._spool is None else self._spool.size

    def add_in_file(self, offsets: np.ndarray, sizes: np.ndarray) -> None:
        """The next photos lie here in the file."""
        self._offsets.frombytes(offsets.astype(np.int64).tobytes())
        self._sizes.frombytes(sizes.astype(np.int64).tobytes())

    def write(self, content: bytes) -> None:
        """The next photo is this, and comes only now.

        Raises:
            OutputError: there is no room for it.
        """
        self._spool = self._spool or Spool()
        self._offsets.append(_WRITTEN - self._spool.add(content))
        self._sizes.append(len(content))

    def add_other(self, value: Any) -> None:
        """The next photo is something else: the path of a file; None or "": there is none."""
        self._offsets.append(_NONE)
        self._sizes.append(0)
        self.instead({len(self) - 1: value})

    def instead(self, others: Mapping[int, Any]) -> None:
        """The photos in these rows are something else."""
        for row, value in others.items():
            there = value is not None and value != ""
            self._offsets[row] = _ELSEWHERE if there else _NONE
            self._others |= {row: value} if there else {}

    def photo(self, row: int) -> Any:
        """The photo in a row, which is opened later."""
        offset, size = self._offsets[row], self._sizes[row]
        called = f"{self._name} row {row + 1}"
        if offset <= _WRITTEN and self._spool is not None:
            return PhotoInSpool("", size, called, _WRITTEN - offset, self._spool)
        if offset < 0:
            return DataError("no image in this row") if offset == _NONE else self._others[row]
        return PhotoInFile(self._file, size, called, offset)
