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
_MANY = 4  # photos of which none is there: nobody has written down so many wrong names in a row
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
        there = {row for row in rows if _is_there(self._dataset.inputs[row])}
        if not there and len(rows) >= min(_MANY, len(self._dataset)) > 0:
            what = f"none of {len(rows):,} photos is there"
            raise DataError(what, where=str(self._dataset.inputs[rows[0]]), fix=_FIX)
        self._there = set(rows) if self._listed else there

    def end(self, rows: Sequence[int], usable: set[int]) -> None:
        """Look after these rows were read.

        Raises:
            DataError: some of those that could not be used are gone.
        """
        self._same_files(rows)
        lost = [(row, error) for row in rows if row not in usable and (error := _error(self._dataset.inputs[row]))]
        for row, error in lost:
            source = self._dataset.inputs[row]
            went = isinstance(error, FileNotFoundError | NotADirectoryError) and row in self._there
            if error.errno in _OF_DISKS or (went and (len(lost) > 1 or not os.path.islink(as_named(source)))):
                raise DataError(f"gone while it was encoded: {error.strerror}", where=str(source), fix=_FIX)

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


def _is_there(source: Any) -> bool:
    if not isinstance(source, str | Path):
        return True
    try:
        return os.path.exists(as_named(source))
    except ValueError:
        return False


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
