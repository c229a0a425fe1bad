"""Photos looked at one by one: can they be read, and what of them tells which are the same or nearly so."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.alike.duplicates import FINGERPRINT, SIDE, fingerprint, guessed_ranges, tiny
from headstart.data.alike.known import KnownImages
from headstart.errors import DataError, shortened
from headstart.inputs.image import read_bytes, thumbnail
from headstart.inputs.modality import Inspected
from headstart.inputs.ready import ReadyPhoto
from headstart.values import Dataset, Finding

_CHUNK = 256, 128 * 2**20  # images, and bytes of theirs, in memory at a time; as many again are read meanwhile
_ADDRESS = re.compile(r"(^|/)[a-z][a-z0-9+.-]+:/+[^/]", re.IGNORECASE)  # also behind a folder, as one slash
_LONGEST = 200  # characters of a path that is shown
_TASK = 256, 4 * 2**20  # that a thread reads at a time: handing over a small file takes longer than reading it


def inspect_images(
    dataset: Dataset,
    rows: list[int],
    rejected: list[Finding],
    *,
    known: KnownImages,
    workers: int,
    advance: Callable[[int], None],
) -> Inspected:
    """Hash every file, decode those whose content is new from the same bytes; in chunks, so that memory stays bounded.

    The next chunk is read while this one is decoded. What is ready for a model was decoded before.
    """
    if any(isinstance(dataset.inputs[row], ReadyPhoto) for row in rows):
        return _of_ready(dataset, rows, rejected)

    def attempt(work: Callable[..., Any], row: int, *read: Any) -> Any:
        try:
            return work(dataset.inputs[row], *read)
        except (DataError, OSError, MemoryError) as error:
            reason = reason_of(dataset.inputs[row], error)
        return Finding("unreadable", dataset.where[row], reason, rejected=True)

    def name(part: list[int]) -> list[Any]:
        return [attempt(_named, row) for row in part]

    sizes = {row: _size(dataset.inputs[row]) for row in rows}
    look = partial(attempt, _fingerprint)
    keep: list[int] = []
    digests = np.empty((len(rows), 32), dtype=np.uint8)
    hashes = np.empty((len(rows), FINGERPRINT), dtype=np.uint8)
    chunks = _parts(rows, sizes, *_CHUNK)
    with ThreadPoolExecutor(workers) as pool:
        ahead = pool.map(name, _parts(chunks[0], sizes, *_TASK)) if chunks else iter(())
        for number, chunk in enumerate(chunks):
            named = dict(zip(chunk, chain.from_iterable(ahead), strict=True))
            read = {row: there for row, there in named.items() if not isinstance(there, Finding)}
            found: dict[int, Any] = {**known.find({row: digest for row, (digest, _) in read.items()})}
            new = [row for row in read if row not in found]
            looked = pool.map(look, new, *zip(*(read[row] for row in new), strict=True)) if new else iter(())
            if number + 1 < len(chunks):
                ahead = pool.map(name, _parts(chunks[number + 1], sizes, *_TASK))
            found |= dict(zip(new, looked, strict=True))
            for row in chunk:
                seen = found.get(row, named[row])
                if isinstance(seen, Finding):
                    rejected.append(seen)
                    continue
                digests[len(keep)], hashes[len(keep)] = np.frombuffer(read[row][0], np.uint8), seen
                keep.append(row)
            known.put({read[row][0]: found[row] for row in new if not isinstance(found[row], Finding)})
            advance(len(chunk))
    known.keep()
    for place, (width, height) in tiny(hashes[: len(keep)]).items():
        reason = f"{width} x {height} pixels, in which there is hardly a picture; it is used all the same"
        rejected.append(Finding("tiny", dataset.where[keep[place]], reason))
    return Inspected(keep, digests[: len(keep)], hashes[: len(keep)], guessed_ranges(hashes[: len(keep)]))


def _of_ready(dataset: Dataset, rows: list[int], rejected: list[Finding]) -> Inspected:
    """Of photos that are asked about: nobody wants to know which of these are alike."""
    keep = [row for row in rows if not isinstance(dataset.inputs[row], DataError)]
    for row in sorted(set(rows) - set(keep)):
        rejected.append(Finding("unreadable", dataset.where[row], dataset.inputs[row].what, rejected=True))
    digests = b"".join(dataset.inputs[row].digest for row in keep)
    hashes = np.zeros((len(keep), FINGERPRINT), dtype=np.uint8)
    return Inspected(keep, np.frombuffer(digests, np.uint8).reshape(-1, 32), hashes)


def reason_of(source: Any, error: DataError | OSError | MemoryError) -> str:
    """Why a photo cannot be read, in words."""
    if isinstance(error, DataError):
        return error.what
    if isinstance(error, FileNotFoundError):
        return _not_there(source, error)
    return (error.strerror or str(error)) if isinstance(error, OSError) else "not enough memory to read it"


def _not_there(path: Any, error: FileNotFoundError) -> str:
    """Why there is no photo at a path: what was tried, and what else is called so there."""
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


def _parts(rows: list[int], sizes: dict[int, int], most: int, most_bytes: int) -> list[list[int]]:
    """The rows in their order, at most so many and so many bytes together; a larger one alone."""
    parts: list[list[int]] = []
    filled = 0
    for row in rows:
        if not parts or len(parts[-1]) == most or filled + sizes[row] > most_bytes:
            parts.append([])
            filled = 0
        parts[-1].append(row)
        filled += sizes[row]
    return parts


def _size(source: Any) -> int:
    """Bytes of a file; 0 of what is in memory, and of what cannot be read, which is said when that is tried."""
    try:
        return os.stat(source).st_size if isinstance(source, str | Path) else 0
    except (OSError, ValueError):
        return 0


def _named(source: Any) -> tuple[bytes, bytes | None]:
    """The sha256 of an image's bytes; and these, if it is a file, to be decoded without reading it again."""
    content = read_bytes(source)
    return hashlib.sha256(content).digest(), content if isinstance(source, str | Path) else None


def _fingerprint(source: Any, _: bytes, content: bytes | None) -> np.ndarray:
    return fingerprint(*thumbnail(source, content=content, side=SIDE))
