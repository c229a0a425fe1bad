"""Files that a browser sends, streamed to the disk: bounded in bytes, number and time, gone unless they are kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request

from headstart.serve.forms import FormReader
from headstart.serve.refused import RefusedError
from headstart.serve.routes import FORM, kind_of
from headstart.storage.places import cannot_write
from headstart.studio.limits import StudioLimits, refuse_full_disk
from headstart.studio.workspace import Workspace

_BLOCK = 2**20  # bytes that are written at a time
_BUSY = {"Retry-After": "2"}
_CLOSE = {"Connection": "close"}


@dataclass
class Upload:
    """A file that was sent, where it lies until somebody keeps it."""

    name: str  # as its sender called it
    path: Path
    most: int  # bytes
    size: int = 0
    _file: BinaryIO | None = field(default=None, repr=False)
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256, repr=False)

    @classmethod
    def of(cls, name: str, content: bytes, path: Path, *, most: int) -> Upload:
        """One that is in memory, written to a path."""
        with path.open("xb") as file:
            made = cls(name, path, most, _file=file)
            made.write(content)
        return made

    @property
    def too_large(self) -> bool:
        """Whether it was longer than files are; what lies on the disk is not all of it then."""
        return self.size > self.most

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Take the next bytes, of which only so many are kept as a file may have."""
        self.size += len(data)
        if self.too_large or self._file is None:
            return
        self._hash.update(data)
        self._file.write(data)


class Uploads:
    """Takes uploads, a few at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._under_way = workspace, 0

    @asynccontextmanager
    async def taken(self, request: Request, *, most_files: int, most_bytes: int) -> AsyncIterator[list[Upload]]:
        """The files of a form in a request, until the block ends.

        Args:
            most_bytes: of one file.

        Raises:
            RefusedError: it is no form, there is too much of it, it comes too slowly, or the disk is full.
        """
        kind_of(request, FORM)
        limits = self._workspace.limits
        if self._under_way >= limits.uploads:
            raise RefusedError(503, "too many uploads at once", fix="try again in a moment", headers=_BUSY)
        self._under_way += 1
        try:
            with self._workspace.room() as room, ExitStack() as open_file:

                def opened(name: str) -> Upload:
                    open_file.close()  # the one before: a process may have fewer open than a form has files
                    path = room / str(len(reader.files))
                    return Upload(name, path, most_bytes, _file=open_file.enter_context(path.open("xb")))

                reader = FormReader(request.headers["content-type"], most_files=most_files, opened=opened)
                await _read(request, reader, limits, room)
                open_file.close()
                yield reader.files
        finally:
            self._under_way -= 1


async def _read(request: Request, reader: FormReader[Upload], limits: StudioLimits, room: Path) -> None:
    said = request.headers.get("content-length", "")
    expected = int(said[:20]) if said.isdecimal() else 0
    if expected > limits.upload_bytes:
        raise _too_long(limits)
    refuse_full_disk(room, limits, more=expected)
    try:
        async with asyncio.timeout(limits.upload_seconds):
            await _read_pieces(request, reader, limits, room)
        await asyncio.to_thread(reader.finish)
    except TimeoutError:
        what = "the upload took too long"
        raise RefusedError(408, what, fix="send fewer files at a time", headers=_CLOSE) from None
    except ClientDisconnect:
        raise RefusedError(400, "the upload was cut off", fix="send it again") from None
    except OSError as error:
        raise cannot_write(room, error) from error


async def _read_pieces(request: Request, reader: FormReader[Upload], limits: StudioLimits, room: Path) -> None:
    pieces, total, held = aiter(request.stream()), 0, bytearray()
    while True:
        async with asyncio.timeout(limits.idle_seconds):
            piece = await anext(pieces, None)
        if piece is not None:
            total += len(piece)
            held += piece
            if total > limits.upload_bytes:
                raise _too_long(limits)
        if piece is None or len(held) >= _BLOCK:
            refuse_full_disk(room, limits)
            await asyncio.to_thread(reader.write, bytes(held))
            held.clear()
        if piece is None:
            return


def _too_long(limits: StudioLimits) -> RefusedError:
    what = f"the upload has more than {limits.upload_bytes / 2**20:,.0f} MB"
    return RefusedError(413, what, fix="send fewer files at a time", headers=_CLOSE)
