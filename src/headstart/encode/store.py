"""Features on disk, by content: what was encoded once is never encoded again.

A table is a folder named after a function (preprocessing, weights, precision); inside, each segment file holds rows
that one run added: a header line, the sha256 of each example, the rows, and a sha256 over all of it. A segment is
written under a temporary name and renamed, so a reader sees it whole or not at all: runs may share a table, and a
kill loses at most the rows that were not yet flushed. A damaged segment is left out and its rows are encoded again.
Rows that cannot be written are held in memory. A table that a process has open is marked, and not pruned.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.backbone import Matrix
from headstart.data.alike.duplicates import FINGERPRINT
from headstart.errors import OutputError
from headstart.storage import living
from headstart.storage.files import read_json
from headstart.storage.kept import cache_root, room, say_not_kept, write_kept
from headstart.storage.matrix import room_for
from headstart.storage.places import cache_folder, is_ours

_GATHERED = 8192  # rows read at a time
_HALF_MAX = 6.0e4  # float16 ends at 65,504; rows with larger values are kept in float32


@dataclass(frozen=True)
class TableInfo:
    """One table, for `headstart cache`."""

    key: str
    about: str
    rows: int
    bytes: int
    last_used: float  # seconds since the epoch
    in_use: bool  # by a process that is alive


@dataclass(frozen=True)
class _Segment:
    """Rows that one run added: in a file, from an offset on; or in memory, because they could not be written."""

    rows: Path | np.ndarray
    offset: int
    dtype: np.dtype

    def read(self, width: int) -> np.ndarray:
        if isinstance(self.rows, np.ndarray):
            return self.rows
        stored = np.memmap(self.rows, dtype=self.dtype, mode="r", offset=self.offset)
        count = stored.size // width
        return stored[: count * width].reshape(count, width)


class Table:
    """Rows of one width under sha256 keys. Lookups know what was on disk when it was opened, or loaded again; `add`
    writes a segment."""

    def __init__(self, folder: Path, width: int, *, dtype: type[np.generic] | None = None) -> None:
        self.folder, self._width, self._dtype = folder, width, dtype
        self._held: list[tuple[np.ndarray, np.ndarray]] = []  # (n, 32) keys and (n, width) rows
        mark = living.mark(cache_root(), folder)
        if mark is not None:
            weakref.finalize(self, mark.remove)
        self.load()

    def find(self, digests: np.ndarray) -> np.ndarray:
        """(n, 32) uint8 -> (n,) int64 handles for `rows`; -1 where the store has none."""
        if not len(self._digests):
            return np.full(len(digests), -1, dtype=np.int64)
        have, want = _as_keys(self._digests), _as_keys(digests)
        at = np.minimum(np.searchsorted(have, want), len(have) - 1)
        return np.where(have[at] == want, at, -1).astype(np.int64)

    def rows(self, handles: np.ndarray) -> np.ndarray:
        """(n,) handles -> (n, width) array; read segment by segment, nothing else is kept in memory.

        Raises:
            OSError: somebody removed a segment.
        """
        if len(handles) and handles.min() < 0:
            raise ValueError("the store has no row for a handle of -1")
        out = np.empty((len(handles), self._width), dtype=self._dtype or np.float32)
        home = self._home[handles]
        for number in np.unique(home[:, 0]).tolist():
            here = np.flatnonzero(home[:, 0] == number)
            out[here] = self._segments[number].read(self._width)[home[here, 1]]
        return out

    def matrix(self, handles: np.ndarray) -> Matrix:
        """(n,) handles -> (n, width) float32, on disk where they are many."""
        out = room_for(len(handles), self._width)
        for start in range(0, len(handles), _GATHERED):
            out[start : start + _GATHERED] = self.rows(handles[start : start + _GATHERED])
        return out

    def add(self, digests: np.ndarray, rows: np.ndarray, *, of: int = 0) -> None:
        """Write one segment: (n, 32) uint8 keys and (n, width) rows. Where that cannot be done they are held.

        Args:
            of: rows that are to be added in all, for what the user is told then.
        """
        if not len(rows):
            return
        dtype = np.dtype(self._dtype or _kept_type(rows))
        keys, stored = np.ascontiguousarray(digests), np.ascontiguousarray(rows, dtype=dtype)
        if not self._held:  # else the disk was full a moment ago
            try:
                self._write(keys, stored)
                return
            except OutputError as error:
                size = max(of, len(rows)) * (32 + self._width * dtype.itemsize)
                say_not_kept("features", error.__cause__ or error, self.folder.parent, size)
        self._held.append((keys, stored))

    def _write(self, digests: np.ndarray, rows: np.ndarray) -> None:
        keys, data = digests.tobytes(), rows.tobytes()
        check = hashlib.sha256(keys + data).hexdigest()
        header = json.dumps({"rows": len(rows), "width": self._width, "dtype": rows.dtype.name, "sha256": check})
        content = header.encode().ljust(255) + b"\n" + keys + data
        write_kept(self.folder / f"{time.time_ns():020d}-{os.getpid()}.rows", content)

    def load(self) -> None:
        """What is known now: on disk, and what is held."""
        self._segments: list[_Segment] = []
        digests = [np.empty((0, 32), dtype=np.uint8)]
        homes = [np.empty((0, 2), dtype=np.int64)]  # (segment, row) of each digest
        for keys, segment in self._known():
            homes.append(np.column_stack([np.full(len(keys), len(self._segments)), np.arange(len(keys))]))
            digests.append(keys)
            self._segments.append(segment)
        self._digests, self._home = np.concatenate(digests), np.concatenate(homes)
        if self._segments:
            with suppress(OSError):  # read only
                os.utime(self.folder)
            _, first = np.unique(_as_keys(self._digests), return_index=True)
            self._digests, self._home = self._digests[first], self._home[first]

    def _known(self) -> Iterator[tuple[np.ndarray, _Segment]]:
        for path in sorted(self.folder.glob("*.rows")):
            found = _open_segment(path, self._width)
            if found is not None:
                keys, offset, dtype = found
                yield keys, _Segment(path, offset, dtype)
        for keys, rows in self._held:
            yield keys, _Segment(rows, 0, rows.dtype)


def table(key: str, *, width: int, about: str, dtype: type[np.generic] | None = None) -> Table:
    """The table of the function that `key` names; made on first use. `about` is what a person reads of it."""
    folder = room("features") / hashlib.sha256(key.encode()).hexdigest()[:24]
    opened = Table(folder, width, dtype=dtype)
    if _about(folder) is None:
        with suppress(OutputError):  # nothing of it is kept then
            write_kept(folder / "about.json", json.dumps({"about": about, "key": key, "width": width}))
    return opened


def image_hashes() -> Table:
    """The table of what images look like, for `check`; the version of what makes its rows is in its key."""
    return table("fingerprint of images 3", width=FINGERPRINT, about="fingerprints of images", dtype=np.uint8)


def tables() -> Iterator[TableInfo]:
    """Every table of the cache, least recently used first."""
    cache = cache_folder()
    found: list[TableInfo] = []
    for folder in (path for path in (cache / "features").glob("*") if is_ours(path)):
        with suppress(FileNotFoundError):  # somebody else prunes
            files = [path for path in folder.glob("*") if path.is_file() and path.suffix != living.MARK]
            if not files:
                continue
            size, about = sum(path.stat().st_size for path in files), _about(folder)
            rows = sum(_rows(path) for path in files if path.suffix == ".rows")
            used, in_use = folder.stat().st_mtime, living.is_marked(cache, folder)
            found.append(TableInfo(folder.name, about or "damaged", rows, size, used, in_use))
    yield from sorted(found, key=lambda info: info.last_used)


def _about(folder: Path) -> str | None:
    """What a person reads of a table; None where that was not written, or not whole."""
    try:
        return str(read_json(folder / "about.json")["about"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _rows(segment: Path) -> int:
    try:
        with segment.open("rb") as file:
            return int(json.loads(file.read(256))["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _open_segment(path: Path, width: int) -> tuple[np.ndarray, int, np.dtype] | None:
    """(keys, offset of the rows, their type); None for a segment that is not whole."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(256))
            keys = file.read(32 * header["rows"])
            dtype = np.dtype(header["dtype"])
            whole = 256 + len(keys) + header["rows"] * width * dtype.itemsize
            if header["width"] != width or path.stat().st_size != whole:
                return None
            seen = hashlib.sha256(keys)
            while block := file.read(1 << 20):
                seen.update(block)
            if seen.hexdigest() != header["sha256"]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return np.frombuffer(keys, np.uint8).reshape(-1, 32), 256 + len(keys), dtype


def as_kept(rows: np.ndarray) -> np.ndarray:
    """(n, width) float32, rounded as the store would give them back."""
    return rows.astype(_kept_type(rows)).astype(np.float32)


def _kept_type(rows: np.ndarray) -> type[np.generic]:
    return np.float16 if np.abs(rows).max() < _HALF_MAX else np.float32


def _as_keys(digests: np.ndarray) -> np.ndarray:
    """(n, 32) uint8 -> (n,) of 32 raw bytes each, which numpy sorts and compares as one value."""
    return np.ascontiguousarray(digests).view(np.dtype((np.void, 32))).ravel()
