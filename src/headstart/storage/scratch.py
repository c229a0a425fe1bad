"""A file without a name for what does not fit into memory: it ends with the process, whatever ends that."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from pathlib import Path

from headstart.storage.kept import cache_root, free_bytes, no_room
from headstart.storage.places import cannot_write

_AT_ONCE = 2**30  # bytes: no system takes more than 2 GB in one call


def with_room(size: int, *, what: str = "a scratch file", left_free: int = 0) -> Path:
    """Where a scratch file of so many bytes has room: in the cache, or where temporary files lie, which may be memory.

    Args:
        what: it is, for the user. left_free: bytes of the disk that are to stay free.

    Raises:
        OutputError: nowhere.
    """
    folders = [cache_root(), Path(tempfile.gettempdir())]
    found = next((folder for folder in folders if free_bytes(folder) >= size + left_free and folder.is_dir()), None)
    if found is None:
        raise no_room(what, size + left_free, folders[0])
    return found


def run_of(places: slice, n: int) -> tuple[int, int]:
    """Where a slice of n places begins and ends. Raises IndexError where it leaves some out: a file is read in runs."""
    start, stop, step = places.indices(n)
    if step != 1:
        raise IndexError(f"every {step}th place of what is read in runs")
    return start, max(start, stop)


class ScratchFile:
    """Bytes that are written and read anywhere in it, by any number of threads, and by processes that were forked.

    It is read, not mapped: mapped pages would count as the process's own memory.
    """

    def __init__(self, folder: Path, size: int = 0) -> None:
        """Args: size: bytes that it has from the beginning on, all of them 0.

        Raises:
            OutputError: no file can be made in the folder.
        """
        self._folder = folder
        self._turn = threading.Lock()  # where the system can only read and write at one place
        try:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with the object
            if size:
                self._file.truncate(size)
        except OSError as error:
            raise cannot_write(folder, error) from error

    def write(self, content: memoryview, at: int) -> None:
        """Write bytes from a place on. Raises OutputError where the disk has no room for them."""
        try:
            while content:
                done = self._write(content[:_AT_ONCE], at)
                if not done:
                    raise OSError(errno.EIO, "nothing more can be written")
                content, at = content[done:], at + done
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    def read(self, into: memoryview, at: int) -> None:
        """Fill bytes with those from a place on. Raises OSError where there are fewer."""
        while into:
            done = self._read(into[:_AT_ONCE], at)
            if not done:
                raise OSError(errno.EIO, "a scratch file of the cache ended early")
            into, at = into[done:], at + done

    def _write(self, content: memoryview, at: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), content, at)
        with self._turn:
            self._file.seek(at)
            return self._file.write(content) or 0

    def _read(self, into: memoryview, at: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [into], at)
        with self._turn:
            self._file.seek(at)
            return self._file.readinto(into) or 0
