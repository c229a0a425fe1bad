"""Pieces of bytes that were written to disk since they come only once, and are read back in any order."""

from __future__ import annotations

import pickle
import threading
from typing import NoReturn

from headstart.storage.kept import free_bytes, no_room
from headstart.storage.scratch import ScratchFile, with_room

_WHAT = "what is read from the data"
_LEFT_FREE = 2**30  # bytes of the disk that stay free
_LOOKED_AT = 2**26  # bytes between two looks at how much is free


class Spool:
    """A file without a name in the cache's folder (or where temporary files lie), which ends with the process."""

    def __init__(self) -> None:
        self._folder = with_room(0, what=_WHAT, left_free=_LEFT_FREE)
        self._file = ScratchFile(self._folder)
        self.size = 0
        self._looked = -_LOOKED_AT
        self._lock = threading.Lock()

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError("what was read as it came lies in a file of this process")

    def add(self, content: bytes) -> int:
        """Write a piece behind the others; gives where it begins.

        Raises:
            OutputError: the disk has no more room for it.
        """
        if self.size - self._looked >= _LOOKED_AT:
            if free_bytes(self._folder) < _LEFT_FREE + len(content):
                raise no_room(_WHAT, len(content) + _LEFT_FREE, self._folder)
            self._looked = self.size
        with self._lock:
            self._file.write(memoryview(content), self.size)
            start, self.size = self.size, self.size + len(content)
        return start

    def read(self, start: int, size: int) -> bytes:
        """A piece; any number of threads may ask, and processes that were forked."""
        content = bytearray(size)
        self._file.read(memoryview(content), start)
        return bytes(content)
