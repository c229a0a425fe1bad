"""Perceptual hashes that outlive a run: a mapping over a table of the store, written when the check ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

_MOST_NEW = 16_384  # hashes that are held in memory


class HashTable(Protocol):
    """What the store offers."""

    def find(self, digests: np.ndarray) -> np.ndarray: ...

    def rows(self, handles: np.ndarray) -> np.ndarray: ...

    def add(self, digests: np.ndarray, rows: np.ndarray) -> None: ...

    def contents(self, sources: Sequence[Any]) -> list[bytes | None]: ...

    def read(self, contents: dict[Any, bytes]) -> None: ...

    def keep(self) -> None: ...


class KnownImages:
    """sha256 of an image's bytes -> its perceptual hash, from the table and from this run."""

    def __init__(self, stored: HashTable | None = None) -> None:
        self._stored = stored
        self._new: dict[bytes, np.ndarray] = {}

    def contents(self, sources: Sequence[Any]) -> list[bytes | None]:
        """The sha256 of each source's bytes, where that is known without reading it."""
        return [None] * len(sources) if self._stored is None else self._stored.contents(sources)

    def read(self, contents: dict[Any, bytes]) -> None:
        """That sources were read, and which sha256 their bytes have."""
        if self._stored is not None:
            self._stored.read(contents)

    def find(self, digests: dict[int, bytes]) -> dict[int, np.ndarray]:
        """Row -> hash for the rows whose content is known; the table is asked once for all of them."""
        found = {row: self._new[digest] for row, digest in digests.items() if digest in self._new}
        rows = [row for row in digests if row not in found]
        if self._stored is None or not rows:
            return found
        handles = self._stored.find(np.frombuffer(b"".join(digests[row] for row in rows), np.uint8).reshape(-1, 32))
        known = np.flatnonzero(handles >= 0)
        return found | dict(zip([rows[i] for i in known], self._stored.rows(handles[known]), strict=True))

    def put(self, values: dict[bytes, np.ndarray]) -> None:
        """More of this run; of many, the table has the first ones from then on."""
        self._new |= values
        if len(self._new) >= _MOST_NEW:
            self.keep()

    def keep(self) -> None:
        """Write what is new to the table."""
        if self._stored is not None and self._new:
            keys = np.frombuffer(b"".join(self._new), np.uint8).reshape(-1, 32)
            self._stored.add(keys, np.stack(list(self._new.values())))
        if self._stored is not None:
            self._stored.keep()
        self._new = {}
