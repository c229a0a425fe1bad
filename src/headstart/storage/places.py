"""Where headstart keeps its cache, and what is written as text: UTF-8, whatever it holds."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

from headstart.errors import OutputError
from headstart.storage.files import user_path

_BYTE = re.compile("[\udc80-\udcff]")  # what Python makes of a file name's byte that is no UTF-8
_KEY = re.compile(r"[0-9a-f]{24}(-\d+)?")  # names of folders that are made in the cache
_HELD = (".json", ".safetensors", ".rows", ".use", ".tmp")  # ends of names of files in the cache's folders
_SHARDS = re.compile(r"shards-\d{6,}|\.shards-\d{6,}\..+\.tmp")  # names of folders in them, and ends of names therein
_IN_SHARDS = (".npy", ".parquet", ".json", ".tmp")
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def cache_folder() -> Path:
    """`HEADSTART_CACHE`, or the platform's user cache; made where it is not there.

    Raises:
        OutputError: it cannot be made.
    """
    named = os.environ.get("HEADSTART_CACHE")
    if not named:
        import platformdirs

        named = platformdirs.user_cache_dir("headstart", appauthor=False)
    folder = Path(named)
    try:
        folder = user_path(named)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the cache folder cannot be made: {error.strerror}",
            where=str(folder),
            fix="set HEADSTART_CACHE to a folder that can be written",
        ) from error
    return folder


def is_key(name: str) -> bool:
    """Whether a folder of the cache has a name that headstart gives. `HEADSTART_CACHE` may be a place with folders
    `runs` and `features` of the user's own: what has another name in there is nobody's to remove."""
    return _KEY.fullmatch(name) is not None


def is_ours(folder: Path) -> bool:
    """Whether a folder of the cache is headstart's, by its name and by what is in it: other tools, too, name the
    folders of their runs by 24 hexadecimal digits."""
    if not is_key(folder.name) or folder.is_symlink():
        return False
    try:
        with os.scandir(folder) as entries:
            return all(map(_is_held, entries))
    except OSError:  # a file, or gone
        return False


def _is_held(entry: os.DirEntry[str]) -> bool:
    """Whether something in a folder of the cache may be headstart's."""
    if entry.is_file(follow_symlinks=False):
        return entry.name.endswith(_HELD)
    if not entry.is_dir(follow_symlinks=False) or _SHARDS.fullmatch(entry.name) is None:
        return False
    with os.scandir(entry) as inner:
        return all(one.name.endswith(_IN_SHARDS) and one.is_file(follow_symlinks=False) for one in inner)


def cannot_write(path: Path, error: Exception) -> OutputError:
    """What a person reads of an error of the system."""
    number, reason = getattr(error, "errno", None), getattr(error, "strerror", None)
    fix = (
        "free some space, or choose another place" if number == errno.ENOSPC else "choose a folder that can be written"
    )
    return OutputError(f"cannot write: {reason or error}", where=str(path), fix=fix)


def as_utf8(text: str) -> bytes:
    """What is written or printed. UTF-8 has no halves of characters, and JSON may hold them.

    Those that stand for a file name's bytes are these bytes again, or the name would not be that of the file; any other
    is U+FFFD, the replacement character.
    """
    return _HALF.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """JSON that is UTF-8 whatever it holds: what stands for a file name's bytes is escaped, and read as it was."""
    text = _HALF.sub("\ufffd", json.dumps(value, indent=indent, ensure_ascii=False))
    return _BYTE.sub(lambda byte: f"\\u{ord(byte[0]):04x}", text) + "\n"
