"""Data that go away while they are encoded: a mount that drops, a file that is replaced or cut.

What was made of the rest would count as done for good, so a shard ends there and is run again.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headstart.errors import DataError
from headstart.inputs.packed import PackedPhoto
from headstart.inputs.paths import as_named
from headstart.storage.files import open_file
from headstart.values import Dataset

_OF_DISKS = {
    getattr(errno, name)
    for name in ("EIO", "ESTALE", "ENOTCONN", "ENODEV", "ENXIO", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "EREMOTEIO")
    if hasattr(errno, name)
}
_OF_NO_FILE = {errno.EINVAL, errno.EISDIR, errno.EFBIG}  # a pipe, a folder
_MANY = 4  # photos of which none is there: nobody has written down so many wrong names in a row
_SAMPLED = 64  # photos of all the data, that are looked for where a few are not there
_MOST = 2**40  # bytes of a file
_FIX = "see that the data are there, and run this shard again"


class Watch:
    """What was there of the data when a process began with them, and whether it still is."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._listed = dataset.columns is None  # the names come from the folder, not from a table that somebody wrote
        self._files: dict[str, tuple[int, int, int]] = {}  # that photos lie in -> inode, size and time
        self._there: set[int] = set()

    def begin(self, rows: Sequence[int]) -> None:
        """Look before some rows are read.

        Raises:
            DataError: a file that they lie in is gone, or another by now; or none of them is there.
        """
        self._same_files(rows)
        self._there = {row for row in rows if self._is_there(row)}
        if rows and not self._there and (len(rows) >= _MANY or not any(map(self._is_there, self._sample()))):
            what = f"none of {len(rows):,} photos is there, or may be read"
            raise DataError(what, where=str(self._dataset.inputs[rows[0]]), fix=_FIX)

    def end(self, rows: Sequence[int], lost: Sequence[int], after_all: Sequence[int]) -> None:
        """Look after these rows were read.

        Args:
            lost: those that could not be used. after_all: those of them that could when they were read once more.

        Raises:
            DataError: some of those that could not be used are gone, or were for a moment.
        """
        self._same_files(rows)
        if after_all:
            where = str(self._dataset.inputs[after_all[0]])
            raise DataError("could not be read a moment ago, and now it can", where=where, fix=_FIX)
        for row in lost:
            source = self._dataset.inputs[row]
            error = _error(source)
            if error is None or error.errno in _OF_NO_FILE:  # it is no photo
                continue
            listed = self._listed and not os.path.lexists(as_named(source))  # by a folder, a moment ago
            if error.errno in _OF_DISKS or row in self._there or listed:
                raise DataError(f"gone while it was encoded: {error.strerror}", where=str(source), fix=_FIX)

    def _is_there(self, row: int) -> bool:
        """Whether a file may be read; what is no file of its own is there."""
        source = self._dataset.inputs[row]
        try:
            return not isinstance(source, str | Path) or os.access(as_named(source), os.R_OK)
        except ValueError:
            return False

    def _sample(self) -> list[int]:
        n = len(self._dataset)
        return sorted({number * n // _SAMPLED for number in range(_SAMPLED)} if n else ())

    def _same_files(self, rows: Sequence[int]) -> None:
        inputs = (self._dataset.inputs[row] for row in rows)
        for file in {photo.file for photo in inputs if isinstance(photo, PackedPhoto) and photo.file}:
            try:
                status = os.stat(as_named(file))
            except OSError as error:
                raise DataError(f"gone while it was encoded: {error.strerror}", where=file, fix=_FIX) from None
            now = status.st_ino, status.st_size, status.st_mtime_ns
            if self._files.setdefault(file, now) != now:
                raise DataError("it was changed while it was encoded", where=file, fix=_FIX)


def _error(source: Any) -> OSError | None:
    """Why a file cannot be read; None: it can, or the source is none."""
    if not isinstance(source, str | Path):
        return None
    try:
        with open_file(as_named(source), most=_MOST) as file:
            file.read(1)
    except OSError as error:
        return error
    return None
