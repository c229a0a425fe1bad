"""Renames that lose nothing: onto a name that nobody has, or two folders swapped in one step."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

# From linux/fs.h and fcntl.h; renameat2 is in glibc since 2.28, and in Linux since 3.15.
_NOREPLACE, _EXCHANGE = 1, 2
_HERE = -100
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.ENOTSUP)  # not this file system, or not these folders


def rename_new(old: Path, new: Path) -> None:
    """Rename a folder onto a name that nobody has.

    Raises:
        FileExistsError: somebody has it, if only an empty folder. OSError: as the system says.
    """
    if _renameat2(old, new, _NOREPLACE):
        return
    if os.path.lexists(new):  # between this look and the rename only an empty folder could be lost
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new))
    old.rename(new)


def exchange(one: Path, other: Path) -> bool:
    """Swap the names of two folders in one step; False where the system cannot.

    Raises:
        OSError: as the system says.
    """
    return _renameat2(one, other, _EXCHANGE)


def _renameat2(old: Path, new: Path, flag: int) -> bool:
    call = _call()
    if call is None:
        return False
    if call(_HERE, os.fsencode(old), _HERE, os.fsencode(new), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(old), None, str(new))


@cache
def _call() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
