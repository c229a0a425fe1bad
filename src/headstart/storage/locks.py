"""A lock that one process has on a folder; the system gives it back when the process ends, however it ends."""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from headstart.errors import OutputError
from headstart.storage.places import cannot_write

_TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # what the systems say of a lock that is held


@dataclass(frozen=True)
class Lock:
    """Held until it is released, or nobody has it any more."""

    _path: Path
    _file: BinaryIO

    def release(self) -> None:
        if self._file.closed:
            return  # the file of this name may be somebody else's by now
        with suppress(OSError):  # Windows removes no open file; a disk may have become read-only
            self._path.unlink()
            self._file.close()
            return
        self._file.close()
        with suppress(OSError):  # another process was quick to take it
            self._path.unlink()

    def leave(self) -> None:
        """Give it back; its file stays."""
        self._file.close()


def take_lock(folder: Path, *, without_locks: bool = False) -> Lock | None:
    """The lock on a folder, which need not be there; None where it is taken, by this process too.

    Args:
        without_locks: take it on a file system that has no locks, too; else nobody ever has it there, for who cannot be
            sure must not go on.

    Raises:
        OutputError: the file FOLDER.lock cannot be made, or something of the user's has that name.
    """
    path = folder.with_name(f"{folder.name}.lock")
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = _opened(path)
        except OSError as error:
            raise cannot_write(path, error) from error
        if not _locked(file, without_locks=without_locks):
            file.close()
            return None
        if _is_still_there(path, file):
            return Lock(path, file)
        file.close()  # of one who removed it just before


def _opened(path: Path) -> BinaryIO:
    """An empty file, made if it is new: nothing else is a lock, for it is removed in the end."""
    flags = os.O_RDWR | os.O_CREAT
    for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):  # links are not followed, pipes not waited for
        flags |= getattr(os, name, 0)
    file = cast("BinaryIO", os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0))
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size:
        file.close()
        raise OutputError("no lock of headstart's", where=str(path), fix="move it away, or choose another place")
    return file


def _locked(file: BinaryIO, *, without_locks: bool) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return without_locks and error.errno not in _TAKEN
    return True


def _is_still_there(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
