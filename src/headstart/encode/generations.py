"""Shards with an index: what a table's segments are gathered into, a generation at a time.

A generation is a folder `shards-000001` that is never changed: `000001.npy` and so on (up to 65,536 rows each, plain
numpy files), `index.parquet` (key, shard, row; by key), `sums.npy` (of each block of each shard) and `shards.json`. The
folder gets its name by one rename, which fails where somebody else was first; of several the last one counts, which
holds whatever the earlier ones held.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from headstart.encode import forms
from headstart.encode.keys import KEY, LEADING, Sorted
from headstart.encode.row_files import SUM, RowFile, block_rows, sums_of
from headstart.storage.files import open_file, read_file, read_json, sha256_of

if TYPE_CHECKING:
    import pyarrow

T = TypeVar("T")

SHARD_ROWS = 65_536  # at most
_SHARD_BYTES = 256 * 2**20  # at most, as far as a row fits: that much is in memory while one is written
_NAME = re.compile(r"shards-(\d{6,9})")
_FILE = re.compile(r"\d{6,}\.npy|index\.parquet|sums\.npy|shards\.json")
_IS_NONE = {errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EFBIG}  # what is no file, or another's
_INDEX, _SUMS, _FACTS = "index.parquet", "sums.npy", "shards.json"
_MOST = 1 << 40  # bytes of an index
_MOST_FACTS = 1 << 24  # bytes: of a hundred thousand shards
_MOST_OFFSET = 1 << 16  # bytes before the rows of a shard
_INDEXED, _MOST_BESIDE = 64, 1 << 26  # bytes of an index, at most, for each row and besides
_BATCH = 1 << 16  # rows of an index that are read at a time
_FORMAT, _WITH_INT8 = 1, 2  # versions before the second take no row for another
_TRIES = 3  # to open the last generation, which another process may replace meanwhile


@dataclass(frozen=True)
class Generation:
    """A folder of shards, opened: where the row of each key is."""

    folder: Path
    keys: Sorted
    shard: np.ndarray  # (n,) int32, which of the shards
    row: np.ndarray  # (n,) int32, of the shard
    shards: tuple[RowFile, ...]

    @property
    def number(self) -> int:
        return number_of(self.folder)


class DamagedError(ValueError):
    """A generation that is not what was written."""


def generations(folder: Path) -> list[Path]:
    """The folders of a table's generations, the last one behind."""
    return sorted((path for path in folder.glob("shards-*") if _NAME.fullmatch(path.name)), key=number_of)


def number_of(generation: Path) -> int:
    """0 of what is none."""
    found = _NAME.fullmatch(generation.name)
    return int(found[1]) if found else 0


def named(folder: Path, number: int) -> Path:
    return folder / f"shards-{number:06d}"


def last(folder: Path, width: int) -> Generation | None:
    """The last generation of a table that is whole; None: there is none.

    Raises:
        OSError: there is one, and it cannot be read.
    """
    return _last(folder, lambda path: _opened(path, width))


def last_number(folder: Path, width: int) -> int:
    """The number of the generation that `last` opens, whose shards are all there; 0: there is none.

    What its rows are is seen when they are read.

    Raises:
        OSError: as `last`.
    """

    def complete(path: Path) -> Path | None:
        opened = _opened(path, width)
        return path if opened is not None and all(shard.is_complete for shard in opened.shards) else None

    found = _last(folder, complete)
    return 0 if found is None else number_of(found)


def _last(folder: Path, opened: Callable[[Path], T | None]) -> T | None:
    for again in reversed(range(_TRIES)):
        try:
            return next(filter(None, map(opened, reversed(generations(folder)))), None)
        except FileNotFoundError:  # replaced by the next one at this moment
            if not again:
                raise
    return None


def is_ours(generation: Path) -> bool:
    """Whether nothing is in its folder but what belongs there. Raises OSError where nobody can tell."""
    with os.scandir(generation) as entries:
        return all(_FILE.fullmatch(one.name) and not one.is_dir() for one in entries)


def count_of(generation: Path) -> int:
    """How many rows a generation says that it has."""
    try:
        return int(read_json(generation / _FACTS)["rows"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return 0


def shard_rows(width: int, dtype: np.dtype) -> int:
    """Rows of a full shard. Args: width: of features."""
    return max(1, min(SHARD_ROWS, _SHARD_BYTES // (forms.columns(width, dtype) * dtype.itemsize)))


def write_index(
    folder: Path, keys: np.ndarray, shard: np.ndarray, row: np.ndarray, shards: Sequence[RowFile], width: int
) -> None:
    """Write what makes a folder of shards a generation.

    Args:
        keys: (n, 32) uint8 in their order. shard, row: (n,) where the row of each is; shards count from 0 here.
    """
    import pyarrow
    from pyarrow import parquet

    def batches() -> Iterator[pyarrow.RecordBatch]:
        for start in range(0, len(keys), _BATCH):
            some = slice(start, start + _BATCH)
            named = pyarrow.FixedSizeBinaryArray.from_buffers(
                pyarrow.binary(KEY), len(keys[some]), [None, pyarrow.py_buffer(np.ascontiguousarray(keys[some]))]
            )
            columns = [named, pyarrow.array(shard[some] + 1, "int32"), pyarrow.array(row[some], "int32")]
            yield pyarrow.RecordBatch.from_arrays(columns, names=["key", "shard", "row"])

    options: dict[str, Any] = {"use_dictionary": False, "write_statistics": ["shard", "row"], "compression": "NONE"}
    # Files, not their names: Arrow takes none that is no UTF-8.
    with (folder / _INDEX).open("wb") as file, parquet.ParquetWriter(file, _schema(), **options) as writer:
        for batch in batches():
            writer.write_batch(batch)
    sums = [shard.sums for shard in shards if shard.sums is not None]
    with (folder / _SUMS).open("wb") as file:
        _save(file, np.concatenate([np.empty((0, SUM), np.uint8), *sums]))
    facts: dict[str, Any] = {
        "format": _WITH_INT8 if any(shard.dtype == forms.INT8 for shard in shards) else _FORMAT,
        "width": width,
        "rows": len(keys),
        "shards": [{"rows": shard.count, "dtype": shard.dtype.name, "offset": shard.offset} for shard in shards],
        "sha256": {name: sha256_of(folder / name, most=_MOST) for name in (_INDEX, _SUMS)},
    }
    facts["sha256"]["shards.json"] = _sum(facts)
    (folder / _FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def shard_path(folder: Path, number: int) -> Path:
    """The file of a shard, which count from 0 here."""
    return folder / f"{number + 1:06d}.npy"


def write_shard(folder: Path, number: int, rows: np.ndarray) -> RowFile:
    """Write (n, k) rows, as they are kept, as a plain numpy file."""
    path = shard_path(folder, number)
    with path.open("wb") as file:
        offset = _save(file, rows)
    return RowFile(path, offset, rows.dtype, rows.shape[1], len(rows), sums_of(rows))


def _save(file: BinaryIO, array: np.ndarray) -> int:
    """Write an array as numpy does; where its numbers begin. numpy itself does not say why a disk took nothing more."""
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    offset = file.tell()
    file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return offset


def _opened(folder: Path, width: int) -> Generation | None:
    """A generation whose index is what was written; None: it is damaged. Its rows are checked when they are read.

    Raises:
        OSError: it cannot be read.
    """
    checked = _checked(folder, width)
    if checked is None:
        return None
    rows, shards = checked
    try:
        keys, shard, row = _index(folder / _INDEX, rows)
        _refuse_strays(shard, row, np.array([one.count for one in shards], dtype=np.int64))
        _refuse_disorder(keys)
        return Generation(folder, keys, shard, row, shards)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, NotImplementedError):
        return None


def _checked(folder: Path, width: int) -> tuple[int, tuple[RowFile, ...]] | None:
    """How many rows a generation has, and its shards, where facts and sums are what was written; else None.

    Raises:
        OSError: it cannot be read.
    """
    try:
        facts = read_json(folder / _FACTS, most=_MOST_FACTS)
        sums, rows = dict(facts["sha256"]), _count(facts["rows"], most=2**40)
        whole = sums.pop(_FACTS) == _sum({**facts, "sha256": sums}) and sums.keys() == {_INDEX, _SUMS}
        if not whole or facts["width"] != width or facts["format"] not in (_FORMAT, _WITH_INT8):
            return None
        most = _INDEXED * rows + _MOST_BESIDE
        if any(sums[name] != sha256_of(folder / name, most=most) for name in sums):
            return None
        return rows, tuple(_shards(folder, facts, width))
    except OSError as error:
        if error.errno in _IS_NONE or (isinstance(error, FileNotFoundError) and os.path.lexists(folder)):
            return None
        raise  # it was replaced, or may not be read
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _count(told: object, *, most: int) -> int:
    """A number that a file tells. Raises DamagedError where it is none, or more than there can be."""
    if type(told) is not int or not 0 <= told <= most:
        raise DamagedError("a number that nothing has")
    return told


@cache
def _schema() -> pyarrow.Schema:
    import pyarrow

    return pyarrow.schema([("key", pyarrow.binary(KEY)), ("shard", pyarrow.int32()), ("row", pyarrow.int32())])


def _refuse_strays(shard: np.ndarray, row: np.ndarray, counts: np.ndarray) -> None:
    """Raises DamagedError where an index names rows that its shards have not."""
    if not len(shard):
        return
    if shard.min() < 0 or shard.max() >= len(counts) or row.min() < 0 or (row >= counts[shard]).any():
        raise DamagedError("an index of rows that are not there")
    used = np.zeros(int(counts.sum()), dtype=bool)
    used[(np.cumsum(counts) - counts)[shard] + row] = True
    if used.sum() != len(row):
        raise DamagedError("an index by which several keys have one row")


def _refuse_disorder(keys: Sorted) -> None:
    """Raises DamagedError where keys are not in their order, or one is there twice: not all would be found."""
    before, after = keys.leading[:-1], keys.leading[1:]
    tied = np.flatnonzero(before == after)
    if (before > after).any() or any(keys.rest[i].tobytes() >= keys.rest[i + 1].tobytes() for i in tied.tolist()):
        raise DamagedError("an index that is not in order")


def _sum(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _index(path: Path, count: int) -> tuple[Sorted, np.ndarray, np.ndarray]:
    """Keys, (n,) shards counted from 0 and (n,) rows: read bit by bit, so that no more than that is in memory."""
    from pyarrow import parquet

    with open_file(path, most=_MOST) as opened, parquet.ParquetFile(opened, pre_buffer=False) as file:
        if file.metadata.num_rows != count or count * KEY > os.fstat(opened.fileno()).st_size:
            raise DamagedError("an index of another length")
        if not file.schema_arrow.equals(_schema()):
            raise DamagedError("an index of other columns")
        keys = Sorted(np.empty(count, np.uint64), np.empty((count, KEY - LEADING), np.uint8))
        shard, row, done = np.empty(count, np.int32), np.empty(count, np.int32), 0
        for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
            column, some = batch.column("key"), slice(done, done + len(batch))
            if any(one.null_count for one in batch.columns):
                raise DamagedError("an index without some keys")
            content = np.frombuffer(column.buffers()[1], np.uint8)[KEY * column.offset :][: KEY * len(batch)]
            part = Sorted.of(content.reshape(-1, KEY))
            keys.leading[some], keys.rest[some] = part.leading, part.rest
            np.subtract(batch.column("shard").to_numpy(), 1, out=shard[some])
            row[some] = batch.column("row").to_numpy()
            done += len(batch)
    return keys, shard, row


def _shards(folder: Path, facts: dict[str, Any], width: int) -> Iterator[RowFile]:
    """Its shards, each with the sums of its blocks."""
    shards = []
    for number, told in enumerate(facts["shards"]):
        dtype, count = forms.type_of(told["dtype"]), _count(told["rows"], most=SHARD_ROWS)
        offset, stored = _count(told["offset"], most=_MOST_OFFSET), forms.columns(width, dtype)
        blocks = -(-count // block_rows(stored, dtype))
        shards.append((RowFile(shard_path(folder, number), offset, dtype, stored, count), blocks))
    sums, done = _sums(folder / _SUMS, sum(blocks for _, blocks in shards)), 0
    for shard, blocks in shards:
        yield replace(shard, sums=sums[done : done + blocks])
        done += blocks


def _sums(path: Path, blocks: int) -> np.ndarray:
    """(blocks, 16) uint8. Raises DamagedError where it has others, or more, whatever its header says."""
    content = io.BytesIO(read_file(path, most=blocks * SUM + _MOST_OFFSET))
    np.lib.format.read_magic(content)
    shape, _, dtype = np.lib.format.read_array_header_1_0(content)
    if shape != (blocks, SUM) or dtype != np.uint8:
        raise DamagedError("sums of other blocks")
    return np.frombuffer(content.read(), np.uint8).reshape(blocks, SUM)
