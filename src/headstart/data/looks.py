"""Photos looked at one by one, in chunks: the sha256 of each one's bytes and, where that is new, its fingerprint.

This process does it in threads, or others do (`data.elsewhere`); what comes of it is the same.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from headstart.data.alike.duplicates import SIDE, fingerprint
from headstart.data.alike.known import KnownImages
from headstart.data.elsewhere import SEEN, Look, Lookers, Looks, NoLook
from headstart.errors import DataError, UserError
from headstart.inputs.image import is_a_file, read_bytes, thumbnail
from headstart.inputs.packed import PackedPhoto
from headstart.storage.columns import in_blocks

F = TypeVar("F")  # what is said of a photo that cannot be used
Failure = DataError | OSError | MemoryError

CHUNK = 256, 128 * 2**20  # images, and bytes of theirs, in memory at a time; as many again are read meanwhile
_TASK = 256, 4 * 2**20  # that a thread reads at a time: handing over a small file takes longer than reading it


@dataclass(frozen=True)
class Seen(Generic[F]):
    """A chunk of photos that was looked at."""

    rows: list[int]
    digests: dict[int, bytes]  # by row: of those that could be read
    looks: dict[int, np.ndarray | F]  # by row: the fingerprint, or why there is none
    files: list[int]  # rows of files that were read for it
    new: list[int]  # rows whose content was not known before; a fingerprint or not


@dataclass(frozen=True)
class Looking(Generic[F]):
    """Photos that are to be looked at, and what is known of them before."""

    sources: Sequence[Any]
    known: KnownImages
    failed: Callable[[int, Failure], F]  # (row, what was raised): what is said of it
    workers: int  # threads

    def here(self, rows: np.ndarray) -> Iterator[Seen[F]]:
        """By this process; the next chunk is read while one is decoded."""
        chunks = _chunks(in_blocks(rows), (_size(self.sources[row]) for row in in_blocks(rows)), *CHUNK)
        with ThreadPoolExecutor(self.workers) as pool:

            def reading(chunk: _Chunk) -> Iterator[Any]:
                room = _Room(max(CHUNK[1], sum(chunk.sizes)))
                parts = [part.rows for part in _chunks(chunk.rows, chunk.sizes, *_TASK)]
                return chain.from_iterable(pool.map(partial(self._named, room.read), parts))

            chunk = next(chunks, None)
            ahead = iter(()) if chunk is None else reading(chunk)
            while chunk is not None:
                named = dict(zip(chunk.rows, ahead, strict=True))
                read = {row: there for row, there in named.items() if isinstance(there, _Read)}
                looks: dict[int, Any] = {**self.known.find({row: there.digest for row, there in read.items()})}
                new = [row for row in read if row not in looks]
                looked = pool.map(partial(self._attempt, _fingerprint), new, [read[row] for row in new])
                rows_of_chunk, chunk = chunk.rows, next(chunks, None)
                if chunk is not None:
                    ahead = reading(chunk)
                looks |= dict(zip(new, looked, strict=True))
                looks |= {row: there for row, there in named.items() if row not in read}
                digests = {row: there.digest for row, there in read.items()}
                files = [row for row, there in read.items() if there.from_file]
                del named, read, looked  # and the bytes, before the next ones are waited for
                yield Seen(rows_of_chunk, digests, looks, files, new)

    def elsewhere(self, rows: np.ndarray, lookers: Lookers) -> Iterator[Seen[F]]:
        """By others; what they cannot look at is done here, so that what is said of it is the same.

        Raises:
            UserError: one of them cannot read a file that is to be read here.
        """
        size = CHUNK[0]
        pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
        before: dict[int, tuple[dict[int, bytes], dict[int, np.ndarray]]] = {}

        def chunk(number: int) -> list[Any]:
            part = pieces[number].tolist()
            contents = zip(part, self.known.contents([self.sources[row] for row in part]), strict=True)
            digests = {row: content for row, content in contents if content is not None}
            before[number] = digests, self.known.find(digests)
            return [self.sources[row] for row in part if row not in before[number][1]]

        for number, seen in enumerate(lookers.look(len(pieces), chunk)):
            part, (digests, looks) = pieces[number].tolist(), before.pop(number)
            asked = [row for row in part if row not in looks]
            yield self._completed(part, dict(zip(asked, seen, strict=True)), digests, looks)

    def _completed(
        self,
        rows: list[int],
        seen: dict[int, Look | NoLook],
        digests: dict[int, bytes],
        looks: dict[int, Any],
    ) -> Seen[F]:
        """A chunk of which others have looked at some, the rest being known or still to be looked at."""
        lacking = {row: one for row, one in seen.items() if isinstance(one, NoLook)}
        found = {row: one for row, one in seen.items() if isinstance(one, Look)}
        digests |= {row: one.digest for row, one in found.items()}
        looks |= {row: one.fingerprint for row, one in found.items()}
        files = [row for row in found if is_a_file(self.sources[row])]
        for mine in self.here(np.array(list(lacking), dtype=np.int64)):
            digests |= mine.digests
            looks |= mine.looks
            files += mine.files
            for row in mine.digests:
                if lacking[row].unread:
                    raise UserError(lacking[row].unread, where=str(self.sources[row]), fix=SEEN)
        known = self.known.find({row: digests[row] for row in seen if row in digests})
        new = [row for row in seen if row in digests and row not in known]
        return Seen(rows, digests, {row: looks[row] for row in rows}, sorted(files), new)

    def _named(self, read: Callable[[Any], _Read], rows: list[int]) -> list[_Read | F]:
        contents = zip(rows, self.known.contents([self.sources[row] for row in rows]), strict=True)
        return [
            self._attempt(read, row) if content is None else _Read(content, None, False) for row, content in contents
        ]

    def _attempt(self, work: Callable[..., Any], row: int, *read: Any) -> Any:
        try:
            return work(self.sources[row], *read)
        except (DataError, OSError, MemoryError) as error:
            return self.failed(row, error)


def look_for_others(sources: Sequence[Any], known: KnownImages, *, who: str, workers: int) -> Looks:
    """What another process asked for.

    Args:
        who: this one is, in words.
    """

    def failed(_: int, error: Failure) -> NoLook:
        return NoLook(f"{who}: {error.strerror or error}" if isinstance(error, OSError) else "")

    looking, looks = Looking(sources, known, failed, workers), Looks()
    for seen in looking.here(np.arange(len(sources))):
        known.put({seen.digests[row]: look for row in seen.new if isinstance(look := seen.looks[row], np.ndarray)})
        for row in seen.rows:
            look = seen.looks[row]
            looks.append(look if isinstance(look, NoLook) else Look(seen.digests[row], look))
    return looks


class _Read(NamedTuple):
    """A photo that was read, or whose sha256 was known."""

    digest: bytes
    content: bytes | None  # of a file, to be decoded without reading it again, where there is room for them
    from_file: bool


class _Chunk(NamedTuple):
    """Some rows, and the bytes of each."""

    rows: list[int]
    sizes: list[int]


def _chunks(rows: Iterable[int], sizes: Iterable[int], most: int, most_bytes: int) -> Iterator[_Chunk]:
    """The rows in their order, at most so many and so many bytes together; a larger one alone."""
    chunk, filled = _Chunk([], []), 0
    for row, size in zip(rows, sizes, strict=True):
        if chunk.rows and (len(chunk.rows) == most or filled + size > most_bytes):
            yield chunk
            chunk, filled = _Chunk([], []), 0
        chunk.rows.append(row)
        chunk.sizes.append(size)
        filled += size
    if chunk.rows:
        yield chunk


def _size(source: Any) -> int:
    """Bytes of a file; 0 of what is in memory, and of what cannot be read, which is said when that is tried."""
    try:
        if isinstance(source, PackedPhoto):
            return source.size
        return os.stat(source).st_size if isinstance(source, str | Path) else 0
    except (OSError, ValueError):
        return 0


class _Room:
    """Bytes of photos that may be held at a time, whatever is said of their sizes; threads share it."""

    def __init__(self, size: int) -> None:
        self._left, self._lock = size, threading.Lock()

    def read(self, source: Any) -> _Read:
        """A photo's sha256, with its bytes if it is a file and there is room for them."""
        content, from_file = read_bytes(source), is_a_file(source)
        with self._lock:
            held = from_file and len(content) <= self._left
            self._left -= len(content) if held else 0
        return _Read(hashlib.sha256(content).digest(), content if held else None, from_file)


def _fingerprint(source: Any, read: _Read) -> np.ndarray:
    content = read.content
    if content is None and read.from_file:  # there was no room for it
        content = read_bytes(source)
        if hashlib.sha256(content).digest() != read.digest:
            raise DataError("changed while it was being read by this run")
    return fingerprint(*thumbnail(source, content=content, side=SIDE))
