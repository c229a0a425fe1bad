"""Shards with an index: what a table's segments are gathered into, a generation at a time.

A generation is a folder `shards-000001` that is never changed: `000001.npy` and so on (up to 65,536 rows each, plain
numpy files), `index.parquet` (key, shard, row; by key), `sums.npy` (of each block of each shard) and `shards.json`. The
folder gets its name by one rename, which fails where somebody else was first; of several the last one counts, which
holds whatever the earlier ones held.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.encode import forms
from headstart.encode.keys import KEY, LEADING, Sorted
from headstart.encode.row_files import SUM, RowFile, block_rows, sums_of
from headstart.storage.files import read_file, read_json, sha256_of

if TYPE_CHECKING:
    import pyarrow

SHARD_ROWS = 65_536  # at most
_SHARD_BYTES = 256 * 2**20  # at most, as far as a row fits: that much is in memory while one is written
_NAME = re.compile(r"shards-(\d{6,})")
_INDEX, _SUMS, _FACTS = "index.parquet", "sums.npy", "shards.json"
_MOST = 1 << 40  # bytes of an index
_BATCH = 1 << 16  # rows of an index that are read at a time
_FORMAT, _WITH_INT8 = 1, 2  # versions before the second take no row for another
_TYPES = ("float16", "float32", "int8", "uint8")
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
    for again in reversed(range(_TRIES)):
        try:
            return next(filter(None, (_opened(path, width) for path in reversed(generations(folder)))), None)
        except FileNotFoundError:  # replaced by the next one at this moment
            if not again:
                raise
    return None


def count_of(generation: Path) -> int:
    """How many rows a generation says that it has."""
    try:
        return int(read_json(generation / _FACTS)["rows"])
    except (OSError, ValueError, KeyError, TypeError):
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

    schema = pyarrow.schema([("key", pyarrow.binary(KEY)), ("shard", pyarrow.int32()), ("row", pyarrow.int32())])
    options: dict[str, Any] = {"use_dictionary": False, "write_statistics": ["shard", "row"], "compression": "NONE"}
    with parquet.ParquetWriter(folder / _INDEX, schema, **options) as writer:
        for batch in batches():
            writer.write_batch(batch)
    sums = [shard.sums for shard in shards if shard.sums is not None]
    np.save(folder / _SUMS, np.concatenate([np.empty((0, SUM), np.uint8), *sums]))
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
        np.save(file, rows)
        offset = file.tell() - rows.nbytes
    return RowFile(path, offset, rows.dtype, rows.shape[1], len(rows), sums_of(rows))


def _opened(folder: Path, width: int) -> Generation | None:
    """A generation whose index is what was written; None: it is damaged. Its rows are checked when they are read.

    Raises:
        OSError: it cannot be read.
    """
    try:
        facts = read_json(folder / _FACTS)
        sums = dict(facts["sha256"])
        if sums.pop("shards.json") != _sum({**facts, "sha256": sums}) or facts["width"] != width:
            return None
        if facts["format"] not in (_FORMAT, _WITH_INT8) or any(
            sums[name] != sha256_of(folder / name, most=_MOST) for name in sums
        ):
            return None
        shards = tuple(_shards(folder, facts, width))
        keys, shard, row = _index(folder / _INDEX, facts["rows"])
        _refuse_strays(shard, row, np.array([one.count for one in shards], dtype=np.int64))
        return Generation(folder, keys, shard, row, shards)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def _refuse_strays(shard: np.ndarray, row: np.ndarray, counts: np.ndarray) -> None:
    """Raises DamagedError where an index names rows that its shards have not."""
    if not len(shard):
        return
    if shard.min() < 0 or shard.max() >= len(counts) or row.min() < 0 or (row >= counts[shard]).any():
        raise DamagedError("an index of rows that are not there")


def _sum(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _index(path: Path, count: int) -> tuple[Sorted, np.ndarray, np.ndarray]:
    """Keys, (n,) shards counted from 0 and (n,) rows: read bit by bit, so that no more than that is in memory."""
    from pyarrow import parquet

    with parquet.ParquetFile(path, pre_buffer=False) as file:
        if file.metadata.num_rows != count:
            raise DamagedError("an index of another length")
        keys = Sorted(np.empty(count, np.uint64), np.empty((count, KEY - LEADING), np.uint8))
        shard, row, done = np.empty(count, np.int32), np.empty(count, np.int32), 0
        for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
            column, some = batch.column("key"), slice(done, done + len(batch))
            content = np.frombuffer(column.buffers()[1], np.uint8)[KEY * column.offset :][: KEY * len(batch)]
            part = Sorted.of(content.reshape(-1, KEY))
            keys.leading[some], keys.rest[some] = part.leading, part.rest
            np.subtract(batch.column("shard").to_numpy(), 1, out=shard[some])
            row[some] = batch.column("row").to_numpy()
            done += len(batch)
    return keys, shard, row


def _known_type(name: object) -> str:
    if name not in _TYPES:
        raise DamagedError("rows of another type than are written")
    return str(name)


def _shards(folder: Path, facts: dict[str, Any], width: int) -> Iterator[RowFile]:
    sums, done = np.load(io.BytesIO(read_file(folder / _SUMS, most=_MOST)), allow_pickle=False), 0
    for number, told in enumerate(facts["shards"]):
        path, dtype, count = shard_path(folder, number), np.dtype(_known_type(told["dtype"])), int(told["rows"])
        if count < 0 or int(told["offset"]) < 0:
            raise DamagedError("a shard of fewer rows than none")
        stored = forms.columns(width, dtype)
        own = sums[done : done + -(-count // block_rows(stored, dtype))]
        done += len(own)
        yield RowFile(path, int(told["offset"]), dtype, stored, count, own)
