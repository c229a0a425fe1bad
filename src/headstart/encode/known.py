"""What a table knows at a moment: the rows of its last generation, and those that were added since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.encode import forms
from headstart.encode.generations import Generation
from headstart.encode.keys import KEY, Sorted, first_of_each, order_of
from headstart.encode.row_files import Rows, in_a_row
from headstart.storage.matrix import widened


@dataclass(frozen=True)
class _Level:
    """Keys that are looked up together, and where their rows are. It takes 40 bytes a row."""

    keys: Sorted
    file: np.ndarray  # (n,) int32, which of the files
    row: np.ndarray  # (n,) int32
    files: Sequence[Rows]

    def whole(self, at: np.ndarray) -> np.ndarray:
        whole = np.empty(len(at), dtype=bool)
        for number, here in self._by_file(at):
            whole[here] = self.files[number].whole(self.row[at[here]])
        return whole

    def read(self, at: np.ndarray, out: np.ndarray, places: np.ndarray) -> None:
        for number, here in self._by_file(at):
            rows, these = self.files[number].read(self.row[at[here]]), in_a_row(places[here])
            if rows.dtype == np.float16 and out.dtype == np.float32 and isinstance(these, slice):
                widened(rows, out=out[these])
            else:
                out[these] = rows

    def read_kept(self, at: np.ndarray, out: np.ndarray, places: np.ndarray) -> None:
        for number, here in self._by_file(at):
            kept = self.files[number].kept(self.row[at[here]])
            out[places[here]] = kept if kept.dtype == forms.INT8 else forms.to_int8(kept.astype(np.float32))

    def _by_file(self, at: np.ndarray) -> list[tuple[int, np.ndarray]]:
        file = self.file[at]
        return [(number, np.flatnonzero(file == number)) for number in np.unique(file).tolist()]


@dataclass(frozen=True)
class Known:
    """Rows of a table by their keys. A handle is a place in its levels, one after the other."""

    width: int
    levels: tuple[_Level, ...]
    gathered: int = 0  # of its levels, which are its first ones

    @classmethod
    def of(cls, gathered: Generation | None, added: Sequence[tuple[np.ndarray, Rows]], width: int) -> Known:
        """What was gathered counts before what was added, and of that what comes first."""
        levels = [] if gathered is None else [_Level(gathered.keys, gathered.shard, gathered.row, gathered.shards)]
        if added:
            levels.append(_added(added))
        return cls(width, tuple(levels), 0 if gathered is None else 1)

    def __len__(self) -> int:
        return sum(len(level.keys) for level in self.levels)

    @property
    def of_gathered(self) -> Known:
        """What of it was gathered; its handles hold for the whole, too."""
        return replace(self, levels=self.levels[: self.gathered])

    def damaged(self) -> int:
        """How many rows are not what was written, and were not added again since; all are read for that.

        Raises:
            OSError: a file is gone.
        """
        lost = 0
        for level in self.levels:
            spoiled = np.flatnonzero(~level.whole(np.arange(len(level.keys))))
            lost += int((self.find(level.keys.keys(spoiled)) < 0).sum())
        return lost

    def find(self, digests: np.ndarray) -> np.ndarray:
        """(n, 32) uint8 -> (n,) int64 handles; -1 where there is no row that is whole.

        Raises:
            OSError: a file is gone.
        """
        handles, before = np.full(len(digests), -1, dtype=np.int64), 0
        for level in self.levels:
            left = np.flatnonzero(handles < 0)
            at = level.keys.find(digests[left])
            there = np.flatnonzero(at >= 0)
            there = there[level.whole(at[there])]
            handles[left[there]] = before + at[there]
            before += len(level.keys)
        return handles

    def rows(self, handles: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """(n,) handles -> (n, width).

        Raises:
            OSError: a file is gone, or damaged.
        """
        out = np.empty((len(handles), self.width), dtype=dtype)
        for level, at, places in self._by_level(handles):
            level.read(at, out, places)
        return out

    def as_kept(self, handles: np.ndarray) -> np.ndarray:
        """(n,) handles -> (n, k) rows in int8: as they are kept, where they are kept so. Raises OSError as `rows`."""
        out = np.empty((len(handles), forms.columns(self.width, forms.INT8)), dtype=forms.INT8)
        for level, at, places in self._by_level(handles):
            level.read_kept(at, out, places)
        return out

    def sample(self, most: int) -> Iterator[np.ndarray]:
        """Some of the rows as they are kept, from all over the files; at most so many, but one of each file.

        Raises:
            OSError: a file is gone, or damaged.
        """
        files = [file for level in self.levels for file in level.files if len(file)]
        for file in files:
            some = min(len(file), max(1, most // len(files)))
            yield file.kept(np.unique(np.linspace(0, len(file) - 1, some).astype(np.int64)))

    def keys(self, handles: np.ndarray) -> np.ndarray:
        """(n,) handles -> (n, 32) uint8."""
        out = np.empty((len(handles), KEY), dtype=np.uint8)
        for level, at, places in self._by_level(handles):
            out[places] = level.keys.keys(at)
        return out

    def _by_level(self, handles: np.ndarray) -> list[tuple[_Level, np.ndarray, np.ndarray]]:
        found, before = [], 0
        for level in self.levels:
            places = np.flatnonzero((handles >= before) & (handles < before + len(level.keys)))
            found.append((level, handles[places] - before, places))
            before += len(level.keys)
        return found


def _added(added: Sequence[tuple[np.ndarray, Rows]]) -> _Level:
    sizes = [len(keys) for keys, _ in added]
    keys = np.concatenate([keys for keys, _ in added])
    first = first_of_each(keys, order_of(keys))
    file = np.repeat(np.arange(len(added), dtype=np.int32), sizes)[first]
    row = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])[first]
    return _Level(Sorted.of(keys[first]), file, row, [rows for _, rows in added])
