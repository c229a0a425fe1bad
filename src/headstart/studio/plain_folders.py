"""Folders that are what they seem: nothing in them is a link to somewhere else, a pipe or a device."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from headstart.errors import short_name
from headstart.studio.facts import DamagedError

_FIX = "put the files themselves in its place, or move it away"
FOLDER, A_FILE = stat.S_IFDIR, stat.S_IFREG
_WORDS = {FOLDER: "not a folder", A_FILE: "not a file"}


def refuse_other_kinds(folder: Path, kinds: Mapping[str, int]) -> None:
    """Raises DamagedError where what has one of these names in a folder is neither missing nor what it should be."""
    for name, kind in kinds.items():
        found = _kind(folder / name)
        if found not in (None, kind):
            what = "a link, which leads nowhere here" if found == stat.S_IFLNK else _WORDS[kind]
            raise DamagedError(f"{short_name(name)} is {what}", where=folder.name, fix=_FIX)


def inside(top: Path, name: str) -> Path:
    """A file or folder below a folder, of its name in a file that may be a stranger's.

    Raises:
        DamagedError: it is not below, or something is a link, on the way to it or in it.
    """
    path, place = PurePosixPath(name), top
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise DamagedError(f"{short_name(name)} is not in the project's folder", where=top.name)
    for part in path.parts:
        place /= part
        _refuse_odd(place, top)
    for odd in _below(place):
        _refuse_odd(odd, top)
    return place


def is_file(path: Path) -> bool:
    """Whether a file is there, and no link to one."""
    return _kind(path) == A_FILE


def _refuse_odd(place: Path, top: Path) -> None:
    if _kind(place) not in (None, FOLDER, A_FILE):
        shown = short_name(place.relative_to(top).as_posix())
        raise DamagedError(f"{shown} is a link or not a file, and leads nowhere here", where=top.name, fix=_FIX)


def _below(folder: Path) -> Iterator[Path]:
    """What is neither a file nor a folder, however deep it lies."""
    waiting = [folder] if _kind(folder) == FOLDER else []
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def _kind(path: Path) -> int | None:
    """What lies there; None: nothing."""
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return None
