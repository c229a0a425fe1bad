"""Data sets of `datasets` that are streamed: their rows come once, so photos are written down as they go by."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.columns.names import LABELS
from headstart.data.columns.picture_cells import are_pictures
from headstart.data.files.arrow import Block, with_photos
from headstart.data.files.class_labels import called, without_indicators
from headstart.data.files.pieces import PhotoPieces
from headstart.errors import DataError, UserError, first_line
from headstart.inputs.decoders import bounded, image_errors
from headstart.inputs.packed import MOST_BYTES
from headstart.storage.kept import megabytes
from headstart.values import Columns

_AT_ONCE = 100  # rows, since each may hold a photo
_ROWS = 10_000  # of a block
_AS_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def is_streamed(data: Any) -> bool:
    """Whether it is a data set of `datasets` whose rows come one after the other, and have no numbers."""
    return type(data).__module__.split(".")[0] == "datasets" and type(data).__name__ == "IterableDataset"


class Streamed:
    """A data set that is streamed, gone through once."""

    def __init__(self, data: Any, asked: Columns) -> None:
        self._features = dict(getattr(data, "features", None) or {})
        pictures = [name for name, feature in self._features.items() if type(feature).__name__ == "Image"]
        for name in pictures:
            if is_dataclass(self._features[name]):  # its bytes are wanted, not what the library makes of them
                data = data.cast_column(name, replace(self._features[name], decode=False))
        self._data, self._pieces = data, {name: PhotoPieces("dataset") for name in pictures}
        named = {name: names for name, feature in self._features.items() if (names := class_names_of(feature))}
        self._classes = without_indicators(named, asked.label, asked.labels or (), LABELS)

    def notes(self) -> list[str]:
        """How much was written down, once all rows went by."""
        written = sum(pieces.written for pieces in self._pieces.values())
        what = f"dataset: streamed once; {megabytes(written)} of photos lie in the cache until this process ends"
        return [what] if written else []

    def blocks(self) -> Iterator[Block]:
        """Its rows; raises DataError where the library cannot go on, OutputError where the disk is full."""
        first = next(gathered := self._gathered(), None)
        if first is None:
            return
        names = list(first)
        later = {name: pieces.photo for name, pieces in self._pieces.items()}

        def others() -> Iterator[Block | int]:
            block: dict[str, list[Any]] | None = first
            while block is not None:
                yield self._without_photos(block)
                block = next(gathered, None)

        yield from with_photos(others(), names, later)

    def _without_photos(self, block: dict[str, list[Any]]) -> Block | int:
        """The other columns of a block, or how many rows it has."""
        there = {name: column for name, column in block.items() if name not in self._pieces}
        return there or len(next(iter(block.values())))

    def _gathered(self) -> Iterator[dict[str, list[Any]]]:
        """Rows put together; of photos, which are written down, only how many there are."""
        some: dict[str, list[Any]] = {}
        n = 0
        for rows in self._each():
            more = len(next(iter(rows.values()), ()))
            if not n and not self._features:
                self._pieces = {name: PhotoPieces("dataset") for name, cells in rows.items() if are_pictures(cells)}
            for name in dict.fromkeys((*some, *rows)):
                cells = rows.get(name, [None] * more)
                if name in self._pieces:
                    for cell in cells:
                        _write(cell, self._pieces[name])
                    cells = [None] * more
                elif name in self._classes:
                    cells = [called(cell, self._classes[name]) for cell in cells]
                some.setdefault(name, [None] * n).extend(cells)
            n += more
            if n >= _ROWS:
                yield some
                some, n = {name: [] for name in some}, 0
        if n:
            yield some

    def _each(self) -> Iterator[dict[str, list[Any]]]:
        try:
            ahead = self._data.iter(batch_size=_AT_ONCE)
            while (rows := next(ahead, None)) is not None:
                yield {str(name): list(column) for name, column in rows.items()}
        except UserError:
            raise
        except Exception as error:  # of the library, of a network, or of what the user has it do
            fix = "try it again; or save it first, with save_to_disk"
            raise DataError(f"cannot be read on: {first_line(error)}", where="dataset", fix=fix) from None


def _write(cell: Any, pieces: PhotoPieces) -> None:
    """Write the photo in a cell down; of the path of one, that is noted."""
    content, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, Mapping) else (cell, None)
    try:
        if isinstance(content, np.ndarray):
            content = Image.fromarray(content)
        content = _as_file(content) if isinstance(content, Image.Image) else content
    except (DataError, TypeError, ValueError) as error:
        pieces.add_other(error if isinstance(error, DataError) else DataError(first_line(error)))
        return
    if isinstance(content, bytes | bytearray | memoryview):
        large = len(content) > MOST_BYTES
        pieces.add_other(DataError(f"{len(content):,} bytes")) if large else pieces.write(bytes(content))
    else:
        pieces.add_other(path if content is None else DataError(f"a {type(content).__name__}, which is no image"))


def _as_file(image: Image.Image) -> bytes:
    """The pixels of an image that is decoded already, as a file that loses nothing."""
    written = io.BytesIO()
    with image_errors(""):
        whole = bounded(image) if hasattr(image, "fp") else image
        whole.save(written, "PNG" if whole.mode in _AS_PNG else "TIFF")
    return written.getvalue()


def class_names_of(feature: Any) -> list[str] | None:
    """What the numbers of a column stand for, one or a list in each row; None: they are no classes."""
    each = feature[0] if isinstance(feature, list) else getattr(feature, "feature", feature)
    return getattr(each, "names", None)
