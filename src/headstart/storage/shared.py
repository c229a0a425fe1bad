"""Folders that machines share, on file systems whose locks nobody can rely on (NFS, Lustre): all is by renames.

What is not finished has a name that nobody else has, by chance and not by a lock; what a killed process left under one
is removed when it is a day old.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from headstart.storage.kept import write_kept

_TEMPORARY = re.compile(r"\..+\.shared-\d+-[0-9a-f]{16}\.tmp", re.DOTALL)
_OLD = 24 * 3600.0  # seconds


def temporary(path: Path) -> Path:
    """A name beside `path`, for a file or a folder that is not finished."""
    return path.with_name(f".{path.name}.shared-{os.getpid()}-{secrets.token_hex(8)}.tmp")


def write_shared(path: Path, content: bytes | str) -> None:
    """Write a file that is either complete or not there; of several processes that write it at once, one's.

    Raises:
        OutputError: no space, no permission.
    """
    write_kept(path, content, unfinished=temporary(path))


def write_first(path: Path, content: bytes | str) -> bool:
    """Write a file as `write_shared`, unless it is there: whether this process was the first, of all machines.

    Raises:
        OutputError: no space, no permission.
    """
    if os.path.lexists(path):  # also where nothing can be written
        return False
    mine = temporary(path)
    write_kept(mine, content, unfinished=temporary(mine))
    try:
        path.hardlink_to(mine)
        return True
    except FileExistsError:
        return False
    except OSError:  # no links here: between this look and the rename another may come, and what it wrote is replaced
        if path.exists():
            return False
        mine.rename(path)
        return True
    finally:
        with suppress(OSError):
            mine.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what killed processes left unfinished in a folder, a day ago or earlier."""
    for path in folder.glob(".*.tmp"):
        with suppress(OSError):
            if _TEMPORARY.fullmatch(path.name) and time.time() - path.stat().st_mtime > _OLD:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
