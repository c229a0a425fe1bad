"""Photos whose bytes are the cells of a Parquet file, read when they are asked for: a group of rows at a time.

Groups are kept unpacked for a while, since the next photo is mostly of the same one: in memory, or written down
(`storage.spool`) where memory has no room for a few of them with a thousand photos together. Who reads photos in an
order of his own goes by their blocks.
"""

from __future__ import annotations

import hashlib
import os
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from headstart.data.files.parquet_footer import Part, largest_value, parts
from headstart.errors import DataError, UserError, first_line, shortened
from headstart.inputs.packed import MOST_BYTES, MOST_OF_AN_ARCHIVE, Block, PackedPhoto
from headstart.inputs.paths import is_address
from headstart.storage.files import open_file, read_file
from headstart.storage.kept import cache_root, free_bytes
from headstart.storage.spool import Spool

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT = 2**28  # bytes of groups that are kept in memory, of all files together
_A_GROUP = 2**26  # bytes of one that is kept there; a larger one is written down
_MANY = 1400  # photos of a group's average size have to fit in there, or it is written down
_WRITTEN = 2**33  # bytes of groups that are kept on disk, or half of what is free
_BATCH = 2**26  # bytes that are unpacked at a time, unless one photo has more
_REPEATED = 2**32  # bytes that a group might unpack to, from which on what it repeats is unpacked once
_ROWS = 2**16  # of such a group that are read at a time
_LONGEST = 200  # characters of a path that is shown


@dataclass(frozen=True)
class ParquetPhotos:
    """A column of photos of a Parquet file."""

    path: Path
    column: str
    groups: tuple[tuple[int, Block], ...]  # bytes of a photo on average, and what is unpacked to read it
    starts: np.ndarray  # (groups + 1,) the first row of each group

    def photo(self, row: int) -> PhotoInParquet:
        """The photo in a row of the file."""
        group = int(np.searchsorted(self.starts, row, side="right")) - 1
        called = f"{self.path.name} row {row + 1}"
        size, block = self.groups[group]
        return PhotoInParquet(str(self.path), size, called, self.column, row, block)


@dataclass(frozen=True, slots=True)
class PhotoInParquet(PackedPhoto):
    """A photo that is a cell of a Parquet file."""

    column: str
    row: int
    group: Block

    @property
    def block(self) -> Block:
        """The group of rows that it is in."""
        return self.group

    def read(self) -> bytes:
        """The bytes of the photo's own file; raises OSError or DataError as `PackedPhoto.read`."""
        status = os.stat(self.file)
        content, path = _opened(self.file, self.column, status.st_size, status.st_mtime_ns).cell(self.row)
        if content is not None:
            return content
        if path is None:
            raise DataError("no image in this row")
        if is_address(path):
            raise DataError(f"an address, from which nothing is fetched: {shortened(path, _LONGEST)}")
        try:
            return read_file(Path(self.file).parent / path, most=MOST_BYTES)
        except FileNotFoundError as error:
            raise DataError(f"{error.strerror}: {shortened(path, _LONGEST)}") from None


def photo_columns(schema: pa.Schema) -> list[str]:
    """The columns of a table that hold photos: bytes, or bytes and paths as the hub has them."""
    from pyarrow import types

    def binary(kind: Any) -> bool:
        return types.is_binary(kind) or types.is_large_binary(kind)

    def holds_photos(kind: Any) -> bool:
        if not types.is_struct(kind):
            return binary(kind)
        inside = {kind.field(number).name: kind.field(number).type for number in range(kind.num_fields)}
        return "bytes" in inside and {*inside} <= {"bytes", "path"} and binary(inside["bytes"])

    return [field.name for field in schema if holds_photos(field.type)]


def photos_of(path: Path, file: BinaryIO, parquet: Any, column: str) -> ParquetPhotos:
    """A column of photos, by what the footer says.

    Raises:
        ValueError: it is not what a Parquet file ends with.
    """
    groups = _parts_of(file, parquet, column)
    rows = np.cumsum([0, *(group.rows for group in groups)])
    blocks = (Block(str(path), number, _share(group)) for number, group in enumerate(groups))
    sizes = (group.size // max(1, group.rows) for group in groups)
    return ParquetPhotos(path, column, tuple(zip(sizes, blocks, strict=True)), rows)


def _share(group: Part) -> float:
    """What a group takes of the room that it is kept in."""
    return group.size / (_WRITTEN if _is_large(group) else _KEPT)


def _is_large(group: Part) -> bool:
    """Whether a group is written down from its first photo on, by what the footer says."""
    return group.size > _A_GROUP or group.size * _MANY > _KEPT * group.rows


def _parts_of(file: BinaryIO, parquet: Any, column: str) -> list[Part]:
    """The part of each group of rows that has the bytes of a column."""
    wanted = leaves_of(parquet, [column])
    names = [parquet.schema.column(leaf).name for leaf in wanted]
    leaf = wanted[names.index("bytes")] if "bytes" in names else wanted[0]
    return [part for part in parts(file, parquet.metadata.num_rows) if part.column == leaf]


def leaves_of(parquet: Any, columns: list[str]) -> list[int]:
    """The numbers of the leaves of the schema that these columns have."""
    return [
        number
        for number in range(len(parquet.schema))
        if any(f"{parquet.schema.column(number).path}.".startswith(f"{name}.") for name in columns)
    ]


class _Column:
    """A column of photos that is open."""

    def __init__(self, path: str, column: str, *known: int) -> None:
        import pyarrow.parquet

        self._path, self._column, self._lock = path, column, threading.Lock()
        self._known = path, column, *known  # its groups are kept by that: of many files not all stay open
        with open_file(path, most=MOST_OF_AN_ARCHIVE) as file, _readable():
            parquet = pyarrow.parquet.ParquetFile(file)
            self._groups = _parts_of(file, parquet, column)
        self._starts = np.cumsum([0, *(group.rows for group in self._groups)])

    def cell(self, row: int) -> tuple[bytes | None, str | None]:
        """The bytes in a row, and the path; None where there is none."""
        if not 0 <= row < self._starts[-1]:
            raise DataError("the file has fewer rows than it had", where=self._path)
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        at = row - int(self._starts[group])
        with self._lock:  # whoever else wants a photo of this group waits for it
            key = *self._known, group
            cells = _kept.get(key) or _written.get(key)
            if cells is None:
                cells = self._unpacked(group)
                (_written if isinstance(cells, _Written) else _kept).put(key, cells)
        return cells.cell(at)

    def _unpacked(self, group: int) -> _Kept | _Written:
        """All photos of a group: in memory, or written down where they are too large together."""
        import pyarrow.parquet

        batches: list[Any] = []
        size, written = 0, _Written() if _is_large(self._groups[group]) else None
        with open_file(self._path, most=MOST_OF_AN_ARCHIVE) as file, _readable():
            largest = max(1.0, largest_value(file, self._groups[group]))
            if largest > MOST_BYTES:
                raise DataError(f"a page of {largest:,.0f} bytes, more than {MOST_BYTES:,}")
            leaf = pyarrow.parquet.ParquetFile(file).schema.column(self._groups[group].column).path
            # Of a column that is read as a dictionary, a photo that many rows have is unpacked once.
            repeats = largest * self._groups[group].rows > _REPEATED
            options = {"buffer_size": 2**20, "read_dictionary": [leaf] if repeats else None}
            parquet = pyarrow.parquet.ParquetFile(file, **options)
            rows = _ROWS if repeats else max(1, int(_BATCH / largest))
            for batch in parquet.iter_batches(batch_size=rows, row_groups=[group], columns=[self._column]):
                size += batch.nbytes
                batches.append(batch.column(0))
                if size > _A_GROUP and written is None:
                    written = _Written()
                if written is not None:
                    for cells in batches:
                        written.add(cells)
                    batches = []
        return _Kept(batches, size) if written is None else written


class _Kept:
    """The photos of a group, in memory."""

    def __init__(self, batches: list[Any], size: int) -> None:
        self._batches, self.size = batches, size
        self._starts = np.cumsum([0, *map(len, batches)])

    def cell(self, at: int) -> tuple[bytes | None, str | None]:
        batch = int(np.searchsorted(self._starts, at, side="right")) - 1
        return _cell(self._batches[batch][at - int(self._starts[batch])].as_py())


class _Written:
    """The photos of a group, written down."""

    def __init__(self) -> None:
        self._spool = Spool()
        self._starts, self._sizes = array("q"), array("q")
        self._paths: dict[int, str | None] = {}
        self._places: dict[bytes, tuple[int, int]] = {}  # of values of dictionaries, by their sha256

    @property
    def size(self) -> int:
        return self._spool.size

    def add(self, cells: Any) -> None:
        """Photos behind the others; of a dictionary, each of its values once."""
        known: dict[int | None, tuple[int, int]] = {}  # number in the dictionary -> where it begins, bytes
        for at, number in enumerate(_in_dictionary(cells)):
            if number is None or number not in known:
                content, path = _cell(cells[at].as_py())
                if content is None:
                    self._paths[len(self._starts)] = path
                known[number] = self._place(content or b"", shared=number is not None)
            start, size = known[number]
            self._starts.append(start)
            self._sizes.append(size)

    def _place(self, content: bytes, *, shared: bool) -> tuple[int, int]:
        """Where a photo is written down: where an earlier part of the group has it, if it may have."""
        if not shared:
            return self._spool.add(content), len(content)
        name = hashlib.sha256(content).digest()
        if name not in self._places:
            self._places[name] = self._spool.add(content), len(content)
        return self._places[name]

    def cell(self, at: int) -> tuple[bytes | None, str | None]:
        if at in self._paths:
            return None, self._paths[at]
        return self._spool.read(self._starts[at], self._sizes[at]), None


class _Groups:
    """The groups that were used last, as many as fit into so many bytes."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._lock, self._found, self._size, self._most = threading.Lock(), OrderedDict[Any, _Cells](), 0, most

    def get(self, key: Any) -> _Cells | None:
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
            return found

    def put(self, key: Any, cells: _Cells) -> None:
        with self._lock:
            if key in self._found:
                return
            self._found[key] = cells
            self._size += cells.size
            while self._size > self._most() and len(self._found) > 1:
                self._size -= self._found.popitem(last=False)[1].size


_Cells = _Kept | _Written
_kept = _Groups(lambda: _KEPT)
_written = _Groups(lambda: min(_WRITTEN, free_bytes(cache_root()) // 2))


@lru_cache(maxsize=256)
def _opened(path: str, column: str, size: int, changed: int) -> _Column:
    """A column of a file as it is now."""
    return _Column(path, column, size, changed)


def _in_dictionary(cells: Any) -> Iterable[int | None]:
    """Which value of a dictionary each photo is; None: of none."""
    from pyarrow import types

    inner = cells.field("bytes") if types.is_struct(cells.type) else cells
    if not types.is_dictionary(inner.type):
        return repeat(None, len(cells))
    numbers = zip(inner.indices.to_pylist(), cells, strict=True)
    return [number if cell.is_valid else None for number, cell in numbers]


def _cell(value: Any) -> tuple[bytes | None, str | None]:
    return (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)


@contextmanager
def _readable() -> Iterator[None]:
    """While pyarrow reads: it has a class for each of its parts, and Python's own besides."""
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:
        raise DataError(f"cannot be read: {first_line(error)}") from None
