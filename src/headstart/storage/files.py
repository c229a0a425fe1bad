"""Files that somebody else made, opened only where they are regular files of a bounded size.

A name in a data folder, a table or a saved folder may be a named pipe, which waits for ever, a device without an end
or a sparse file of 200 GB. Whatever is wrong is an OSError whose `strerror` a person can read, so that one `except
OSError` covers it together with what the system has to say.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

MOST_JSON = 256 * 2**20  # bytes: a tokenizer.json has 35 MB, the facts of a fit with 100,000 findings 20
_GROWTH = 1 << 20  # bytes by which a file may be longer than the system says: those of /proc are said to have none
_BLOCK = 1 << 20  # bytes
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def user_path(typed: str | Path) -> Path:
    """The path that was typed or read from a table, with ~ resolved.

    Raises:
        OSError: no path: a NUL or half a character in it, or the home of somebody who is not known here.
    """
    text = os.fspath(typed)
    if not text:  # of a variable of the shell that is not set: not the working folder
        raise OSError(errno.EINVAL, "an empty name", text)
    try:
        if b"\0" in os.fsencode(text):
            raise OSError(errno.EINVAL, "a path with a NUL character in it", text)
        return Path(text).expanduser()
    except UnicodeEncodeError:
        raise OSError(errno.EINVAL, "a path with half a character in it", text) from None
    except RuntimeError:
        raise OSError(errno.ENOENT, "nobody of this name has a home folder here", text) from None


def resolved(typed: str | Path) -> Path:
    """The absolute path that was typed, without links; whether or not anything lies there.

    Raises:
        OSError: as `user_path`; or links in a circle, or no working folder to start from.
    """
    try:
        return user_path(typed).resolve()
    except RuntimeError:
        raise OSError(errno.ELOOP, "links that lead in a circle", str(typed)) from None


def is_there(typed: str | Path) -> bool:
    """Whether something lies at the path: nothing does where it is too long, goes in circles or is no path at all."""
    try:
        user_path(typed).stat()
    except OSError:
        return False
    return True


def open_file(path: str | Path, *, most: int, links: bool = True) -> BufferedReader:
    """Open a regular file of at most `most` bytes for reading; never waits for a writer.

    Args:
        links: whether the file itself may be a link to one elsewhere.

    Raises:
        OSError: not there, not to be read, no regular file, or too large.
    """
    return BufferedReader(open_unbuffered(path, most=most, links=links))


def open_unbuffered(path: str | Path, *, most: int, links: bool = True) -> FileIO:
    """As `open_file`, for who reads much at a time: nothing is read ahead. Raises OSError as that."""
    place = user_path(path)
    if not links and place.is_symlink():
        raise OSError(errno.ELOOP, "a link, not a file", str(place))
    wait_for_nobody = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(place, os.O_RDONLY | wait_for_nobody)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise OSError(errno.EINVAL, f"{kind}, not a file", str(place))
        if status.st_size > most:
            raise OSError(errno.EFBIG, f"{status.st_size:,} bytes, more than {most:,}", str(place))
        return FileIO(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file(path: str | Path, *, most: int, links: bool = True) -> bytes:
    """The content of a regular file, which may not grow by much meanwhile, nor above `most` bytes.

    Raises:
        OSError: as `open_file`.
    """
    with open_file(path, most=most, links=links) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1) or b""  # not `most`: that much memory would be taken, whatever the file has
        allowed = min(most, size + _GROWTH)
        if len(content) > size:
            content += file.read(allowed + 1 - len(content)) or b""
    if len(content) > allowed:
        raise _longer_than_said(path, size, allowed)
    return content


def read_blocks(path: str | Path, *, most: int) -> Iterator[bytes]:
    """As `read_file`, for what does not fit into memory: block by block, all of them of the file that was looked at.

    Raises:
        OSError: as `open_file`.
    """
    with open_file(path, most=most) as file:
        size = os.fstat(file.fileno()).st_size
        allowed, count = min(most, size + _GROWTH), 0
        while block := file.read(_BLOCK):
            count += len(block)
            if count > allowed:
                raise _longer_than_said(path, size, allowed)
            yield block


def sha256_of(path: str | Path, *, most: int) -> str:
    """The sha256 of a regular file of at most `most` bytes, in hexadecimal.

    Raises:
        OSError: as `open_file`.
    """
    seen = hashlib.sha256()
    for block in read_blocks(path, most=most):
        seen.update(block)
    return seen.hexdigest()


def _longer_than_said(path: str | Path, size: int, allowed: int) -> OSError:
    return OSError(errno.EFBIG, f"more than {allowed:,} bytes, where it was said to have {size:,}", str(path))


def read_json(path: str | Path, *, most: int = MOST_JSON) -> Any:
    """What a file of JSON holds; a byte order mark is let through.

    Raises:
        OSError: as `open_file`. ValueError: not UTF-8, not JSON, or nested too deep.
    """
    return parse_json(read_file(path, most=most))


def parse_json(content: bytes | str) -> Any:
    """What JSON holds.

    Raises:
        ValueError: not UTF-8, not JSON, or nested too deep.
    """
    text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
