"""The members of a tar, from its headers alone: their names, and where their bytes lie. Nothing is unpacked.

`tarfile` opens as many objects as there are members, and takes as much memory for what stands before one (a long name,
attributes of pax) as that says. So headers are read here, with its numbers and types. A name is never a path.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from headstart.errors import DataError

_BLOCK = tarfile.BLOCKSIZE
_LONGEST_NAME = 2**16  # bytes
_MOST_ATTRIBUTES = 2**20  # bytes before one member
_READ = 2**20
_MOST_FILLING = 2**20  # bytes of zeros behind the last member: tar fills up records, of 10 KB mostly
_SPARSE = "GNU.sparse."  # how attributes begin of files with holes
_COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"(\xb5/\xfd": "unzstd"}


class Member(NamedTuple):
    """A regular file in a tar."""

    name: str
    offset: int  # of its first byte
    size: int


class _Header(NamedTuple):
    """What of a header says where its member lies."""

    name: str
    size: int
    type: bytes

    @property
    def is_file(self) -> bool:
        return self.type in tarfile.REGULAR_TYPES and self.type != tarfile.GNUTYPE_SPARSE


class BadHeader(Exception):
    """What comes next in a tar cannot be read, though there is more of it."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at, self.what = at, what


class Members:
    """Goes through the regular files of a tar, one header after the other; counts what else is in it."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        """Args: file: opened. size: its bytes."""
        self._file, self._path, self._size = file, path, size
        self.others = 0  # links, devices and files with holes

    def __iter__(self) -> Iterator[Member]:
        """Raises DataError where the file is no tar from its beginning on, BadHeader where one of it is damaged."""
        at, name, attributes = 0, "", dict[str, str]()
        while at < self._size:
            header = self._header(at)
            if header is None:
                self._refuse_more(at)
                return
            at, start = at + _BLOCK, at
            if header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
                long = self._before(at, header.size, _LONGEST_NAME, start)
                name = _text(long.split(b"\0")[0]) if header.type == tarfile.GNUTYPE_LONGNAME else name
                at = _behind(at, header.size)
                continue
            if header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                attributes = _attributes(self._before(at, header.size, _MOST_ATTRIBUTES, start), start)
                at = _behind(at, header.size)
                continue
            if header.type == tarfile.GNUTYPE_SPARSE:
                at = self._behind_map(at, start)
            regular = header.type in tarfile.REGULAR_TYPES
            size = _size(attributes, header.size, start) if regular else header.size
            has_data = regular or header.type not in tarfile.SUPPORTED_TYPES
            behind = _behind(at, size) if has_data else at
            if has_data and at + size > self._size:
                what = f"{header.name[:60]!r} of {size:,} bytes, of which {max(0, self._size - at):,} are there"
                raise BadHeader(start, what)
            called = attributes.get("path") or name or header.name
            if header.is_file and not any(key.startswith(_SPARSE) for key in attributes):
                if not called.endswith("/"):  # as folders were before they had a type
                    yield Member(called, at, size)
            elif header.type not in (tarfile.DIRTYPE, tarfile.XGLTYPE):
                self.others += 1
            at, name, attributes = behind, "", {}
        raise BadHeader(at, "the blocks that end a tar are missing")

    def _refuse_more(self, at: int) -> None:
        """Raises BadHeader where there is more behind the end than what fills up a record."""
        self._file.seek(at)
        behind = at
        while block := self._file.read(_READ):
            if block.strip(b"\0"):
                raise BadHeader(
                    at, "there is more behind the zeros that end a tar (`cat` joins none: tar --concatenate)"
                )
            behind += len(block)
        if behind - at > _MOST_FILLING:
            raise BadHeader(at, f"nothing but zeros in the last {behind - at:,} bytes")

    def _header(self, at: int) -> _Header | None:
        """The header at this byte; None: the tar ends there."""
        self._file.seek(at)
        block = self._file.read(_BLOCK)
        if len(block) < _BLOCK and at:
            raise BadHeader(at, "cut off within a header")
        try:
            said, size = _number(block[148:156]), _number(block[124:136])
            sums = sum(block) - sum(block[148:156]) + 8 * ord(" ")
        except (tarfile.HeaderError, IndexError, ValueError):  # type: ignore[attr-defined]
            sums, said, size = 0, 1, 0
        if sums != said or len(block) < _BLOCK:
            if len(block) == _BLOCK and not block.strip(b"\0"):
                return None
            if at:
                raise BadHeader(at, "no header where one should be")
            raise _no_tar(self._path, block)
        if size < 0:
            raise BadHeader(at, f"a member of {size} bytes")
        name = block[:100].split(b"\0", 1)[0]
        if block[257:265] == tarfile.POSIX_MAGIC and block[345]:  # GNU has other things there
            name = block[345:500].split(b"\0", 1)[0] + b"/" + name
        return _Header(_text(name), size, block[156:157])

    def _before(self, at: int, size: int, most: int, start: int) -> bytes:
        """What is written before a header about it."""
        if size > most:
            raise BadHeader(start, f"{size:,} bytes about one member, more than {most:,}")
        self._file.seek(at)
        content = self._file.read(size)
        if len(content) < size:
            raise BadHeader(start, "cut off within a header")
        return content

    def _behind_map(self, at: int, start: int) -> int:
        """Where the bytes begin of a file with holes, behind the blocks that say where these are."""
        self._file.seek(at - _BLOCK)
        more = self._file.read(_BLOCK)[482:483] not in (b"\0", b"")
        while more:
            block = self._file.read(_BLOCK)
            if len(block) < _BLOCK:
                raise BadHeader(start, "cut off within a header")
            more, at = block[504:505] not in (b"\0", b""), at + _BLOCK
        return at


def _no_tar(path: Path, block: bytes) -> DataError:
    """Why a file is no tar that can be read."""
    for magic, command in _COMPRESSED.items():
        if block.startswith(magic):
            what = "a compressed tar, in which nothing can be reached but through all that comes before it"
            return DataError(what, where=str(path), fix=f"unpack the tar itself, not what is in it: {command}")
    what = "empty" if not block else "not a tar"
    return DataError(what, where=str(path), fix="tar cf makes one; a sample is files of one name up to the first dot")


def _attributes(content: bytes, start: int) -> dict[str, str]:
    """The records of pax before a header: each is its own length, a key and a value."""
    found: dict[str, str] = {}
    at = 0
    while at < len(content) and content[at]:
        digits = content[at : at + 20].split(b" ")[0]
        length = int(digits) if digits.isdigit() else 0
        record = content[at + len(digits) + 1 : at + length - 1]
        key, sign, value = record.partition(b"=")
        if not length or not sign or at + length > len(content):
            raise BadHeader(start, "attributes that are none")
        found[_text(key)] = _text(value)
        at += length
    return found


def _size(attributes: dict[str, str], size: int, start: int) -> int:
    """Of a member, as its attributes say where they do: a header has no room for more than 8 GiB."""
    said = attributes.get("size")
    if said is None:
        return size
    if not (said.isascii() and said.isdigit() and len(said) < 20):
        raise BadHeader(start, f"a size of {said[:40]!r}")
    return int(said)


def _number(field: bytes) -> int:
    """A number of a header, in octal digits or as GNU has larger ones; raises tarfile's own errors."""
    return int(tarfile.nti(field))  # type: ignore[attr-defined]


def _text(content: bytes) -> str:
    return content.decode("utf-8", "backslashreplace")


def _behind(at: int, size: int) -> int:
    return at + -(-size // _BLOCK) * _BLOCK
