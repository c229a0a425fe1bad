"""Photos looked at one by one: can they be read, and what of them tells which are the same or nearly so."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.alike.duplicates import FINGERPRINT, guessed_ranges, tiny
from headstart.data.alike.known import KnownImages
from headstart.data.elsewhere import lookers
from headstart.data.looks import CHUNK, Failure, Looking, Seen
from headstart.errors import DataError, shortened
from headstart.inputs.image import is_a_file
from headstart.inputs.modality import Inspected
from headstart.inputs.packed import PackedPhoto
from headstart.inputs.ready import ReadyPhoto
from headstart.storage.columns import in_blocks
from headstart.storage.rows_of_bytes import room_for, take
from headstart.values import Dataset, Finding

_ADDRESS = re.compile(r"(^|/)[a-z][a-z0-9+.-]+:/+[^/]", re.IGNORECASE)  # also behind a folder, as one slash
_LONGEST = 200  # characters of a path that is shown


def inspect_images(
    dataset: Dataset,
    rows: np.ndarray,
    *,
    known: KnownImages,
    workers: int,
    advance: Callable[[int], None],
) -> Inspected:
    """Hash every file, decode those whose content is new from the same bytes; in chunks, so that memory stays bounded.

    What is ready for a model was decoded before.
    """
    if any(isinstance(dataset.inputs[row], ReadyPhoto) for row in in_blocks(rows)):
        return _of_ready(dataset, rows)

    def failed(row: int, error: Failure) -> Finding:
        return Finding("unreadable", dataset.where[row], reason_of(dataset.inputs[row], error), rejected=True)

    done, found = 0, list[Finding]()
    keep, digests = np.empty(len(rows), dtype=np.int64), np.empty((len(rows), 32), dtype=np.uint8)
    hashes = room_for(len(rows), FINGERPRINT)
    for seen in _looked_at(Looking(dataset.inputs, known, failed, workers), rows):
        found += [look for row in seen.rows if isinstance(look := seen.looks[row], Finding)]
        usable = {row: look for row in seen.rows if isinstance(look := seen.looks[row], np.ndarray)}
        here = slice(done, done := done + len(usable))
        if usable:
            keep[here], hashes[here] = list(usable), np.stack(list(usable.values()))
            digests[here] = np.frombuffer(b"".join(seen.digests[row] for row in usable), np.uint8).reshape(-1, 32)
        known.read({dataset.inputs[row]: seen.digests[row] for row in seen.files})
        known.put({seen.digests[row]: usable[row] for row in seen.new if row in usable})
        advance(len(seen.rows))
    known.keep()
    hashes = hashes if done == len(rows) else take(hashes, np.arange(done))
    for place, (width, height) in tiny(hashes).items():
        reason = f"{width} x {height} pixels, in which there is hardly a picture; it is used all the same"
        found.append(Finding("tiny", dataset.where[int(keep[place])], reason))
    return Inspected(keep[:done], digests[:done], hashes, found, guessed_ranges(hashes))


def _looked_at(looking: Looking[Finding], rows: np.ndarray) -> Iterator[Seen[Finding]]:
    """Chunk by chunk: here; files of more than a chunk, by whoever else looks. What is in memory is here already."""
    others = lookers()
    if others is None or len(rows) <= CHUNK[0] or not all(is_a_file(looking.sources[row]) for row in in_blocks(rows)):
        return looking.here(rows)
    return looking.elsewhere(rows, others)


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
