"""Parquet files and Arrow tables as blocks of rows, and pyarrow's exceptions as one kind.

A Parquet file of a kilobyte may say that it holds billions of rows, or a text of a megabyte in each of a million: how
many rows are read at a time is found from what its parts may take at most.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from headstart.data.files.class_labels import names_in
from headstart.data.files.parquet_footer import largest_value, parts
from headstart.data.files.parquet_photos import leaves_of, photo_columns, photos_of
from headstart.errors import DataError, UserError, first_line
from headstart.storage.columns import Lazy
from headstart.storage.files import open_file

if TYPE_CHECKING:
    import pyarrow as pa

Block = Mapping[str, Any]  # column name -> list of plain values, or an Arrow array that is made one where it is needed

MOST_ROWS = 20_000_000
MOST_BYTES = 16 * 2**30  # of a table's file
_AT_ONCE = 2**30  # bytes that a batch of rows takes, at most
_MOST_LARGER = 100  # times the bytes of a Parquet file, and half a batch besides, that its rows take together
_A_BLOCK = 2**28  # bytes of batches that are put together


class Damaged(ValueError):
    """What pyarrow says of data that it cannot read."""


def parquet_blocks(path: Path, rows: int) -> Iterator[Block]:
    """Blocks of so many rows of a Parquet file, of fewer where rows are large; photos in it are opened later.

    Raises:
        Damaged: no Parquet file, or not as it says. OSError: no regular file. DataError: too many rows, or too large.
    """
    import pyarrow.parquet  # not for a folder of photos

    with open_file(path, most=MOST_BYTES) as file:
        with pyarrow_at_work():
            parquet = pyarrow.parquet.ParquetFile(file)
            n = parquet.metadata.num_rows
            if n > MOST_ROWS:
                raise too_many_rows(path)
            schema = parquet.schema_arrow
            photos = photo_columns(schema) if len({*schema.names}) == len(schema.names) else []
            later = {name: photos_of(path, file, parquet, name).photo for name in photos}
            others = [name for name in schema.names if name not in later]
            leaves = leaves_of(parquet, others)
            at_once = min(rows, _rows_at_once(file, n, path, leaves)) if others else rows
            batches = parquet.iter_batches(batch_size=at_once)
            if later:
                batches = parquet.iter_batches(batch_size=at_once, columns=others)
        most = bomb_of(os.fstat(file.fileno()).st_size)
        read = arrow_blocks(gathered(no_bomb(batches, most, path), rows)) if others else _no_columns(n, rows)
        yield from with_photos(read, schema.names, later)


def class_names(path: Path) -> dict[str, list[str]]:
    """What the numbers in columns of a Parquet file stand for, as the file says it."""
    import pyarrow.parquet

    with open_file(path, most=MOST_BYTES) as file, pyarrow_at_work():
        return names_in(pyarrow.parquet.ParquetFile(file).schema_arrow.metadata)


def with_photos(
    blocks: Iterable[Block | int], names: Sequence[str], later: Mapping[str, Callable[[int], Any]]
) -> Iterator[Block]:
    """Blocks, or how many rows they have, with the columns of photos, each of which is made when it is asked for."""
    start = 0
    for block in blocks:
        there = {} if isinstance(block, int) else block
        stop = start + (block if isinstance(block, int) else len(next(iter(block.values()))))
        photos = {name: Lazy(make, range(start, stop)) for name, make in later.items()}
        start = stop
        yield {name: photos[name] if name in photos else there[name] for name in dict.fromkeys((*names, *there))}


def _no_columns(rows: int, at_once: int) -> Iterator[int]:
    """How many rows each block has of a file with nothing but photos."""
    return (min(at_once, rows - start) for start in range(0, rows, at_once))


def arrow_blocks(batches: Iterable[pa.RecordBatch | pa.Table]) -> Iterator[Block]:
    """Record batches, or tables, as blocks."""
    for batch in _each(batches):
        if batch.num_rows:
            with pyarrow_at_work():
                yield dict(zip(unique(batch.schema.names), batch.columns, strict=True))


def plain_values(column: Any) -> list[Any]:
    """A block's column as a list of Python's own values.

    Raises:
        Damaged: texts that are not UTF-8, times that no calendar has, ...
    """
    if isinstance(column, list):
        return column
    with pyarrow_at_work():
        return list(column.to_pylist() if hasattr(column, "to_pylist") else column)


def too_many_rows(path: Path | str) -> DataError:
    return DataError(f"more than {MOST_ROWS // 10**6} million rows", where=str(path), fix="give a part of it")


def unique(names: Iterable[str]) -> list[str]:
    """Names of columns, of which each is another: a second "text" is "text.2", or the next number that is free."""
    out = list(names)
    taken, last = set(out), dict[str, int]()
    for at, name in enumerate(out):
        if name in last:
            free = next(n for n in count(last[name] + 1) if f"{name}.{n}" not in taken)
            out[at], last[name] = f"{name}.{free}", free
            taken.add(out[at])
        else:
            last[name] = 1
    return out


@contextmanager
def pyarrow_at_work() -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except MemoryError:
        raise Damaged("it does not fit into memory") from None
    except Exception as error:  # it has a class for each of its parts, and Python's own besides
        raise Damaged(first_line(error)) from None


def _each(batches: Iterable[Any]) -> Iterator[Any]:
    ahead = iter(batches)
    while True:
        with pyarrow_at_work():
            batch = next(ahead, None)
        if batch is None:
            return
        yield batch


def bomb_of(size: int) -> int:
    """Bytes that the rows of a file of this size do not take together, if it is none."""
    return _AT_ONCE // 2 + _MOST_LARGER * size


def no_bomb(batches: Iterable[pa.RecordBatch], most: int, path: Path) -> Iterator[pa.RecordBatch]:
    """Batches whose texts are written out, until they take more than this: a text that is kept once may be repeated."""
    from pyarrow.types import is_dictionary

    size = 0
    for packed in _each(batches):
        with pyarrow_at_work():
            batch = _written_out(packed) if any(map(is_dictionary, packed.schema.types)) else packed
        size += batch.nbytes
        if size > most:
            what = f"its rows take more than {_MOST_LARGER} times the bytes of the file, as those of a bomb do"
            raise DataError(what, where=str(path), fix="if it is none, save it as CSV")
        yield batch


def _written_out(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Batches put together up to so many rows, as long as they are small."""
    import pyarrow as pa

    some: list[pa.RecordBatch] = []
    count, size = 0, 0
    for batch in _each(batches):
        if some and (count + batch.num_rows > rows or size + batch.nbytes > _A_BLOCK):
            yield pa.Table.from_batches(some)
            some, count, size = [], 0, 0
        some.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
    if some:
        yield pa.Table.from_batches(some)


def _rows_at_once(file: BinaryIO, rows: int, path: Path, leaves: Sequence[int]) -> int:
    """How many of its rows take no more than `_AT_ONCE`, were each as large as its part of the file lets it be.

    Args:
        leaves: which columns of the file are read.
    """
    most = 1.0
    for part in parts(file, rows):
        if part.column not in leaves:
            continue
        cell = max(8.0, largest_value(file, part)) if part.texts else 8.0
        most = max(most, cell * max(1, part.values) / max(1, part.rows))
    if most > _AT_ONCE:
        raise DataError(f"a row may take {most / 2**30:,.1f} GB", where=str(path), fix="shorten its texts and lists")
    return max(1, int(_AT_ONCE / most))
