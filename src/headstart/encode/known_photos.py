"""What the store knows of photos: what each looks like, by its content; and in a store that machines share, the content
of each file by its path, size and times, so that who comes second does not read a photo again to know which it is.

Such an entry is found by the sum of all of these together: where one differs there is none. Of a file that was changed
a moment before it was read none is made, for another change might not show in its times.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.encode.store import Table, image_hashes, store_folder, table
from headstart.inputs.paths import as_named

_MOMENT = 2.0  # seconds: clocks and file systems tell times that are up to so coarse
_TOGETHER = 8192  # files that are written down together


class KnownPhotos:
    """The table of what photos look like, for `check`, and that of files beside it."""

    def __init__(self, looks: Table, files: Table | None) -> None:
        self._looks, self._files = looks, files
        self._asked: dict[str, bytes] = {}  # path -> sum of what is known of a file that is about to be read
        self._new: dict[bytes, bytes] = {}  # that sum -> the content's

    def find(self, digests: np.ndarray) -> np.ndarray:
        return self._looks.find(digests)

    def rows(self, handles: np.ndarray) -> np.ndarray:
        return self._looks.rows(handles)

    def add(self, digests: np.ndarray, rows: np.ndarray) -> None:
        self._looks.add(digests, rows)

    def contents(self, sources: Sequence[Any]) -> list[bytes | None]:
        """The sha256 of each source's bytes; None where it has to be read to know that."""
        known: list[bytes | None] = [None] * len(sources)
        sums = {} if self._files is None else {i: found for i, one in enumerate(sources) if (found := sum_of_file(one))}
        if self._files is None or not sums:
            return known
        handles, places = self._files.find(as_rows(list(sums.values()))), list(sums)
        for place, handle in zip(places, handles.tolist(), strict=True):
            if handle < 0:
                self._asked[str(sources[place])] = sums[place]
        there = np.flatnonzero(handles >= 0)
        for number, content in zip(there.tolist(), self._files.rows(handles[there]), strict=True):
            known[places[number]] = content.tobytes()
        return known

    def read(self, contents: dict[Any, bytes]) -> None:
        """That sources were read, and which sha256 their bytes have."""
        for source, content in contents.items():
            asked = self._asked.pop(str(source), None)
            if asked is not None and sum_of_file(source) == asked:
                self._new[asked] = content
        if len(self._new) >= _TOGETHER:
            self.keep()

    def keep(self) -> None:
        """Write what is new of files."""
        if self._files is not None and self._new:
            self._files.add(as_rows(list(self._new)), as_rows(list(self._new.values())))
        self._new = {}


class ReadPhotos(KnownPhotos):
    """The same, to which nothing is added."""

    def add(self, digests: np.ndarray, rows: np.ndarray) -> None:
        pass

    def keep(self) -> None:
        pass


def sum_of_file(source: Any) -> bytes | None:
    """The sha256 of all that is known of a file without reading it; None: it is no file, or was changed just now."""
    if not isinstance(source, str | Path):
        return None
    try:
        path = os.path.realpath(as_named(source))
        status = os.stat(path)
    except (OSError, ValueError):  # which is said when it is read
        return None
    if time.time() - max(status.st_mtime, status.st_ctime) < _MOMENT:
        return None
    told = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} "
    return hashlib.sha256(told.encode() + os.fsencode(path)).digest()


def known_photos() -> KnownPhotos:
    """What the store knows of photos."""
    return KnownPhotos(image_hashes(), photo_files() if store_folder() is not None else None)


def photo_files() -> Table:
    """Contents by file."""
    return table("contents of files 1", width=32, about="contents of files", dtype=np.uint8)


def as_rows(sums: Sequence[bytes]) -> np.ndarray:
    """sha256 sums -> (n, 32) uint8."""
    return np.frombuffer(b"".join(sums), np.uint8).reshape(-1, 32)
