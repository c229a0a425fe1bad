"""Files of Arrow's own, as `datasets` saves them and pandas' Feather: tables whose photos lie in them as they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.data.files.arrow import (
    MOST_ROWS,
    Block,
    arrow_blocks,
    bomb_of,
    gathered,
    no_bomb,
    pyarrow_at_work,
    too_many_rows,
    with_photos,
)
from headstart.data.files.class_labels import names_in
from headstart.data.files.parquet_photos import photo_columns
from headstart.data.files.pieces import PhotoPieces
from headstart.inputs.packed import MOST_OF_AN_ARCHIVE
from headstart.storage.files import open_file

if TYPE_CHECKING:
    import pyarrow as pa

_MAGIC = b"ARROW1"


class ArrowFile:
    """A file that is open: its batches are where the file is, and nothing of it is held."""

    def __init__(self, path: Path) -> None:
        """Raises: Damaged: no such file. OSError: no regular file."""
        import pyarrow as pa

        with open_file(path, most=MOST_OF_AN_ARCHIVE) as file:
            self._path, self._size = path, os.fstat(file.fileno()).st_size
            in_blocks = file.read(len(_MAGIC)) == _MAGIC
        with pyarrow_at_work():
            self._whole = pa.memory_map(str(path)).read_buffer()
            source = pa.BufferReader(self._whole)
            self._reader = pa.ipc.open_file(source) if in_blocks else pa.ipc.open_stream(source)
            self.schema: pa.Schema = self._reader.schema
        self._in_blocks = in_blocks

    def blocks(self, rows: int) -> Iterator[Block]:
        """Blocks of about so many rows; photos stay where they are, and are opened later.

        Raises:
            Damaged: not as it says. DataError: too many rows, or too large ones.
        """
        names = self.schema.names
        photos = photo_columns(self.schema) if len({*names}) == len(names) else []
        pieces = {name: PhotoPieces(self._path.name, str(self._path)) for name in photos}
        others = [name for name in names if name not in pieces]
        batches = self._placed(no_bomb(self._batches(), bomb_of(self._size), self._path), pieces)
        read: Iterator[Block | int] = (batch.num_rows for batch in batches if batch.num_rows)
        if others:
            read = iter(arrow_blocks(gathered((batch.select(others) if pieces else batch for batch in batches), rows)))
        yield from with_photos(read, names, {name: column.photo for name, column in pieces.items()})

    def class_names(self) -> dict[str, list[str]]:
        """What the numbers in its columns stand for, as the file says it."""
        return names_in(self.schema.metadata)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Each batch, once it is known that what it points at is in it."""
        n = 0
        each = map(self._reader.get_batch, range(self._reader.num_record_batches)) if self._in_blocks else self._reader
        for batch in each:
            batch.validate(full=True)
            n += batch.num_rows
            if n > MOST_ROWS:
                raise too_many_rows(self._path)
            yield batch

    def _placed(self, batches: Iterator[pa.RecordBatch], pieces: dict[str, PhotoPieces]) -> Iterator[pa.RecordBatch]:
        """The batches, whose photos are noted as they go by."""
        for batch in batches:
            with pyarrow_at_work():
                for name, column in pieces.items():
                    self._place(batch.column(name), column)
            yield batch

    def _place(self, cells: Any, pieces: PhotoPieces) -> None:
        """Note where the photos of a batch lie; those that were compressed are written down."""
        inner = [cells.type.field(number).name for number in range(cells.type.num_fields)]
        parts = dict(zip(inner, cells.flatten(), strict=True)) if inner else {"bytes": cells}
        content, before = parts["bytes"], len(pieces)
        _, offsets, data = content.buffers()
        first, last = self._whole.address, self._whole.address + self._whole.size
        if data is None or first <= data.address < last:
            wide = np.int64 if str(content.type).startswith("large") else np.int32
            at = np.frombuffer(offsets, dtype=wide)[content.offset : content.offset + len(content) + 1]
            start = 0 if data is None else data.address - first
            pieces.add_in_file(at[:-1].astype(np.int64) + start, np.diff(at))
        else:
            for cell in content:
                pieces.write(cell.as_py() or b"")
        if content.null_count:
            gone = np.flatnonzero(content.is_null().to_numpy(zero_copy_only=False)).tolist()
            paths = parts.get("path")
            named = {row: None if paths is None else paths[row].as_py() for row in gone}
            pieces.instead({before + row: path and str(self._path.parent / path) for row, path in named.items()})
