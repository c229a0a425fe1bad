"""Features on disk, by content: what was encoded once is never encoded again.

A table is a folder named after a function (preprocessing, weights, precision); inside, each segment file holds rows
that one run added: a header line, the sha256 of each example, the rows, and a sha256 over all of it. A segment is
written under a temporary name and renamed, so a reader sees it whole or not at all: runs may share a table, and a
kill loses at most the rows that were not yet flushed. A damaged segment is left out and its rows are encoded again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.matrix import room_for
from headstart.places import cache_folder, write_whole
from headstart.values import Kind, Matrix

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


class Table:
    """Rows of one width under sha256 keys. Lookups read what is on disk; `add` writes a segment."""

    def __init__(self, folder: Path, width: int, *, dtype: type[np.generic] | None = None) -> None:
        self._folder, self._width, self._dtype = folder, width, dtype
        self._digests = np.empty((0, 32), dtype=np.uint8)
        self._home = np.empty((0, 2), dtype=np.int64)  # (segment, row) of each digest
        self._segments: list[tuple[Path, int, np.dtype]] = []
        self._load()

    def find(self, digests: np.ndarray) -> np.ndarray:
        """(n, 32) uint8 -> (n,) int64 handles for `rows`; -1 where the store has none."""
        if not len(self._digests):
            return np.full(len(digests), -1, dtype=np.int64)
        have, want = _as_keys(self._digests), _as_keys(digests)
        at = np.minimum(np.searchsorted(have, want), len(have) - 1)
        return np.where(have[at] == want, at, -1).astype(np.int64)

    def rows(self, handles: np.ndarray) -> np.ndarray:
        """(n,) handles -> (n, width) array; read segment by segment, nothing else is kept in memory."""
        out = np.empty((len(handles), self._width), dtype=self._dtype or np.float32)
        home = self._home[handles]
        for number in np.unique(home[:, 0]).tolist():
            path, offset, dtype = self._segments[number]
            here = np.flatnonzero(home[:, 0] == number)
            stored = np.memmap(path, dtype=dtype, mode="r", offset=offset)
            count = stored.size // self._width
            out[here] = stored[: count * self._width].reshape(count, self._width)[home[here, 1]]
        return out

    def matrix(self, handles: np.ndarray) -> Matrix:
        """(n,) handles -> (n, width) float32, on disk where they are many."""
        out = room_for(len(handles), self._width)
        for start in range(0, len(handles), _GATHERED):
            out[start : start + _GATHERED] = self.rows(handles[start : start + _GATHERED])
        return out

    def add(self, digests: np.ndarray, rows: np.ndarray) -> None:
        """Write one segment: (n, 32) uint8 keys and (n, width) rows."""
        if not len(rows):
            return
        dtype = self._dtype or (np.float16 if np.abs(rows).max() < _HALF_MAX else np.float32)
        keys, data = np.ascontiguousarray(digests).tobytes(), np.ascontiguousarray(rows, dtype=dtype).tobytes()
        check = hashlib.sha256(keys + data).hexdigest()
        header = json.dumps({"rows": len(rows), "width": self._width, "dtype": np.dtype(dtype).name, "sha256": check})
        content = header.encode().ljust(255) + b"\n" + keys + data
        write_whole(self._folder / f"{time.time_ns():020d}-{os.getpid()}.rows", content)

    def _load(self) -> None:
        digests, homes = [self._digests], [self._home]
        for path in sorted(self._folder.glob("*.rows")):
            found = _open_segment(path, self._width)
            if found is None:
                continue
            keys, offset, dtype = found
            homes.append(np.column_stack([np.full(len(keys), len(self._segments)), np.arange(len(keys))]))
            digests.append(keys)
            self._segments.append((path, offset, dtype))
        if self._segments:
            os.utime(self._folder)
        merged, home = np.concatenate(digests), np.concatenate(homes)
        if len(merged):
            _, first = np.unique(_as_keys(merged), return_index=True)
            self._digests, self._home = merged[first], home[first]


def table(key: str, *, width: int, about: str, dtype: type[np.generic] | None = None) -> Table:
    """The table of the function that `key` names; made on first use. `about` is what a person reads of it."""
    folder = cache_folder() / "features" / hashlib.sha256(key.encode()).hexdigest()[:24]
    if not (folder / "about.json").exists():
        write_whole(folder / "about.json", json.dumps({"about": about, "key": key, "width": width}))
    return Table(folder, width, dtype=dtype)


def image_hashes(kind: Kind) -> Table | None:
    """The table of perceptual hashes, for `check`; None for texts, which have none."""
    if kind != "image":
        return None
    return table("perceptual hash 1", width=4, about="perceptual hashes of images", dtype=np.uint64)


def tables() -> Iterator[TableInfo]:
    """Every table of the cache, least recently used first."""
    for folder in sorted((cache_folder() / "features").glob("*"), key=lambda f: f.stat().st_mtime):
        about = folder / "about.json"
        if not about.exists():
            continue
        told = json.loads(about.read_text())
        segments = list(folder.glob("*.rows"))
        rows = sum(_header(s).get("rows", 0) for s in segments)
        size = sum(s.stat().st_size for s in segments)
        yield TableInfo(folder.name, told["about"], rows, size, folder.stat().st_mtime)


def _header(path: Path) -> dict[str, int]:
    try:
        with path.open("rb") as file:
            return dict(json.loads(file.read(256)))
    except (OSError, ValueError):
        return {}


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


def _as_keys(digests: np.ndarray) -> np.ndarray:
    """(n, 32) uint8 -> (n,) of 32 raw bytes each, which numpy sorts and compares as one value."""
    return np.ascontiguousarray(digests).view(np.dtype((np.void, 32))).ravel()
