"""A photo within a larger file: a member of a tar, or a cell of a table that has the bytes of its photos."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from headstart.inputs.paths import as_named
from headstart.storage.files import open_file
from headstart.storage.spool import Spool

MOST_BYTES = 2**30  # of a photo: 100 megapixels of four 16-bit channels have 800 MB as they are
MOST_OF_AN_ARCHIVE = 2**44  # bytes of a file that photos lie in


@dataclass(frozen=True, slots=True)
class Block:
    """Photos that are unpacked together, whichever of them is read, and kept unpacked for a while."""

    file: str
    number: int  # in the file
    share: float  # of the room for blocks that are kept: once more is read than fits there, the first ones go


@dataclass(frozen=True, slots=True)
class PackedPhoto(ABC):
    """A photo within a larger file, which is read when the photo is."""

    file: str
    size: int  # bytes, or about so many where nobody has counted them
    name: str  # where it is, for people: "train-003.tar 000123.jpg"

    @abstractmethod
    def read(self) -> bytes:
        """The bytes of the photo's own file.

        Raises:
            OSError: the larger file is not there, no regular file, or shorter than it was. DataError: it has no photo.
        """

    @property
    def block(self) -> Block | None:
        """What is unpacked to read it; None: it is read by itself."""
        return None

    def __str__(self) -> str:
        return self.name


def block_of(source: Any) -> Block | None:
    """What is unpacked to read an input, whatever it is; None: it is read by itself."""
    block: Block | None = getattr(source, "block", None)
    return block


@dataclass(frozen=True, slots=True)
class PhotoInFile(PackedPhoto):
    """A photo that lies in one piece within a file."""

    offset: int  # of its first byte

    def read(self) -> bytes:
        """The bytes of the photo's own file; raises OSError as `PackedPhoto.read`."""
        return read_piece(self.file, self.offset, self.size, most=MOST_BYTES)


@dataclass(frozen=True, slots=True)
class PhotoInSpool(PackedPhoto):
    """A photo that came once, and was written down."""

    offset: int
    spool: Spool

    def read(self) -> bytes:
        """The bytes of the photo's own file; raises OSError where the disk does."""
        content = self.spool.read(self.offset, self.size)
        if len(content) < self.size:
            raise OSError(errno.EIO, "what was written down of it is no longer there", self.name)
        return content

    def __reduce__(self) -> tuple[type[PhotoInMemory], tuple[str, int, str, bytes]]:
        """Another process has no such spool: it is given the bytes."""
        return PhotoInMemory, (self.file, self.size, self.name, self.read())


@dataclass(frozen=True, slots=True)
class PhotoInMemory(PackedPhoto):
    """A photo that came from another process."""

    content: bytes

    def read(self) -> bytes:
        """The bytes of the photo's own file."""
        return self.content


def read_piece(file: str, offset: int, size: int, *, most: int) -> bytes:
    """So many bytes of a file from this one on.

    Raises:
        OSError: the file is not there, no regular file, or ends before; or the piece has more than `most` bytes.
    """
    if size > most:
        raise OSError(errno.EFBIG, f"{size:,} bytes, more than {most:,}", file)
    with open_file(as_named(file), most=MOST_OF_AN_ARCHIVE) as opened:
        opened.seek(offset)
        content = opened.read(size)
    if len(content) < size:
        raise OSError(errno.EIO, "the file that it lies in is shorter than it was", file)
    return content
