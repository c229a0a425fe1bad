"""What is kept between commands besides models: features, and what fits left that were killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headstart.encode import store
from headstart.encode.store import TableInfo
from headstart.locks import take_lock
from headstart.places import cache_folder

_LEFT = {"runs": "a fit that was not finished", "tuned": "tuned weights that were not saved"}


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
        for folder in sorted(path for path in (cache_folder() / room).glob("*") if path.is_dir()):
            files = [file.stat() for file in folder.rglob("*") if file.is_file()]
            last = max((file.st_mtime for file in files), default=folder.stat().st_mtime)
            size = sum(file.st_size for file in files)
            yield LeftInfo(f"{room}/{folder.name}", about, size, last, _in_use(folder))


def prune(*, most_bytes: int) -> list[TableInfo | LeftInfo]:
    """Remove what was not used for longest until at most `most_bytes` are left; nothing of a fit that is alive."""
    everything: list[TableInfo | LeftInfo] = [*store.tables(), *(info for info in left() if not info.in_use)]
    gone: list[TableInfo | LeftInfo] = []
    total = sum(info.bytes for info in everything)
    for info in sorted(everything, key=lambda info: info.last_used):
        if total <= most_bytes:
            break
        if isinstance(info, TableInfo):
            shutil.rmtree(cache_folder() / "features" / info.key, ignore_errors=True)
        elif not _removed(cache_folder() / info.key):
            continue
        total -= info.bytes
        gone.append(info)
    return gone


def _in_use(folder: Path) -> bool:
    lock = take_lock(folder)
    if lock is None:
        return True
    lock.release()
    return False


def _removed(folder: Path) -> bool:
    lock = take_lock(folder)
    if lock is None:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()
    return True
