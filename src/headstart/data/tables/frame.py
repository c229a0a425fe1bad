"""Data that are in memory already: DataFrames, Arrow tables, `datasets.Dataset`, and (X, y)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import ExifTags, Image, ImageOps

from headstart.data.columns.find import refuse_unused
from headstart.data.columns.names import LABELS
from headstart.data.columns.picture_cells import InRow
from headstart.data.files.arrow import Block, arrow_blocks, unique
from headstart.data.files.arrow_types import of_pyarrow
from headstart.data.files.class_labels import called, without_indicators
from headstart.data.files.endings import is_photo
from headstart.data.files.part_names import part_named
from headstart.data.labels.cells import label_cells, zeros_note
from headstart.data.labels.missing import without_missing
from headstart.data.labels.values import Cell, absent, as_text
from headstart.data.tables.in_order import in_order
from headstart.data.tables.parts import placed, read_parts
from headstart.data.tables.streamed import Streamed, class_names_of, is_streamed
from headstart.data.tables.table import read_blocks, table_errors
from headstart.errors import DataError
from headstart.inputs.decoders import decoded, image_errors
from headstart.inputs.image import read_bytes
from headstart.inputs.paths import local_path
from headstart.values import Columns, Examples

_BLOCK = 10_000  # rows


def is_table(data: Any) -> bool:
    """Whether it is a table in memory: a DataFrame, an Arrow table, a `datasets.Dataset`."""
    named = type(data).__name__, type(data).__module__.split(".")[0]
    return is_streamed(data) or named in (("DataFrame", "pandas"), ("Table", "pyarrow"), ("Dataset", "datasets"))


def row_as_table(data: Any, columns: Columns | None) -> Any:
    """A row of a DataFrame (`frame.iloc[0]`, or of `itertuples`) with the columns of the inputs as a table of one; all
    else as it is."""
    names = [] if columns is None else [name for name in (*columns.texts, columns.text2, columns.image) if name]
    series = type(data).__name__ == "Series" and type(data).__module__.split(".")[0] == "pandas"
    there = data.index if series else getattr(data, "_fields", ()) if isinstance(data, tuple) else ()
    if not names or not all(name in there for name in names):
        return data
    if series:
        return data.to_frame().T
    import pandas as pd

    return pd.DataFrame([data._asdict()])


def read_frame(frame: Any, columns: Columns | None, *, need_label: bool = True) -> Examples:
    """A pandas DataFrame or a pyarrow Table."""
    refuse_unused(columns, "a table in memory", "delimiter", "class_folders")
    if of_pyarrow(frame, "Table"):
        blocks = arrow_blocks(frame.to_batches())
    else:  # a column of mixed numbers and words is a column of labels, not an error
        names = unique(map(str, frame.columns))
        blocks = iter([{n: frame.iloc[:, i].tolist() for i, n in enumerate(names)}])
    with table_errors("table"):
        return read_blocks(blocks, columns or Columns(), name="table", where="table", need_label=need_label)


def read_pairs(inputs: Any, labels: Any, kind: str | None, groups: Any = None) -> Examples:
    """Inputs and their labels, row by row, and whose they are; pairs of texts are inputs too."""
    items = in_order(inputs, where="data")
    inputs = [str(x) if isinstance(x, Path | np.str_) else x for x in items]
    zeros: list[str] = []
    cells: list[Cell] = [None] * len(inputs) if labels is None else label_cells(labels, zeros=zeros)
    if len(cells) != len(inputs):
        raise DataError(f"{len(inputs)} inputs and {len(cells)} labels", where="labels", fix="one label an input")
    if not inputs:
        raise DataError("no inputs", where="data")
    known = kind or kind_of(items)
    where = [_where(x, i, known) for i, x in enumerate(inputs)]
    of = None if groups is None else [as_text(value) for value in in_order(groups, where="groups")]
    if of is not None and len(of) != len(inputs):
        raise DataError(f"{len(inputs)} inputs and {len(of)} groups", where="groups", fix="one group an input")
    targets, missing = without_missing(inputs, cells, "labels")
    return Examples(known, "data", inputs, targets, where, named_groups=of, notes=(*zeros_note(zeros), *missing))


def read_hub(data: Any, columns: Columns | None, *, need_label: bool = True) -> Examples:
    """A `datasets.Dataset`, or a DatasetDict whose names are the official parts."""
    if isinstance(data, Mapping):
        named = [(part, name) for name in data if (part := part_named(name))]
        if not named:
            raise DataError(f"parts {sorted(data)}", where="data", fix="name them train and test")
        named.sort(key=lambda one: one[0] != "train")
        others = [f"{name!r}{_rows_in(part)}" for name, part in data.items() if part_named(name) is None]
        note = f"left out, since their names are not train, val or test: parts {', '.join(others)}"

        def read_one(name: str, asked: Columns | None) -> Examples:
            return placed(read_hub(data[name], asked), f"{name} ")

        joined = read_parts(named, columns, read_one, header=lambda name, _: _column_names(data[name]))
        return replace(joined, notes=(*joined.notes, note)) if others else joined
    refuse_unused(columns, "a table in memory", "delimiter", "class_folders")
    if is_streamed(data):
        streamed = Streamed(data, columns or Columns())
        with table_errors("dataset"):
            found = read_blocks(streamed.blocks(), columns or Columns(), name="dataset", where="dataset",
                                need_label=need_label)  # fmt: skip
        return replace(found, notes=(*found.notes, *streamed.notes()))
    with table_errors("dataset"):
        found = read_blocks(
            _hub_blocks(data, columns or Columns()),
            columns or Columns(),
            name="dataset",
            where="dataset",
            need_label=need_label,
        )
    rows = [value.row for value in found.inputs if isinstance(value, InRow)]
    if not rows or found.columns is None or found.columns.image is None:
        return found
    return replace(found, inputs=_Column(data, found.columns.image, rows))


def _rows_in(part: Any) -> str:
    """How many rows a part has, in words behind its name; of one that is streamed, nobody knows."""
    return "" if is_streamed(part) else f" ({len(part)} rows)"


def _column_names(part: Any) -> list[str]:
    """Of a part that is streamed, its first row's, where the library does not know them."""
    return part.column_names or list(next(iter(part.take(1)), {}))


def _hub_blocks(data: Any, asked: Columns) -> Iterator[Block]:
    """Blocks of rows with the names of classes where the table has their numbers; pictures are not opened yet.

    Of columns of two classes, several that are not called like the label stay 0 and 1: each is a label of its own.
    """
    pictures = [name for name in data.column_names if type(data.features[name]).__name__ == "Image"]
    names = {name: found for name in data.column_names if (found := class_names_of(data.features[name]))}
    names = without_indicators(names, asked.label, asked.labels or (), LABELS)
    others = data.remove_columns(pictures)
    if others.format["type"] != "custom":  # which makes something else of the rows: it is the user's
        others = others.with_format(None, columns=others.format["columns"])
    for start in range(0, len(data), _BLOCK):
        rows = range(start, min(start + _BLOCK, len(data)))
        there = dict(others[start : rows.stop])
        for name in names:
            if name in there:
                there[name] = [called(value, names[name]) for value in there[name]]
        opened_later = {name: [InRow(row) for row in rows] for name in pictures}
        order = [name for name in data.column_names if name in there or name in opened_later]
        yield {name: (opened_later | there)[name] for name in dict.fromkeys((*order, *there))}


def kind_of(inputs: Sequence[Any]) -> str:
    """Image where most inputs are pictures, arrays or paths of images; pairs of texts; text otherwise."""
    some = [x for x in inputs[:100] if not absent(x)]
    pairs = sum(isinstance(x, tuple | list) and len(x) == 2 and any(isinstance(y, str) for y in x) for x in some)
    if pairs > len(some) / 2:
        return "pair"
    others = [x for x in some if not isinstance(x, dict | list | tuple | set)]  # which are neither
    images = sum(not isinstance(x, str) or (len(x) < 1000 and is_photo(x)) for x in others)
    return "image" if images > len(some) / 2 else "text"


class _Column(Sequence[Any]):
    """A column of images of a `datasets.Dataset`, decoded where one is asked for, as the library does it, but only
    where it is of a format that is known here."""

    def __init__(self, data: Any, name: str, rows: Sequence[int]) -> None:
        feature = data.features[name]
        self._name, self._rows, self._mode = name, rows, getattr(feature, "mode", None)
        plain = is_dataclass(feature) and data.format["type"] is None  # else the user has it made something else
        self._data = data.cast_column(name, replace(feature, decode=False)) if plain else data

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[index]
        try:
            value = self._data[row][self._name]
        except Exception as error:  # of the library, or of what the user has it do
            raise DataError(f"cannot be read: {error}", where=f"row {row + 1}") from None
        return value if not isinstance(value, dict) else _as_decoded(value, self._mode, f"row {row + 1}")

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


def _as_decoded(value: dict[str, Any], mode: str | None, where: str) -> Image.Image:
    """The image that the library would give for these bytes, or for the file at this path."""
    content, path = value.get("bytes"), value.get("path")
    if content is None and path is None:
        raise DataError("no image", where=where)
    image = decoded(read_bytes(local_path(str(path))) if content is None else content, where=where, animation=True)
    with image_errors(where):
        if image.getexif().get(ExifTags.Base.Orientation) is not None:
            image = ImageOps.exif_transpose(image)
        return image.convert(mode) if mode and mode != image.mode else image


def _where(value: Any, row: int, kind: str) -> str:
    return value if kind == "image" and isinstance(value, str) else f"row {row + 1}"
