"""A file without a name for what does not fit into memory: it ends with the process, whatever ends that."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from pathlib import Path

from headstart.storage.places import cannot_write

_AT_ONCE = 2**30  # bytes: no system takes more than 2 GB in one call


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
