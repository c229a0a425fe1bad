"""Perceptual hashes that outlive a run: a mapping over a table of the store, written when the check ends."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class HashTable(Protocol):
    """What the store's table offers."""

    def find(self, digests: np.ndarray) -> np.ndarray: ...

    def rows(self, handles: np.ndarray) -> np.ndarray: ...

    def add(self, digests: np.ndarray, rows: np.ndarray) -> None: ...


class KnownImages:
    """sha256 of an image's bytes -> its perceptual hash, from the table and from this run."""

    def __init__(self, stored: HashTable | None = None) -> None:
        self._stored = stored
        self._new: dict[bytes, np.ndarray] = {}

    def get(self, digest: bytes) -> np.ndarray | None:
        found = self._new.get(digest)
        if found is not None or self._stored is None:
            return found
        handle = self._stored.find(np.frombuffer(digest, np.uint8)[None])
        return self._stored.rows(handle)[0] if handle[0] >= 0 else None

    def put(self, digest: bytes, value: np.ndarray) -> None:
        self._new[digest] = value

    def keep(self) -> None:
        """Write what is new to the table."""
        if self._stored is not None and self._new:
            keys = np.frombuffer(b"".join(self._new), np.uint8).reshape(-1, 32)
            self._stored.add(keys, np.stack(list(self._new.values())))
        self._new = {}


def known_images(stored: HashTable | None = None) -> KnownImages:
    return KnownImages(stored)
