"""Which members of tars are one sample, as WebDataset has it: those of one name up to its first dot.

Nothing of a sample but its name and where its members lie is held: about a hundred bytes, whatever they weigh.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from headstart.data.files.arrow import MOST_ROWS, too_many_rows
from headstart.data.files.endings import PHOTOS
from headstart.data.files.walk import Walk
from headstart.data.shards.tar_members import BadHeader, Member, Members
from headstart.errors import DataError, some_of
from headstart.inputs.packed import MOST_OF_AN_ARCHIVE, PhotoInFile
from headstart.storage.columns import Strings, smallest
from headstart.storage.files import open_file
from headstart.values import Finding

# What samples say in words, by the last part of their names: WebDataset's own endings, and those that people use.
_SAID = frozenset(
    ("cls", "cls2", "class", "label", "txt", "text", "transcript", "caption", "json", "jsn", "id", "index", "count")
)
CLASS_NAMES = ("classnames.txt", "classes.txt")
_MOST_FIELDS = 64  # of samples; more are names with dots in them
NOT_THERE = -1


@dataclass(frozen=True)
class Shard:
    """A tar of several that are one whole."""

    path: Path
    name: str  # of several in different folders, with the folder


@dataclass(frozen=True)
class Field:
    """The members of samples that end alike: where each lies, and which samples have one."""

    offsets: np.ndarray  # (n,) int64, or int32 where that is enough; NOT_THERE: the sample has none
    sizes: np.ndarray  # (n,) likewise

    @staticmethod
    def empty(n: int) -> Field:
        """Of samples that have none."""
        return Field(np.full(n, NOT_THERE, dtype=np.int64), np.zeros(n, dtype=np.int64))


@dataclass(frozen=True)
class TarIndex:
    """The samples of some tars, in their order."""

    shards: Sequence[Shard]
    starts: np.ndarray  # (shards + 1,) the first sample of each
    keys: Strings  # (n,) names up to the first dot; whole names where each file is a sample
    fields: dict[str, Field]  # by what stands behind that dot: "jpg", "cls"
    class_names: tuple[str, PhotoInFile] | None  # a file of such names in a tar
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def photos(self) -> tuple[str, ...]:
        """The fields that hold photos."""
        return tuple(name for name in self.fields if not name or _last(name) in _PHOTO_FIELDS)

    @cached_property
    def said(self) -> tuple[str, ...]:
        """The fields that say something in words or numbers."""
        return tuple(name for name in self.fields if _last(name) in _SAID)

    def only(self, fields: Sequence[str]) -> TarIndex:
        """The same samples, with these of their fields."""
        return replace(self, fields={name: self.fields[name] for name in fields})

    def shard_of(self, row: int) -> Shard:
        return self.shards[int(np.searchsorted(self.starts, row, side="right")) - 1]


@dataclass(frozen=True)
class PhotosOfTars:
    """The photos of one field, or of several of which each sample has one at most."""

    index: TarIndex
    names: tuple[str, ...]

    def photo(self, row: int) -> PhotoInFile | DataError:
        """The photo of a sample, which is opened later; or that it has none."""
        for name in self.names:
            field = self.index.fields[name]
            if field.offsets[row] != NOT_THERE:
                shard = self.index.shard_of(row)
                called = f"{shard.name} {self.index.keys[row]}{'.' if name else ''}{name}"
                return PhotoInFile(str(shard.path), int(field.sizes[row]), called, int(field.offsets[row]))
        return DataError("no photo among the files of this sample")


_PHOTO_FIELDS = frozenset(ending[1:] for ending in PHOTOS)


def index_of(shards: Sequence[Shard], *, whole_names: bool = False) -> TarIndex:
    """Go through the headers of some tars, once.

    Args:
        whole_names: whether each file is a sample of its own, as in a folder of class folders.

    Raises:
        DataError: one cannot be opened or is no tar, too many samples, or none.
    """
    read: list[_Samples] = []
    n = 0
    for shard in shards:
        read.append(_Shard(shard, whole_names=whole_names).samples())
        n += len(read[-1].keys)
        if n > MOST_ROWS:
            raise too_many_rows(str(shards[0].path))
    findings = [one.damage for one in read if one.damage is not None]
    names = list(dict.fromkeys(name for one in read for name in one.fields))
    if not n:
        what = f"no sample in it{f': {findings[0].reason}' if findings else ''}"
        raise DataError(what, where=str(shards[0].path), fix="000123.jpg and 000123.cls are one; or cat/1.jpg")
    index = TarIndex(
        shards=tuple(shards),
        starts=np.cumsum([0, *(len(one.keys) for one in read)]),
        keys=Strings.of(chain.from_iterable(one.keys for one in read)),
        fields={name: _together(read, name) for name in names},
        class_names=next((one.class_names for one in read if one.class_names is not None), None),
        findings=tuple(findings),
        notes=tuple(_notes(read)),
    )
    bare = not whole_names and not index.said and _several(index)
    return index_of(shards, whole_names=True) if bare else index


def _several(index: TarIndex) -> bool:
    """Whether a sample has two photos."""
    there = sum((index.fields[name].offsets != NOT_THERE).astype(np.int8) for name in index.photos)
    return bool(np.any(there > 1))


def photos_in(index: TarIndex, asked: str | None, where: str) -> dict[str, PhotosOfTars]:
    """The columns of photos that samples have: one, whatever its endings are, where no sample has two.

    Args:
        asked: the field that the user names.

    Raises:
        DataError: some samples have two photos, and the user does not say which.
    """
    if asked in index.photos:
        return {asked: PhotosOfTars(index.only((asked,)), (asked,))}
    if len(index.photos) > 1 and _several(index):
        one = " or ".join(f"--image {name}" for name in index.photos[:5])
        what = f"samples have several photos: {some_of(index.photos)}"
        raise DataError(what, where=where, fix=f"say which one is learned from: {one}")
    called = index.photos[0] if len(index.photos) == 1 and index.photos[0] else "image"
    return {called: PhotosOfTars(index.only(index.photos), index.photos)} if index.photos else {}


@dataclass(frozen=True)
class _Samples:
    """The samples of one tar."""

    keys: Strings
    fields: dict[str, Field]
    class_names: tuple[str, PhotoInFile] | None
    damage: Finding | None
    others: int
    twice: int
    skipped: int


class _Shard:
    """The members of one tar, put together to samples."""

    def __init__(self, shard: Shard, *, whole_names: bool) -> None:
        self._shard, self._whole_names = shard, whole_names
        self._class_names: tuple[str, PhotoInFile] | None = None
        self._damage: Finding | None = None
        self._others = self._twice = self._skipped = 0
        self._fields: dict[str, int] = {}
        self._hashes, self._which = array("q"), array("h")
        self._offsets, self._sizes = array("q"), array("q")
        self._names = _Names()
        self._read()

    def _read(self) -> None:
        try:
            with open_file(self._shard.path, most=MOST_OF_AN_ARCHIVE) as file:
                members = Members(file, self._shard.path, os.fstat(file.fileno()).st_size)
                try:
                    for member in members:
                        self._take(member)
                except BadHeader as error:
                    where = f"{self._shard.name} byte {error.at:,}"
                    reason = f"the tar is damaged or cut off: {error.what}; what comes before it is used"
                    self._damage = Finding("damaged-shard", where, reason, rejected=True)
                self._others = members.others
        except OSError as error:
            raise DataError(error.strerror or str(error), where=str(self._shard.path), fix="check the path") from None

    def _take(self, member: Member) -> None:
        """Note a member, if it is part of a sample."""
        name = member.name.removeprefix("./")
        *folders, base = name.split("/")
        if any(map(Walk.ignores, (*folders, base))) or not base:
            return
        if base.lower() in CLASS_NAMES:
            file = PhotoInFile(str(self._shard.path), member.size, f"{self._shard.name} {name}", member.offset)
            self._class_names = self._class_names or (base, file)
            return
        stem, dot, field = base.rpartition(".") if self._whole_names else base.partition(".")
        field = field.lower()
        if not dot or (_last(field) not in _PHOTO_FIELDS and (self._whole_names or _last(field) not in _SAID)):
            self._skipped += 1
            return
        if len(self._fields) == _MOST_FIELDS and field not in self._fields:
            what = f"samples with more than {_MOST_FIELDS} kinds of files: {some_of(sorted(self._fields))}"
            raise DataError(what, where=str(self._shard.path), fix="a sample is files of one name up to the first dot")
        key = "/".join((*folders, base if self._whole_names else stem))
        hashed = hash(key)
        if not self._hashes or self._hashes[-1] != hashed:
            self._names.add(key, len(self._hashes))
        self._hashes.append(hashed)
        self._which.append(self._fields.setdefault("" if self._whole_names else field, len(self._fields)))
        self._offsets.append(member.offset)
        self._sizes.append(member.size)

    def samples(self) -> _Samples:
        """Number the samples, whose members need not lie side by side, by the first of these."""
        first, sample = _numbered(np.frombuffer(self._hashes, dtype=np.int64), self._names.numbers)
        self._hashes = array("q")
        keys = Strings.of(self._names.at(first))
        self._names = _Names()
        fields = {name: self._field(number, sample, len(first)) for name, number in self._fields.items()}
        return _Samples(keys, fields, self._class_names, self._damage, self._others, self._twice, self._skipped)

    def _field(self, number: int, sample: np.ndarray, n: int) -> Field:
        """Where the members of one field lie; the first of a sample, where it has several."""
        mine = np.flatnonzero(np.frombuffer(self._which, dtype=np.int16) == number)[::-1]
        field = Field.empty(n)
        field.offsets[sample[mine]] = np.frombuffer(self._offsets, dtype=np.int64)[mine]
        field.sizes[sample[mine]] = np.frombuffer(self._sizes, dtype=np.int64)[mine]
        self._twice += len(mine) - int((field.offsets != NOT_THERE).sum())
        return field


def _numbered(hashes: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first member of each sample, and (members,) which sample each is of.

    Args:
        starts: members whose name is another than that of the one before: mostly, all of a sample lie side by side.
    """
    runs = np.repeat(np.arange(len(starts), dtype=np.int32), np.diff(starts, append=len(hashes)))
    ordered = np.sort(hashes[starts])
    if not (ordered[1:] == ordered[:-1]).any():
        return starts, runs
    _, first, sample = np.unique(hashes[starts], return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order))
    return starts[first[order]], rank[sample][runs].astype(np.int32)


class _Names:
    """Names with the numbers of the members that they stand before, ascending."""

    def __init__(self) -> None:
        self._data, self._offsets, self._numbers = bytearray(), array("q", [0]), array("q")

    def add(self, name: str, number: int) -> None:
        self._data += name.encode("utf-8", "surrogatepass")
        self._offsets.append(len(self._data))
        self._numbers.append(number)

    @property
    def numbers(self) -> np.ndarray:
        """(n,) int64: of the members that have a name before them."""
        return np.frombuffer(self._numbers, dtype=np.int64)

    def at(self, numbers: np.ndarray) -> Iterator[str]:
        """The names before these members, each of which has one."""
        places = np.searchsorted(self.numbers, numbers)
        for start in range(0, len(places), 4096):
            for place in places[start : start + 4096].tolist():
                yield self._data[self._offsets[place] : self._offsets[place + 1]].decode("utf-8", "surrogatepass")


def _together(read: Sequence[_Samples], name: str) -> Field:
    """One field of all samples."""
    fields = [one.fields.get(name) or Field.empty(len(one.keys)) for one in read]
    offsets, sizes = (np.concatenate([getattr(field, name) for field in fields]) for name in ("offsets", "sizes"))
    return Field(smallest(offsets), smallest(sizes))


def _notes(read: Iterable[_Samples]) -> Iterator[str]:
    others, twice, skipped = (sum(getattr(one, name) for one in read) for name in ("others", "twice", "skipped"))
    if skipped:
        yield f"not read, since they are no photos, texts or labels by their names: {skipped:,} files in the tars"
    if others:
        yield f"not read: {others:,} links, devices and files with holes in the tars"
    if twice:
        yield f"{twice:,} files of the tars have the name of one before them, which is taken"


def _last(field: str) -> str:
    return field.rpartition(".")[2]
