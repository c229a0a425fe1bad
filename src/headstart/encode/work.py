"""Data and a model whose features several processes compute together, each a share of it: a work, cut into chunks.

The batches of a chunk are the same wherever it is computed; a shard is a run of chunks. What was made of a chunk is a
part: a segment of the store whose name says which chunk it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from headstart.encode.segments import ENDING, PART
from headstart.encode.store import FEATURES, folder_of
from headstart.errors import DataError, UserError
from headstart.inputs.packed import PackedPhoto
from headstart.storage.files import open_file
from headstart.values import Dataset

_WIDEST, _MOST_CHUNKS = 2**24, 10**6
_LOOKED_INTO, _READ, _MOST_FILE = 64, 2**16, 2**40  # photos, bytes of each, and how long it may be


@dataclass(frozen=True)
class Shard:
    """One of so many, counted from 1."""

    number: int = 1
    of: int = 1

    def chunks(self, count: int) -> range:
        """Of so many chunks, those that are its own."""
        return range(count * (self.number - 1) // self.of, count * self.number // self.of)


@dataclass(frozen=True)
class Work:
    """Data and a model, as every process sees them."""

    data: str  # as the user calls it
    listing: str  # sha256 over what the examples are, or where
    kind: str  # the name of their modality
    model: str  # as `fit --model` takes it
    key: str  # of its features
    width: int
    rows: int
    chunk: int  # rows
    place: str = ""  # where the data lie, as processes see it; empty: in notes of before

    @property
    def is_possible(self) -> bool:
        """Whether its numbers are some that a work may have, and its words are words: a note may be anybody's."""
        words = (self.data, self.listing, self.kind, self.model, self.key, self.place)
        numbers = (self.width, self.rows, self.chunk)
        if not all(type(word) is str for word in words) or not all(type(number) is int for number in numbers):
            return False
        return 0 < self.width <= _WIDEST and self.rows >= 0 and self.chunk > 0 and self.chunks <= _MOST_CHUNKS

    def is_of_the_same(self, other: Work) -> bool:
        """Whether it is of what is called the same, by the same model, in whatever state."""
        in_one_place = self.place == other.place or not (self.place and other.place)
        return in_one_place and (self.data, self.kind, self.key) == (other.data, other.kind, other.key)

    @cached_property
    def name(self) -> str:
        told = json.dumps([self.listing, self.kind, self.key, self.rows, self.chunk])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def chunks(self) -> int:
        return -(-self.rows // self.chunk)

    def of_chunk(self, number: int) -> range:
        """The rows of a chunk."""
        return range(number * self.chunk, min(self.rows, (number + 1) * self.chunk))

    def part(self, number: int) -> str:
        """The name of a chunk's part, in every table that something of it is written to."""
        return f"{PART}{self.name}-{number:08d}{ENDING}"

    def has(self, path: Path) -> bool:
        """Whether a segment is one of its parts."""
        return path.name.startswith(f"{PART}{self.name}-")

    def parts_in(self, store: Path) -> Path:
        """Where the parts of its features lie."""
        return store / FEATURES / folder_of(self.key)


def shard_named(text: str) -> Shard:
    """What --shard says: "3/100".

    Raises:
        UserError: it says no such thing.
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text) if isinstance(text, str) else None
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"no shard: {text!r}", where="--shard", fix="--shard 1/100 is the first of a hundred")
    return Shard(int(found[1]), int(found[2]))


def listing_of(dataset: Dataset) -> str:
    """The sha256 by which processes know that they read the same data: what its texts say, or where its photos lie and
    how some of them begin; and which examples have no label, for these are not encoded."""
    seen, in_tables = hashlib.sha256(), dataset.modality.in_tables
    for told in dataset.inputs if in_tables else dataset.where:
        seen.update(repr(told).encode("utf-8", "surrogatepass") + b"\0")
    if not in_tables:
        for row in np.unique(np.linspace(0, len(dataset) - 1, min(_LOOKED_INTO, len(dataset))).astype(np.int64)):
            seen.update(_beginning(dataset.inputs[row]) + b"\0")
    complaint = dataset.task.complaint
    unlabelled = [row for row, target in enumerate(dataset.targets) if complaint(target) is not None]
    seen.update(repr(unlabelled).encode())
    return seen.hexdigest()


def _beginning(photo: object) -> bytes:
    """How a file begins, and how long it is; nothing of photos that are not there."""
    if isinstance(photo, PackedPhoto):
        try:
            content = photo.read()
        except (OSError, DataError):
            return b""
        return content[:_READ] + str(len(content)).encode()
    if not isinstance(photo, str | Path):
        return b""
    try:
        with open_file(photo, most=_MOST_FILE) as file:
            return file.read(_READ) + str(os.fstat(file.fileno()).st_size).encode()
    except OSError:
        return b""
