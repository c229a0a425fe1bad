"""Photos looked at one by one: can they be read, and what of them tells which are the same or nearly so."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from headstart.data.alike.duplicates import FINGERPRINT, SIDE, fingerprint, guessed_ranges, tiny
from headstart.data.alike.known import KnownImages
from headstart.errors import DataError, shortened
from headstart.inputs.image import is_a_file, read_bytes, thumbnail
from headstart.inputs.modality import Inspected
from headstart.inputs.packed import PackedPhoto
from headstart.inputs.ready import ReadyPhoto
from headstart.storage.columns import in_blocks
from headstart.storage.rows_of_bytes import room_for, take
from headstart.values import Dataset, Finding

_CHUNK = 256, 128 * 2**20  # images, and bytes of theirs, in memory at a time; as many again are read meanwhile
_ADDRESS = re.compile(r"(^|/)[a-z][a-z0-9+.-]+:/+[^/]", re.IGNORECASE)  # also behind a folder, as one slash
_LONGEST = 200  # characters of a path that is shown
_TASK = 256, 4 * 2**20  # that a thread reads at a time: handing over a small file takes longer than reading it


def inspect_images(
    dataset: Dataset,
    rows: np.ndarray,
    *,
    known: KnownImages,
    workers: int,
    advance: Callable[[int], None],
) -> Inspected:
    """Hash every file, decode those whose content is new from the same bytes; in chunks, so that memory stays bounded.

    The next chunk is read while this one is decoded. What is ready for a model was decoded before.
    """
    if any(isinstance(dataset.inputs[row], ReadyPhoto) for row in in_blocks(rows)):
        return _of_ready(dataset, rows)

    def attempt(work: Callable[..., Any], row: int, *read: Any) -> Any:
        try:
            return work(dataset.inputs[row], *read)
        except (DataError, OSError, MemoryError) as error:
            reason = reason_of(dataset.inputs[row], error)
        return Finding("unreadable", dataset.where[row], reason, rejected=True)

    def name(part: list[int]) -> list[Any]:
        contents = zip(part, known.contents([dataset.inputs[row] for row in part]), strict=True)
        return [attempt(_named, row) if content is None else (content, None) for row, content in contents]

    def reading(chunk: _Chunk) -> Iterator[Any]:
        return chain.from_iterable(pool.map(name, [part.rows for part in _chunks(chunk.rows, chunk.sizes, *_TASK)]))

    look, done, found = partial(attempt, _fingerprint), 0, list[Finding]()
    keep, digests = np.empty(len(rows), dtype=np.int64), np.empty((len(rows), 32), dtype=np.uint8)
    hashes = room_for(len(rows), FINGERPRINT)
    chunks = _chunks(in_blocks(rows), (_size(dataset.inputs[row]) for row in in_blocks(rows)), *_CHUNK)
    with ThreadPoolExecutor(workers) as pool:
        chunk = next(chunks, None)
        ahead = iter(()) if chunk is None else reading(chunk)
        while chunk is not None:
            named = dict(zip(chunk.rows, ahead, strict=True))
            read = {row: there for row, there in named.items() if not isinstance(there, Finding)}
            seen: dict[int, Any] = {**known.find({row: digest for row, (digest, _) in read.items()})}
            new = [row for row in read if row not in seen]
            looked = pool.map(look, new, *zip(*(read[row] for row in new), strict=True)) if new else iter(())
            n, chunk = len(chunk.rows), next(chunks, None)
            if chunk is not None:
                ahead = reading(chunk)
            seen |= dict(zip(new, looked, strict=True))
            found += [what for row, there in named.items() if isinstance(what := seen.get(row, there), Finding)]
            usable = [row for row in read if not isinstance(seen[row], Finding)]
            here = slice(done, done := done + len(usable))
            if usable:
                keep[here], hashes[here] = usable, np.stack([seen[row] for row in usable])
                digests[here] = np.frombuffer(b"".join(read[row][0] for row in usable), np.uint8).reshape(-1, 32)
            known.read({dataset.inputs[row]: digest for row, (digest, content) in read.items() if content is not None})
            known.put({read[row][0]: seen[row] for row in new if not isinstance(seen[row], Finding)})
            advance(n)
    known.keep()
    hashes = hashes if done == len(rows) else take(hashes, np.arange(done))
    for place, (width, height) in tiny(hashes).items():
        reason = f"{width} x {height} pixels, in which there is hardly a picture; it is used all the same"
        found.append(Finding("tiny", dataset.where[int(keep[place])], reason))
    return Inspected(keep[:done], digests[:done], hashes, found, guessed_ranges(hashes))


def _of_ready(dataset: Dataset, rows: np.ndarray) -> Inspected:
    """Of photos that are asked about: nobody wants to know which of these are alike."""
    odd = np.array([isinstance(dataset.inputs[row], DataError) for row in in_blocks(rows)], dtype=bool)
    found = [
        Finding("unreadable", dataset.where[row], dataset.inputs[row].what, rejected=True)
        for row in in_blocks(rows[odd])
    ]
    digests = b"".join(dataset.inputs[row].digest for row in in_blocks(rows[~odd]))
    hashes = np.zeros((len(rows) - len(found), FINGERPRINT), dtype=np.uint8)
    return Inspected(rows[~odd], np.frombuffer(digests, np.uint8).reshape(-1, 32), hashes, found)


def reason_of(source: Any, error: DataError | OSError | MemoryError) -> str:
    """Why a photo cannot be read, in words."""
    if isinstance(error, DataError):
        return error.what
    if isinstance(error, FileNotFoundError):
        return _not_there(source, error)
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not enough memory to read it"


def _not_there(path: Any, error: FileNotFoundError) -> str:
    """Why there is no photo at a path: what was tried, and what else is called so there."""
    if isinstance(path, PackedPhoto):
        return f"{error.strerror}: {shortened(path.file, _LONGEST)}"
    address = _ADDRESS.search(str(path))
    if address:
        return f"an address, from which nothing is fetched: {shortened(str(path)[address.end(1) :], _LONGEST)}"
    return f"{error.strerror}: {shortened(str(path), _LONGEST)}{_called_alike(path)}"


def _called_alike(path: Any) -> str:
    """What stands in the folder under this name with other capitals or another ending, in words; empty: nothing."""
    wanted = Path(path)
    try:
        with os.scandir(wanted.parent) as entries:
            names = sorted(one.name for one in entries if Path(one.name).stem.casefold() == wanted.stem.casefold())
    except OSError:
        return ""
    return f", but {names[0]} is there" if names else ""


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


def _named(source: Any) -> tuple[bytes, bytes | None]:
    """The sha256 of an image's bytes; and these, if it is a file, to be decoded without reading it again."""
    content = read_bytes(source)
    return hashlib.sha256(content).digest(), content if is_a_file(source) else None


def _fingerprint(source: Any, _: bytes, content: bytes | None) -> np.ndarray:
    return fingerprint(*thumbnail(source, content=content, side=SIDE))
