"""What is kept between commands: features, what fits left that were killed, and models ready to run.

Nothing that a process which is alive has in use is removed. Models ready to run are only counted: they are few, and a
running fit may need any of them.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headstart.encode import store
from headstart.encode.store import TableInfo
from headstart.errors import OutputError
from headstart.living import is_marked
from headstart.locks import take_lock
from headstart.places import cache_folder, is_key

_LEFT = {"runs": "a fit that was not finished", "tuned": "tuned weights that were not saved"}
_MODELS = "backbones", "engines"


@dataclass(frozen=True)
class LeftInfo:
    """What a fit wrote to go on from, or its weights until they are saved."""

    key: str
    about: str
    bytes: int
    last_used: float  # seconds since the epoch
    in_use: bool  # by a fit that is alive


def left() -> Iterator[LeftInfo]:
    """What fits wrote that are not done, or were killed."""
    for room, about in _LEFT.items():
        for folder in sorted(path for path in (cache_folder() / room).glob("*") if is_key(path.name) and path.is_dir()):
            with suppress(FileNotFoundError):  # a fit that goes on, or ends
                files = _files(folder)
                last = max((file.st_mtime for file in files), default=folder.stat().st_mtime)
                size = sum(file.st_size for file in files)
                yield LeftInfo(f"{room}/{folder.name}", about, size, last, _in_use(folder))


def models_bytes() -> int:
    """What descriptions and graphs of models take."""
    return sum(file.st_size for room in _MODELS for file in _files(cache_folder() / room))


def prune(*, most_bytes: int) -> list[TableInfo | LeftInfo]:
    """Remove what was not used for longest until at most `most_bytes` are left; nothing that is in use."""
    found: list[TableInfo | LeftInfo] = [*store.tables(), *left()]
    everything = [info for info in found if not info.in_use]
    gone: list[TableInfo | LeftInfo] = []
    total = sum(info.bytes for info in everything)
    for info in sorted(everything, key=lambda info: info.last_used):
        if total <= most_bytes:
            break
        is_table = isinstance(info, TableInfo)
        if _removed(cache_folder() / ("features" if is_table else "") / info.key, table=is_table):
            total -= info.bytes
            gone.append(info)
    for folder in (path for path in (cache_folder() / "features").glob("*") if is_key(path.name)):
        with suppress(OSError):  # not empty, as what another prune left that was killed
            folder.rmdir()
    return gone


def _files(folder: Path) -> list[os.stat_result]:
    found: list[os.stat_result] = []
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # the temporary ones go
            status = file.stat()
            if stat.S_ISREG(status.st_mode):
                found.append(status)
    return found


def _in_use(folder: Path) -> bool:
    try:
        lock = take_lock(folder)
    except OutputError:  # read only: nobody can be at work there
        return False
    if lock is None:
        return True
    lock.release()
    return False


def _removed(folder: Path, *, table: bool) -> bool:
    """A table has as many users as there are marks in it; no new one comes while its lock is taken."""
    lock = take_lock(folder)
    if lock is None:
        return False
    unused = not (table and is_marked(cache_folder(), folder))
    if unused:
        shutil.rmtree(folder, ignore_errors=True)
    lock.release()
    return unused
