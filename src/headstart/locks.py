"""A lock that one process has on a folder; the system gives it back when the process ends, however it ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from headstart.places import cannot_write


@dataclass(frozen=True)
class Lock:
    """Held until it is released, or nobody has it any more."""

    _path: Path
    _file: BinaryIO

    def release(self) -> None:
        if self._file.closed:
            return  # the file of this name may be somebody else's by now
        with suppress(PermissionError):  # Windows removes no open file
            self._path.unlink()
            self._file.close()
            return
        self._file.close()
        with suppress(PermissionError, FileNotFoundError):  # another process was quick to take it
            self._path.unlink()


def take_lock(folder: Path) -> Lock | None:
    """The lock on a folder, which need not be there; None where it is taken, by this process too.

    Raises:
        OutputError: the file FOLDER.lock cannot be made.
    """
    path = folder.with_name(f"{folder.name}.lock")
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        except OSError as error:
            raise cannot_write(path, error) from error
        if not _locked(file):
            file.close()
            return None
        if _is_still_there(path, file):
            return Lock(path, file)
        file.close()  # of one who removed it just before


def _locked(file: BinaryIO) -> bool:
    """False also on a file system that has no locks: who cannot be sure must not go on."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still_there(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
