"""What a user typed where a file or a folder is wanted."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from headstart.errors import DataError
from headstart.storage.files import user_path

_ARCHIVES = (".zip", ".7z", ".rar")
_COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def is_address(given: object) -> bool:
    """Whether it begins as an address does: s3://, https://."""
    return _URL.match(str(given)) is not None


def local_path(given: str | Path) -> Path:
    """The path that was typed, with ~ resolved.

    Raises:
        DataError: an address, or no path at all.
    """
    if is_address(given):
        fix = "download it first; data to learn from, and files to predict from a command, may be at an address"
        raise DataError("an address, and a file is wanted here", where=str(given), fix=fix)
    try:
        return user_path(given)
    except OSError as error:
        raise DataError(error.strerror or str(error), where=str(given), fix="check the path") from None


def existing(given: str | Path) -> Path:
    """As `local_path`, of something that is there.

    Raises:
        DataError: nothing is, or an archive; or the name is too long, goes in circles, or is behind a folder that may
            not be read.
    """
    path = local_path(given)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError("no such file or folder", where=str(given), fix="check the path") from None
    except OSError as error:
        raise DataError(error.strerror or str(error), where=str(given), fix="check the path") from None
    if path.name.lower().endswith(_COMPRESSED_TARS) and is_file(path):
        what = "a compressed tar, in which nothing can be reached but through all that comes before it"
        fix = "gunzip (bunzip2, unxz, unzstd) it: a .tar is read as it is; or unpack it, and name what was in it"
        raise DataError(what, where=str(given), fix=fix)
    if path.name.lower().endswith(_ARCHIVES) and is_file(path):
        raise DataError("an archive", where=str(given), fix="unpack it, and name the folder or file that was in it")
    return path


def as_named(path: str | Path) -> str | Path:
    """A path that data name: ~ is no home in it."""
    return Path.cwd() / path if str(path).startswith("~") else path


def is_file(path: Path) -> bool:
    """Whether a regular file is there, or a link to one."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether a folder is there, or a link to one."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0
