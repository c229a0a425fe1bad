"""What is kept between commands: features, what fits left that were killed, what was fetched, models ready to run.

Nothing that a process which is alive has in use is removed. Models ready to run are only counted: they are few, and a
running fit may need any of them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headstart.encode import store
from headstart.encode.store import TableInfo
from headstart.errors import OutputError
from headstart.storage.fetched import ROOM, fetched_in, forget, is_fetched
from headstart.storage.living import is_free, is_marked, remove_folder, sweep
from headstart.storage.locks import take_lock
from headstart.storage.places import cache_folder, is_ours

_LEFT = {"runs": "a fit or comparison that can go on", "tuned": "tuned weights that were not saved"}
_MODELS = "backbones", "engines"
_BESIDE = "alive", "matplotlib"  # who is at work, and a list of fonts


@dataclass(frozen=True)
class LeftInfo:
    """What a fit wrote to go on from, or its weights until they are saved; or what was fetched from an address."""

    key: str
    about: str
    bytes: int
    last_used: float  # seconds since the epoch
    in_use: bool  # by a process that is alive


def left() -> Iterator[LeftInfo]:
    """What fits wrote that are not done, or were killed."""
    for room, about in _LEFT.items():
        for folder in sorted(path for path in (cache_folder() / room).glob("*") if is_ours(path)):
            with suppress(FileNotFoundError):  # a fit that goes on, or ends
                files = _files(folder)
                last = max((file.st_mtime for file in files), default=folder.stat().st_mtime)
                size = sum(file.st_size for file in files)
                yield LeftInfo(f"{room}/{folder.name}", about, size, last, _in_use(folder))


def fetched() -> Iterator[LeftInfo]:
    """What was fetched from addresses."""
    cache = cache_folder()
    for folder, address, last in fetched_in(cache):
        size = sum(file.st_size for file in _files(folder))
        yield LeftInfo(f"{ROOM}/{folder.name}", f"fetched from {address}", size, last, is_marked(cache, folder))


def models_bytes() -> int:
    """What descriptions and graphs of models take."""
    return _bytes_in(_MODELS)


def beside_bytes() -> int:
    """What is there besides: who is at work, and a list of fonts."""
    return _bytes_in(_BESIDE)


def _bytes_in(rooms: tuple[str, ...]) -> int:
    return sum(file.st_size for room in rooms for file in _files(cache_folder() / room))


def prune(*, most_bytes: int) -> list[TableInfo | LeftInfo]:
    """Remove what was not used for longest until at most `most_bytes` are left; nothing that is in use.

    Raises:
        OutputError: something cannot be removed; all else was.
    """
    cache = cache_folder()
    sweep(cache)
    found: list[TableInfo | LeftInfo] = [*store.tables(), *left(), *fetched()]
    unused = [info for info in found if not info.in_use]
    gone: list[TableInfo | LeftInfo] = []
    failures: list[tuple[str, Path]] = []
    total = sum(info.bytes for info in unused)
    for info in sorted(unused, key=lambda info: info.last_used):
        if total <= most_bytes > 0:
            break
        folder = cache / ("features" if isinstance(info, TableInfo) else "") / info.key
        try:
            if _removed(folder):
                total -= info.bytes
                gone.append(info)
        except OutputError as error:
            failures.append((error.what, folder))
        except OSError as error:
            failures.append((f"cannot be removed: {error.strerror}", folder))
    for folder in (path for path in (cache / "features").glob("*") if is_ours(path)):
        with suppress(OSError):  # not empty
            folder.rmdir()
    if failures:
        what, where = failures[0]
        raise OutputError(what, where=str(where), fix="run this again as who may write there")
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
        return not is_free(folder)
    except OutputError:  # read only: nobody can be at work there
        return False


def _removed(folder: Path) -> bool:
    """Remove it, unless somebody uses it; whether it was removed. A table, or what was fetched, has as many users as
    marks in it, and no new one comes while its lock is taken. Raises OSError where it cannot be removed."""
    lock = take_lock(folder)
    if lock is None:
        return False
    try:
        here = is_fetched(folder)
        if not (here or is_ours(folder)) or is_marked(cache_folder(), folder):
            return False
        remove_folder(cache_folder(), folder)
        if here:
            forget(folder)
        return True
    finally:
        lock.release()
