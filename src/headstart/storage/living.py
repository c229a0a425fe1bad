"""Which processes are at work in a cache, and what those left there that were killed.

A process that writes to a cache has a file of its own in its folder `alive`, and a lock on that; the system gives the
lock back when the process ends, however it ends. What it writes under a temporary name bears the name of that file, and
so does each mark that a folder is in use. Numbers of processes would not do: containers that share a volume each have
their own, and they come again.
"""

from __future__ import annotations

import atexit
import itertools
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from headstart.errors import OutputError
from headstart.storage.locks import Lock, take_lock
from headstart.storage.places import is_key

MARK = ".use"  # how the names of marks end
_ALIVE = "alive"
_PROCESS = r"(\d+-[0-9a-f]{8})"  # its number and a random one
_TEMPORARY = re.compile(rf"\..+\.{_PROCESS}(?:-\d+)?\.tmp", re.DOTALL)
_MARKING = re.compile(rf"{_PROCESS}-\d+\.use")
_LOCKING = re.compile(rf"{_PROCESS}\.lock")
_ROOMS = ("backbones", "engines", "features", "remote", "runs", "tuned")
_OLD = 24 * 3600.0  # seconds after which something unfinished is left, where nobody knows of who wrote it
_TRIES = 3  # to get a lock of its own, which one who looks for the dead may have for a moment
_WAIT = 60.0  # seconds, at most, for somebody who removes a folder at the moment

_names: dict[Path, str] = {}  # of this process, by cache
_locks: dict[Path, tuple[int, Lock]] = {}  # with the process that took it: a fork has no part in it
_written: dict[Path, set[Path]] = {}  # by cache: the folders in which this process made names
_one_at_a_time = threading.RLock()
_numbers = itertools.count()


@dataclass(frozen=True)
class Mark:
    """Says that a folder is in use, until it is removed or this process ends."""

    path: Path
    process: int  # that made it; not a fork of that

    def remove(self) -> None:
        if self.process != os.getpid():
            return
        with suppress(OSError):  # with its folder
            self.path.unlink()


def temporary(cache: Path, path: Path) -> Path:
    """A name beside `path`, for a file or a folder that is not finished."""
    return _made_in(cache, path.parent, f".{path.name}.{_name_in(cache)}-{next(_numbers)}.tmp")


def is_temporary(path: Path) -> bool:
    return _TEMPORARY.fullmatch(path.name) is not None


def is_free(folder: Path) -> bool:
    """Whether nobody has the lock on a folder. It is taken for a moment to know that.

    Raises:
        OutputError: nothing can be written beside it.
    """
    lock = take_lock(folder)
    if lock is not None:
        lock.release()
    return lock is not None


def sweep(cache: Path) -> None:
    """Remove what processes left that were killed, if this one has not done that yet."""
    _name_in(cache)


def remove_folder(cache: Path, folder: Path) -> None:
    """Remove a folder of the cache, which need not be there: the whole of it or nothing, whenever a kill may come.

    It loses its name first, so nobody finds a half of it. What cannot be removed then goes at the end of this process,
    or with the next one.

    Raises:
        OSError: it is there as before, or some of it is under a temporary name.
    """
    aside = temporary(cache, folder)
    with suppress(FileNotFoundError):
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(aside)  # says what stays


def mark(cache: Path, folder: Path) -> Mark | None:
    """Keep a folder of the cache, made if it is new, from being pruned; None where nothing can be written, or
    nothing locked."""
    made = Mark(_made_in(cache, folder, f"{_name_in(cache)}-{next(_numbers)}{MARK}"), os.getpid())
    if cache not in _locks:
        return None
    until = time.monotonic() + _WAIT
    try:
        while True:
            with suppress(FileNotFoundError):  # somebody removes it
                folder.mkdir(parents=True, exist_ok=True)
                made.path.touch()
            removing = not is_free(folder)
            if made.path.exists() and (not removing or time.monotonic() > until):
                return made
            time.sleep(0.005)
    except (OSError, OutputError):
        return None


def is_marked(cache: Path, folder: Path) -> bool:
    """Whether a process that is alive has a mark on it. Ask with the folder's lock, so that none is added meanwhile."""
    _name_in(cache)  # what the dead left is not asked about
    return any(_is_alive(cache, owner) for path, owner in _owned([folder]) if path.suffix == MARK)


def _made_in(cache: Path, folder: Path, name: str) -> Path:
    _written.setdefault(cache, set()).add(folder)
    return folder / name


def _name_in(cache: Path) -> str:
    """The name of this process in this cache; the first time, what the dead left there is removed."""
    with _one_at_a_time:
        if cache not in _names:
            _names[cache] = _registered(cache)
            with suppress(OSError, OutputError):  # of somebody else, or read only
                _sweep(cache)
        return _names[cache]


def _registered(cache: Path) -> str:
    for _ in range(_TRIES):
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        try:
            lock = take_lock(cache / _ALIVE / name)
        except OutputError:
            break
        if lock is not None:
            _locks[cache] = os.getpid(), lock
            break
        with suppress(OSError):  # no locks on this file system
            (cache / _ALIVE / f"{name}.lock").unlink()
    return name


@atexit.register
def _leave() -> None:
    for cache, (process, lock) in _locks.items():
        if process != os.getpid():
            continue
        mine = [path for path, owner in _owned(_written.get(cache, ())) if owner == _names[cache]]
        for path in mine:
            _remove(path)
        if not any(map(os.path.lexists, mine)):  # else the next process sees by the lock's file that this one is dead
            with suppress(OSError):
                lock.release()


def _is_alive(cache: Path, name: str) -> bool:
    if not (cache / _ALIVE / f"{name}.lock").exists():
        return False
    try:
        lock = take_lock(cache / _ALIVE / name)
    except OutputError:  # read only: nobody can have marked anything
        return False
    if lock is not None:
        lock.leave()  # whoever sweeps needs its file
    return lock is None


def _sweep(cache: Path) -> None:
    """Costs next to nothing where nobody was killed."""
    dead: dict[str, Lock] = {}
    for path in (cache / _ALIVE).glob("*.lock"):
        with suppress(OutputError):  # the user's own
            lock = take_lock(path.with_suffix("")) if _LOCKING.fullmatch(path.name) else None
            if lock is not None:
                dead[path.stem] = lock
    if not dead:
        return
    rooms = [cache / room for room in _ROOMS]
    stays: set[str] = set()
    for path, owner in list(_owned([*rooms, *(inner for room in rooms for inner in room.glob("*") if inner.is_dir())])):
        if owner in dead or (not (cache / _ALIVE / f"{owner}.lock").exists() and _is_old(path)):
            _remove(path)
            stays |= {owner} if os.path.lexists(path) else set()
    for path in (path for room in rooms for path in room.glob("*.lock") if is_key(path.stem)):
        with suppress(OutputError):  # the user's own
            is_free(path.with_suffix(""))  # which removes it, if so
    for name, lock in dead.items():  # what could not be removed is for the next process, which sees it by the lock
        if name in stays:
            lock.leave()
        else:
            lock.release()


def _owned(folders: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """What in these folders bears the name of a process, and that name."""
    for folder in folders:
        for path in folder.glob("*"):
            owner = _TEMPORARY.fullmatch(path.name) or (is_key(folder.name) and _MARKING.fullmatch(path.name))
            if owner:
                yield path, owner[1]


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _OLD
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
