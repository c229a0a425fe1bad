"""Features on disk, by content: what was encoded once is never encoded again.

A table is a folder named after a function (preprocessing, weights, precision); in it are segments, the rows that one
run added each, and shards that many segments were gathered into. All is written under a temporary name and renamed, so
a reader sees it whole or not at all: runs may share a table, and a kill loses at most the rows that were not yet
flushed. What is damaged is left out and its rows are encoded again. Rows that cannot be written are held in memory. A
table of the cache that a process has open is marked, and not pruned.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.backbone import Matrix
from headstart.data.alike.duplicates import FINGERPRINT
from headstart.encode import forms, generations, segments
from headstart.encode.gather import gather
from headstart.encode.known import Known
from headstart.encode.row_files import HeldRows
from headstart.errors import OutputError, UserError, shortened
from headstart.storage import living, shared
from headstart.storage.chosen import Chosen
from headstart.storage.files import is_there, read_json, resolved
from headstart.storage.kept import cache_root, room, say_not_kept, write_kept
from headstart.storage.matrix import MOST_IN_MEMORY
from headstart.storage.places import cache_folder, is_ours

_WIDEST = 2**24  # numbers of a row
_GATHERED = 8192  # rows read at a time
_SAMPLE = 4096  # rows by which it is said what int8 has cost
_HALF_MAX = 6.0e4  # float16 ends at 65,504; rows with larger values are kept in float32
_MANY = 128  # small segments, at most, before they are gathered
_SMALL = 16 * 2**20  # bytes of one

FEATURES = "features"  # the room of tables in a store

_folder: ContextVar[Path | None] = ContextVar("store", default=None)  # where tables lie; None: in the cache


@contextmanager
def features_in(folder: Path | None) -> Iterator[None]:
    """Within the block, tables lie in this folder, which machines may share, and not in the cache; None: in the cache.

    Nothing in there is locked, marked or pruned.
    """
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def store_at(named: object, data: object = None) -> Path:
    """The folder that a user names for features, without links; whether or not it is there.

    Args:
        data: that are read for them, and may not hold it.

    Raises:
        UserError: it is no path, or lies in the data.
    """
    if not isinstance(named, str | Path):
        raise UserError(f"no folder: {shortened(repr(named))}", where="--store", fix="name a folder")
    try:
        folder = resolved(named)
        read = resolved(data) if isinstance(data, str | Path) and is_there(data) else None
    except OSError as error:
        raise UserError(error.strerror or str(error), where=shortened(str(named)), fix="name a folder") from None
    if read is not None and read.is_dir() and read in (folder, *folder.parents):
        fix = "choose a --store outside of the data"
        raise UserError("it lies in the data, whose files it would count as", where=str(named), fix=fix)
    return folder


def store_folder() -> Path | None:
    """The folder that tables lie in; None: the cache."""
    return _folder.get()


@dataclass(frozen=True)
class TableInfo:
    """One table, for `headstart cache`."""

    key: str
    about: str
    rows: int
    bytes: int
    last_used: float  # seconds since the epoch
    in_use: bool  # by a process that is alive


class Table:
    """Rows of one width under sha256 keys. Lookups know what was on disk when it was opened, or loaded again; `add`
    writes a segment."""

    def __init__(
        self,
        folder: Path,
        width: int,
        *,
        dtype: type[np.generic] | None = None,
        is_shared: bool = False,
        in_int8: bool = False,
    ) -> None:
        self.folder, self.width, self._dtype, self._is_shared = folder, width, dtype, is_shared
        self._in_int8 = in_int8  # what is added; whatever is there is read
        self._held: list[tuple[np.ndarray, np.ndarray]] = []  # (n, 32) keys and (n, width) rows
        self._moved: Known | None = None  # where rows of handles are by now, once one of their files was gone
        mark = None if is_shared else living.mark(cache_root(), folder)
        if mark is not None:
            weakref.finalize(self, mark.remove)
        self.load()

    @property
    def count(self) -> int:
        """How many rows are known, those that were gathered and added again twice."""
        return len(self._known)

    def find(self, digests: np.ndarray) -> np.ndarray:
        """(n, 32) uint8 -> (n,) int64 handles for `rows`; -1 where the store has none that is whole."""
        try:
            return self._known.find(digests)
        except OSError:  # gathered by somebody else
            self.load()
            return self._known.find(digests)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens it anew; what is held is not on disk, and stays here."""
        return _opened_anew, (self.folder, self.width, self._dtype, self._is_shared)

    def keys(self, handles: np.ndarray) -> np.ndarray:
        """(n,) handles -> (n, 32) uint8, by which another process finds the same rows."""
        return self._known.keys(handles)

    def rows(self, handles: np.ndarray) -> np.ndarray:
        """(n,) handles -> (n, width) array; read file by file, nothing else is kept in memory.

        Raises:
            OSError: somebody removed or damaged a file.
        """
        if len(handles) and handles.min() < 0:
            raise ValueError("the store has no row for a handle of -1")
        dtype = np.dtype(self._dtype or np.float32)
        try:
            return self._known.rows(handles, dtype)
        except OSError:  # gathered by somebody else: handles stay what they are, their rows have moved
            keys = self._known.keys(handles)
        if self._moved is not None:
            with suppress(OSError):
                return _by_keys(self._moved, keys, dtype)
        self._moved = self._read()
        return _by_keys(self._moved, keys, dtype)

    def matrix(self, handles: np.ndarray) -> Matrix:
        """(n,) handles -> (n, width) float32; where they are many, read from the store when they are asked for."""
        if len(handles) and handles.min() < 0:
            raise ValueError("the store has no row for a handle of -1")
        if 4 * len(handles) * self.width > MOST_IN_MEMORY:
            return Chosen(self.rows, handles, self.width)
        out = np.empty((len(handles), self.width), dtype=np.float32)
        for start in range(0, len(handles), _GATHERED):
            out[start : start + _GATHERED] = self.rows(handles[start : start + _GATHERED])
        return out

    def add(self, digests: np.ndarray, rows: np.ndarray, *, of: int = 0) -> None:
        """Write a segment: (n, 32) uint8 keys and (n, width) rows; two where some rows need float32, which none does
        in int8. Where that cannot be done they are held.

        Args:
            of: rows that are to be added in all, for what the user is told then.
        """
        for keys, stored in self._as_added(digests, rows):
            if not self._held:  # else the disk was full a moment ago
                try:
                    number = f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
                    self.write(f"{number}{segments.ENDING}", segments.segment(keys, stored, self.width))
                    continue
                except OutputError as error:
                    size = max(of, len(rows)) * (32 + self.width * stored.itemsize)
                    elsewhere = "choose another --store" if self._is_shared else None
                    say_not_kept("features", error.__cause__ or error, self.folder.parent, size, fix=elsewhere)
            self._held.append((keys, stored))

    def loss(self) -> float | None:
        """What int8 has cost, as `forms.loss_of`, of a sample; None: nothing is kept in it.

        Raises:
            OSError: a file is gone, or damaged.
        """
        return forms.loss_of((self._known.of_gathered if self._known.gathered else self._known).sample(_SAMPLE))

    def damaged(self) -> int:
        """As `Known.damaged`. Raises OSError: a file cannot be read."""
        return self._known.damaged()

    def gathered(self, digests: np.ndarray) -> np.ndarray | None:
        """(n, 32) uint8 -> (n, k) rows as this table keeps them; None where not all of them were gathered, or are not
        whole."""
        try:
            handles = self._known.of_gathered.find(digests)
            if (handles < 0).any():
                return None
            return self._known.as_kept(handles) if self._in_int8 else self._known.rows(handles, np.dtype(np.float32))
        except OSError:  # gathered by somebody else at this moment
            return None

    def _as_added(self, digests: np.ndarray, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if self._in_int8:
            return iter([(np.ascontiguousarray(digests), forms.to_int8(rows))] if len(rows) else [])
        return typed(digests, rows, self._dtype)

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file of the table.

        Raises:
            OutputError: no space, no permission.
        """
        path = self.folder / name
        write_kept(path, content, unfinished=self._temporary(path))

    def load(self) -> None:
        """What is known now: on disk, and what is held."""
        self._known, self._moved = self._read(), None
        if len(self._known):
            with suppress(OSError):  # read only
                os.utime(self.folder)

    def gather(
        self,
        *,
        leave: Callable[[Path], bool] = lambda path: False,
        drop_damaged: bool = False,
        remove: bool = True,
    ) -> bool:
        """Gather segments into shards, but for those that are to be left; whether there were any.

        Args:
            remove: whether segments go then; else a second call removes them.
            drop_damaged: whether rows go that are damaged, and that nobody has added again; those of the cache do.

        Raises:
            OutputError: no space, no permission; the table is as it was.
        """
        drops = drop_damaged or not self._is_shared
        done = gather(
            self.folder, self.width, self._temporary,
            leave=leave, drop_damaged=drops, closely=drop_damaged, remove=remove,
        )  # fmt: skip
        self.load()
        return done

    def gather_many(self) -> None:
        """Gather segments where they are so many small ones that opening the table takes long.

        Parts stay: by them it is known which chunks of some data are done, until all are.
        """
        own = (path for path in self.folder.glob(f"*{segments.ENDING}") if not segments.is_part(path))
        small = 0
        for path in own:
            with suppress(FileNotFoundError):  # gathered by somebody else
                small += path.stat().st_size < _SMALL
        if small > _MANY:
            with suppress(OutputError):  # the segments stay, and say the same
                self.gather(leave=segments.is_part)

    def _temporary(self, path: Path) -> Path:
        return shared.temporary(path) if self._is_shared else living.temporary(cache_root(), path)

    def _read(self) -> Known:
        held = [(keys, HeldRows(rows)) for keys, rows in self._held]
        try:
            gathered = generations.last(self.folder, self.width)
        except OSError:  # not to be read: its rows are not known
            gathered = None
        return Known.of(gathered, [*segments.segments(self.folder, self.width), *held], self.width)


def _opened_anew(folder: Path, width: int, dtype: type[np.generic] | None, is_shared: bool) -> Table:
    return Table(folder, width, dtype=dtype, is_shared=is_shared)


def _by_keys(known: Known, keys: np.ndarray, dtype: np.dtype) -> np.ndarray:
    handles = known.find(keys)
    if (handles < 0).any():
        raise OSError(errno.EIO, "a row of the store is gone, or damaged")
    return known.rows(handles, dtype)


def table(key: str, *, width: int, about: str, dtype: type[np.generic] | None = None, in_int8: bool = False) -> Table:
    """The table of the function that `key` names; made on first use. `about` is what a person reads of it."""
    store = store_folder()
    folder = (room("features") if store is None else store / FEATURES) / folder_of(key)
    opened = Table(folder, width, dtype=dtype, is_shared=store is not None, in_int8=in_int8)
    if _about(folder) is None:
        with suppress(OutputError):  # nothing of it is kept then
            opened.write("about.json", json.dumps({"about": about, "key": key, "width": width}))
    return opened


def folder_of(key: str) -> str:
    """The name of a table's folder."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def image_hashes() -> Table:
    """The table of what images look like, for `check`; the version of what makes its rows is in its key."""
    return table("fingerprint of images 3", width=FINGERPRINT, about="fingerprints of images", dtype=np.uint8)


def tables() -> Iterator[TableInfo]:
    """Every table of the cache, least recently used first."""
    cache = cache_folder()
    found: list[TableInfo] = []
    for folder in (path for path in (cache / "features").glob("*") if is_ours(path)):
        with suppress(FileNotFoundError):  # somebody else prunes
            files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != living.MARK]
            if not files:
                continue
            size, about = sum(path.stat().st_size for path in files), _about(folder)
            rows = sum(segments.count_of(path) for path in files if path.suffix == segments.ENDING)
            rows += sum(map(generations.count_of, generations.generations(folder)[-1:]))
            used, in_use = folder.stat().st_mtime, living.is_marked(cache, folder)
            found.append(TableInfo(folder.name, about or "damaged", rows, size, used, in_use))
    yield from sorted(found, key=lambda info: info.last_used)


def facts_of(folder: Path) -> dict[str, Any] | None:
    """What a table is: about, key, width; None where that was not written, or not whole."""
    try:
        told = read_json(folder / "about.json")
        width = told["width"]
        facts = {"about": str(told["about"]), "key": str(told["key"]), "width": width}
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return facts if type(width) is int and 0 < width <= _WIDEST else None


def form_of(store: Path) -> str | None:
    """In which form a store keeps features, by what lies in it; None: nothing does."""
    found = None
    for folder in (store / FEATURES).glob("*"):
        facts = facts_of(folder)
        if facts is None:
            continue
        files = [rows for _, rows in segments.segments(folder, facts["width"])]
        with suppress(OSError):
            last = generations.last(folder, facts["width"])
            files += [] if last is None else last.shards
        types = {rows.dtype.name for rows in files} - {"uint8"}  # which photos' looks are in
        found = forms.INT8.name if forms.INT8.name in types else found or ("float16" if types else None)
    return found


def _about(folder: Path) -> str | None:
    """What a person reads of a table; None where that was not written, or not whole."""
    facts = facts_of(folder)
    return None if facts is None else str(facts["about"])


def typed(
    digests: np.ndarray, rows: np.ndarray, dtype: type[np.generic] | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(n, 32) keys and (n, width) rows in the type that they are kept in; the few that need float32 behind the others,
    whatever they come with."""
    if dtype is not None:
        parts = [(np.arange(len(rows)), dtype)]
    else:
        fits = np.abs(rows).max(axis=1, initial=0) < _HALF_MAX
        parts = [(np.flatnonzero(fits), np.float16), (np.flatnonzero(~fits), np.float32)]
    for which, kept in parts:
        if len(which):
            yield np.ascontiguousarray(digests[which]), np.ascontiguousarray(rows[which], dtype=kept)


def as_kept(rows: np.ndarray) -> np.ndarray:
    """(n, width) float32, rounded as the store would give them back."""
    fits = np.abs(rows).max(axis=1, keepdims=True, initial=0) < _HALF_MAX
    with np.errstate(over="ignore"):
        return np.where(fits, rows.astype(np.float16).astype(np.float32), rows)
