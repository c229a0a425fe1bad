"""What is kept in the cache, and what happens where it cannot be: the disk is full, read only, or somebody else's.

Keeping saves time and nothing else, so a run goes on without it and says so once. What must be a file (a model's
weights, the rows of a large matrix) goes to a folder of this process's own then, which it removes at its end.
"""

from __future__ import annotations

import atexit
import errno
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from headstart.errors import OutputError
from headstart.progress import note
from headstart.storage.living import temporary
from headstart.storage.locks import Lock, take_lock
from headstart.storage.places import as_utf8, cache_folder, cannot_write

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_CLOSED = {*_FULL, errno.EROFS, errno.EACCES, errno.EPERM}
_ELSEWHERE = "set HEADSTART_CACHE to a folder on another disk"
_SCRATCH = "headstart-scratch-"
_TRIES = 3
_ROOMIER = 1.1  # times what a model's weights take, its description may
_EVERYTHING = "what is computed"
_said: set[str] = set()
_elsewhere: dict[Path, Path] = {}  # what could not be written in the cache -> where it is for this process


def room(name: str) -> Path:
    """A folder of the cache by its name. Not there, and not to be made, where the place for it is full or read only.

    Raises:
        OutputError: `HEADSTART_CACHE` names no place for a folder.
    """
    return cache_root() / name


def cache_root() -> Path:
    """The cache folder, if it can be made.

    Raises:
        OutputError: as `room`.
    """
    try:
        return cache_folder()
    except OutputError as error:
        cause = error.__cause__
        if not (isinstance(cause, OSError) and cause.errno in _CLOSED):
            raise
        say_not_kept(_EVERYTHING, cause, Path(error.where), 0)
        return Path(error.where)


def write_kept(path: Path, content: bytes | str, *, unfinished: Path | None = None) -> None:
    """Write a file of the cache that is either complete or not there, also when the process is killed.

    Args:
        unfinished: its name until it is complete; None: one by which the cache knows whose it is.

    Raises:
        OutputError: no space, no permission.
    """
    data = as_utf8(content) if isinstance(content, str) else content
    unfinished = temporary(cache_root(), path) if unfinished is None else unfinished
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


@contextmanager
def unfinished_folder(beside: Path) -> Iterator[Path]:
    """A new folder beside another, to write in and to take out of; gone at the end, and so is what is left in it.

    Raises:
        OutputError: no space, no permission.
    """
    folder = temporary(cache_root(), beside)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(beside, error) from error
    try:
        with writing(beside):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """While something else than `write_kept` writes there: safetensors, say, has an error of its own for a full disk.

    Raises:
        OutputError: no space, no permission.
    """
    try:
        yield
    except Exception as error:
        cause = _of_the_system(error)
        if cause is None:
            raise
        raise cannot_write(path, cause) from cause


def in_a_folder(home: Path, write: Callable[[Path], None], *, what: str, size: int, say: bool = True) -> Path:
    """Where `write` wrote: `home` or, where the cache has no room, a folder of this process's own.

    Args:
        write: given the folder that it makes.
        what: it is, for the user. size: bytes that it needs, about. say: that it is not kept.

    Raises:
        OutputError: there is no room anywhere.
    """
    if home in _elsewhere:
        return _elsewhere[home]
    try:
        write(home)
        return home
    except OutputError as error:
        cause = error.__cause__
        if not isinstance(cause, OSError):
            raise
    other = scratch(size, what=what, instead_of=home.parent) / home.parent.name / home.name
    if say:
        say_not_kept(what, cause, home.parent, size)
    try:
        write(other)
    except OutputError as error:
        raise no_room(what, size, home.parent) from error
    _elsewhere[home] = other
    return other


def scratch(size: int, *, what: str, instead_of: Path) -> Path:
    """A folder of this process's own with room for so many bytes, where temporary files lie.

    Raises:
        OutputError: it has no room, or cannot be made.
    """
    try:
        folder = _scratch()
    except OSError as error:
        raise no_room(what, size, instead_of) from error
    if free_bytes(folder) < _ROOMIER * size:
        raise no_room(what, size, instead_of)
    return folder


def say_not_kept(what: str, error: BaseException, where: Path, size: int, *, fix: str | None = None) -> None:
    """One line on standard error, once a process: the run goes on, but the next one will have to do it again.

    Args:
        size: bytes that are needed, about. fix: what to do; None: to move the cache.
    """
    if getattr(error, "errno", None) == errno.EROFS:
        what = _EVERYTHING
    if {what, _EVERYTHING} & _said:
        return
    _said.add(what)
    full = getattr(error, "errno", None) in _FULL
    needed = f" ({megabytes(size)} needed, {megabytes(free_bytes(where))} free)" if full and size else ""
    reason = getattr(error, "strerror", None) or error
    note(f"{what} will not be kept: {where}: {reason}{needed}; {fix or _ELSEWHERE}")


def free_bytes(folder: Path) -> int:
    """Of the disk that a folder is on, or will be; 0 where nobody can write."""
    there = next((path for path in (folder, *folder.parents) if path.is_dir()), None)
    try:
        return 0 if there is None or not os.access(there, os.W_OK) else shutil.disk_usage(there).free
    except OSError:
        return 0


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.1f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"


def no_room(what: str, size: int, folder: Path) -> OutputError:
    """What a person reads where something must be a file, and has no place."""
    free = free_bytes(folder)
    return OutputError(
        f"no space: {what} needs about {megabytes(size)} and {megabytes(free)} are free",
        where=str(folder),
        fix=f"free some space, or {_ELSEWHERE}",
    )


def _of_the_system(error: Exception) -> OSError | None:
    """What the system said; safetensors tells that in words."""
    if isinstance(error, OSError):
        return error if error.errno in _CLOSED else None
    found = re.search(r"\bos error (\d+)|\bOs \{ code: (\d+)", str(error))  # the latter: safetensors before 0.6
    number = int(found[1] or found[2]) if found else 0
    return OSError(number, os.strerror(number)) if number in _CLOSED else None


_one_at_a_time = threading.Lock()


def _scratch() -> Path:
    with _one_at_a_time:
        return _made_scratch(os.getpid())


@cache
def _made_scratch(process: int) -> Path:
    """With a lock, by which the next process that makes one sees who is dead."""
    for left in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*/in-use.lock"):
        _remove_if_left(left)
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH))
        lock = take_lock(folder / "in-use")
        atexit.register(_remove, process, folder, lock)
        if lock is not None:  # else one that begins at this moment takes it for left, or nothing can be locked
            break
    return folder


def _remove_if_left(file: Path) -> None:
    with suppress(OSError, OutputError):
        folder = file.parent
        if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
            return
        lock = take_lock(file.with_suffix(""))
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()


def _remove(process: int, folder: Path, lock: Lock | None) -> None:
    if process == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            if lock is not None:
                lock.release()
