"""Parquet files and Arrow tables as blocks of rows, and pyarrow's exceptions as one kind.

A Parquet file of a kilobyte may say that it holds billions of rows, or a text of a megabyte in each of a million: how
many rows are read at a time is found from what its parts may take at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet

from headstart.errors import DataError, UserError
from headstart.files import open_file

Block = Mapping[str, Any]  # column name -> list of plain values, or an Arrow array that is made one where it is needed

MOST_ROWS = 20_000_000
MOST_BYTES = 16 * 2**30  # of a table's file
_MOST_PARTS = 1_000_000  # of a Parquet file: columns times groups of rows
_AT_ONCE = 2**30  # bytes that a batch of rows takes, at most
_A_BLOCK = 2**28  # bytes of batches that are put together
_STRINGS = ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")


class Damaged(ValueError):
    """What pyarrow says of data that it cannot read."""


def parquet_blocks(path: Path, rows: int) -> Iterator[Block]:
    """Blocks of so many rows of a Parquet file, of fewer where rows are large.

    Raises:
        Damaged: no Parquet file, or not as it says. OSError: no regular file. DataError: too many rows, or too large.
    """
    with open_file(path, most=MOST_BYTES) as file:
        with _pyarrow_at_work():
            parquet = pyarrow.parquet.ParquetFile(file)
            if parquet.metadata.num_rows > MOST_ROWS:
                raise too_many_rows(path)
            batches = parquet.iter_batches(batch_size=min(rows, _rows_at_once(file, parquet.metadata, path)))
        yield from arrow_blocks(_gathered(batches, rows))


def arrow_blocks(batches: Iterable[pa.RecordBatch | pa.Table]) -> Iterator[Block]:
    """Record batches, or tables, as blocks."""
    for batch in _each(batches):
        if batch.num_rows:
            with _pyarrow_at_work():
                yield dict(zip(unique(batch.schema.names), batch.columns, strict=True))


def plain_values(column: Any) -> list[Any]:
    """A block's column as a list of Python's own values.

    Raises:
        Damaged: texts that are not UTF-8, times that no calendar has, ...
    """
    if isinstance(column, list):
        return column
    with _pyarrow_at_work():
        return list(column.to_pylist() if hasattr(column, "to_pylist") else column)


def too_many_rows(path: Path | str) -> DataError:
    return DataError(f"more than {MOST_ROWS // 10**6} million rows", where=str(path), fix="give a part of it")


def unique(names: Iterable[str]) -> list[str]:
    """Names of columns, of which each is another: a second "text" is "text.2"."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return out


@contextmanager
def _pyarrow_at_work() -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except MemoryError:
        raise Damaged("it does not fit into memory") from None
    except Exception as error:  # it has a class for each of its parts, and Python's own besides
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise Damaged(reason[:300]) from None


def _each(batches: Iterable[Any]) -> Iterator[Any]:
    ahead = iter(batches)
    while True:
        with _pyarrow_at_work():
            batch = next(ahead, None)
        if batch is None:
            return
        yield batch


def _gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Batches put together up to so many rows, as long as they are small."""
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


def _rows_at_once(file: BinaryIO, metadata: Any, path: Path) -> int:
    """How many rows take no more than a gigabyte, were each as large as its part of the file lets it be."""
    if metadata.num_row_groups * metadata.num_columns > _MOST_PARTS:
        raise DataError(f"more than {_MOST_PARTS:,} parts", where=str(path), fix="write it with larger groups of rows")
    most = 1.0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(metadata.num_columns)):
            values, bytes_ = max(1, column.num_values), max(0, column.total_uncompressed_size)
            cell = 8.0
            if column.physical_type in _STRINGS:
                cell = bytes_ if "DELTA_BYTE_ARRAY" in column.encodings else bytes_ / values
                cell = max(cell, 8.0, _dictionary_bytes(file, column))
            most = max(most, cell * values / max(1, group.num_rows))
    if most > 2 * _AT_ONCE:
        raise DataError(f"a row may take {most / 2**30:,.0f} GB", where=str(path), fix="shorten its texts and lists")
    return max(1, int(_AT_ONCE / most))


def _dictionary_bytes(file: BinaryIO, column: Any) -> int:
    """Bytes of the values that a column's part may repeat; 0: it has no such dictionary.

    Its page begins with Thrift's compact form of: kind of page, bytes of it, each a number in field 1 and 2.
    """
    starts = [at for at in (column.dictionary_page_offset, column.data_page_offset) if at]
    if not starts:
        return 0
    file.seek(min(starts))
    head = file.read(32)
    kind, size = _thrift_numbers(head)
    return size if kind == 2 else 0


def _thrift_numbers(head: bytes) -> tuple[int, int]:
    found: list[int] = []
    at = 0
    while len(found) < 2 and head[at : at + 1] == b"\x15":  # the next field, a 32-bit number
        number, shift, at = 0, 0, at + 1
        while at < len(head) and head[at] >= 128:
            number, shift, at = number | (head[at] & 127) << shift, shift + 7, at + 1
        number |= (head[at] if at < len(head) else 0) << shift
        found.append(number >> 1)
        at += 1
    return (found[0], found[1]) if len(found) == 2 else (0, 0)
