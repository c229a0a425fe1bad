"""What processes that know nothing of each other compute together: the features of some data by one model.

The data are cut into chunks, whose batches are the same wherever they are computed; a shard is a run of chunks. What
was made of a chunk is a part: a segment of the store whose name says which chunk it is. So who runs a shard again goes
on, two at once write the same file, and what is missing can be said. The folder `works` says what is computed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from headstart.encode.forms import form_in
from headstart.encode.segments import ENDING, PART, open_segment
from headstart.encode.store import FEATURES, folder_of, store_folder
from headstart.errors import UserError, some_of
from headstart.storage.files import open_file, read_json
from headstart.storage.shared import write_first, write_shared
from headstart.values import Dataset

_WORKS = "works"
_OF = re.compile(r"([0-9a-f]{16})\.of-(\d+)")
_WIDEST, _MOST_CHUNKS = 2**24, 10**7
_LOOKED_INTO, _READ, _MOST_FILE = 64, 2**16, 2**40  # photos, bytes of each, and how long it may be
_MOST_TOLD = 20  # shards by their numbers


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

    @property
    def is_possible(self) -> bool:
        """Whether its numbers are some that a work may have, and its words are words: a note may be anybody's."""
        words = (self.data, self.listing, self.kind, self.model, self.key)
        numbers = (self.width, self.rows, self.chunk)
        if not all(type(word) is str for word in words) or not all(type(number) is int for number in numbers):
            return False
        return 0 < self.width <= _WIDEST and self.rows >= 0 and self.chunk > 0 and self.chunks <= _MOST_CHUNKS

    def is_of_the_same(self, other: Work) -> bool:
        """Whether it is of what is called the same, by the same model, in whatever state."""
        return (self.data, self.kind, self.key) == (other.data, other.kind, other.key)

    @property
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
    found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
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
    """How a file begins, and how long it is; nothing of photos that lie in another file, or that are not there."""
    if not isinstance(photo, str | Path):
        return b""
    try:
        with open_file(photo, most=_MOST_FILE) as file:
            return file.read(_READ) + str(os.fstat(file.fileno()).st_size).encode()
    except OSError:
        return b""


def begin(store: Path, work: Work, shard: Shard) -> None:
    """Say in the store what is computed, and in how many shards.

    Raises:
        OutputError: nothing can be written there.
    """
    write_first(_note(store, work), json.dumps(asdict(work), indent=1) + "\n")
    if not is_merged(store, work):
        write_shared(_note(store, work).with_suffix(f".of-{shard.of}"), "")


def works(store: Path) -> list[Work]:
    """All that was begun in a store, what was begun first before the others."""
    found = []
    for path in (store / _WORKS).glob("*.json"):
        try:
            told = read_json(path)
            work = Work(**{name: told[name] for name in Work.__dataclass_fields__})
            begun = path.stat().st_mtime_ns
        except (OSError, ValueError, TypeError, KeyError):  # somebody else's
            continue
        if work.is_possible and path.stem == work.name:
            found.append((begun, work.name, work))
    return [work for *_, work in sorted(found, key=lambda one: one[:2])]


def is_merged(store: Path, work: Work) -> bool:
    """Whether all of it was computed; then its parts may be gone, for they are gathered into shards."""
    try:
        return read_json(_note(store, work)).get("merged") is True and work.parts_in(store).is_dir()
    except (OSError, ValueError, AttributeError):
        return False


def say_merged(store: Path, work: Work, loss: float | None = None) -> None:
    """Write down that all of its parts are there, before they are gathered; and once they are, what int8 has cost."""
    more = {} if loss is None else {"loss": loss}
    write_shared(_note(store, work), json.dumps({**asdict(work), "merged": True, **more}, indent=1) + "\n")
    for path in _note(store, work).parent.glob(f"{work.name}.of-*"):
        path.unlink(missing_ok=True)


def missing(store: Path, work: Work, *, closely: bool = False) -> list[int]:
    """The chunks whose parts are not there; looked at closely, not whole."""
    if is_merged(store, work):
        return []
    folder, found = work.parts_in(store), []
    for number in range(work.chunks):
        path = folder / work.part(number)
        if open_segment(path, work.width) is None if closely else not path.exists():
            found.append(number)
    return found


def unfinished(store: Path, *, closely: bool = False) -> list[str]:
    """What is missing in a store, in words: "photos, efficientnet_lite0: shards 3, 7 of 100 are missing"."""
    told, begun = [], works(store)
    for number, work in enumerate(begun):
        chunks = missing(store, work, closely=closely)
        later = [other for other in begun[number + 1 :] if other.is_of_the_same(work)]
        if chunks and all(
            missing(store, other) for other in later
        ):  # else the data have changed since, and all is there
            told.append(f"{work.data}, {work.model}: {_shards(chunks, work.chunks, _of(store, work))}")
    return told


def unfinished_notes() -> list[str]:
    """What a fit says of the store that it is given."""
    store = store_folder()
    told = [] if store is None else unfinished(store)
    return [f"{what}: their features are computed here" for what in told]


def lacking_notes(known: float | None) -> list[str]:
    """What a fit says of features that its store lacked. Args: known: the share that it had; None: none are made."""
    if store_folder() is None or known is None or known == 1:
        return []
    return [f"{1 - known:.1%} of the features were not in the store, and were computed here"]


def kept_notes(key: str | None = None) -> list[str]:
    """What a fit says of features that are kept in int8. Args: key: of its features; None: nobody knows yet."""
    store = store_folder()
    if form_in(store) != "int8" or store is None:
        return []
    losses = [loss_of(store, work) for work in works(store) if key in (None, work.key)]
    known = [loss for loss in losses if loss is not None]
    cost = f"which costs {share_lost(max(known))}" if known else "whose cost headstart encode --merge measures"
    return [f"the store keeps features in int8, {cost}; a saved model answers from features as they are computed"]


def share_lost(loss: float) -> str:
    """What int8 has cost, in words."""
    return f"{loss:.1%} of them (root mean square)"


def loss_of(store: Path, work: Work) -> float | None:
    """What int8 has cost it; None: not known."""
    try:
        loss = read_json(_note(store, work)).get("loss")
    except (OSError, ValueError, AttributeError):
        return None
    return float(loss) if isinstance(loss, int | float) else None


def model_in(store: Path | None, dataset: Dataset) -> str | None:
    """The model by which these data are encoded in a store; None: by none, or by several."""
    kind = dataset.modality.name
    models = {work.model for work in works(store) if (work.data, work.kind) == (dataset.name, kind)} if store else set()
    return models.pop() if len(models) == 1 else None


def _note(store: Path, work: Work) -> Path:
    return store / _WORKS / f"{work.name}.json"


def _of(store: Path, work: Work) -> int:
    """In how many shards it is computed: as was said last."""
    marks = [path for path in (store / _WORKS).glob(f"{work.name}.of-*") if _OF.fullmatch(path.name)]
    last = max(marks, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)
    return 1 if last is None else int(last.name.rpartition("-")[2])


def _shards(chunks: Sequence[int], count: int, of: int) -> str:
    numbers = sorted({-(-of * (chunk + 1) // count) for chunk in chunks})  # the shard that ends behind it
    if len(numbers) == 1:
        return f"shard {numbers[0]} of {of} is missing"
    return f"shards {some_of([str(number) for number in numbers], _MOST_TOLD)} of {of} are missing"


def as_rows(digests: Sequence[bytes]) -> np.ndarray:
    """(n, 32) uint8."""
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
