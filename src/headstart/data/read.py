"""Look at what was given and call the source that reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from headstart.data.columns import Columns
from headstart.data.folder import files_in, listing, read_folder
from headstart.data.frame import join, read_frame, read_hub, read_pairs
from headstart.data.parts import OFFICIAL, part_named
from headstart.data.table import SUFFIXES, read_table
from headstart.errors import DataError
from headstart.inputs.paths import existing, is_file, is_folder, local_path
from headstart.values import Dataset, Kind


def read(data: Any, *, labels: Any = None, kind: Kind | None = None, columns: Columns | None = None) -> Dataset:
    """A Dataset from a folder, a table file, a frame, a hub data set, or inputs with labels.

    Raises:
        DataError: not there, not readable, or of a kind that is not known.
    """
    if kind not in (None, "image", "text"):
        raise DataError(f"no kind {kind!r}", where="kind", fix="image or text")
    if isinstance(data, tuple) and len(data) == 2 and labels is None:
        data, labels = data
    if labels is not None:
        return read_pairs(data, labels, kind)
    if isinstance(data, str | Path):
        return _path(data, columns)
    module = type(data).__module__.split(".")[0]
    if module in ("pandas", "pyarrow"):
        return read_frame(data, columns)
    if module == "datasets":
        return read_hub(data, columns)
    raise DataError(
        f"cannot read a {type(data).__name__}",
        where="data",
        fix="a path, a DataFrame, an Arrow table, a datasets.Dataset, or inputs with labels",
    )


def read_with_test(data: Any, test: str | Path, *, kind: Kind | None = None, columns: Columns | None = None) -> Dataset:
    """`data` as the training part and what is at the path `test` as the test part."""
    train, tested = read(data, kind=kind, columns=columns), read(test, kind=kind, columns=columns)
    return join([("train", train), ("test", tested)])


def read_inputs(inputs: Sequence[Any], *, kind: Kind) -> tuple[list[Any], list[str]]:
    """Inputs without labels, folders opened up; and what to call each.

    Raises:
        DataError: an address, a path that is not there, an empty folder.
    """
    items: list[Any] = []
    names: list[str] = []
    for number, value in enumerate(inputs):
        if kind == "text" or not isinstance(value, str | Path):
            items.append(value)
            names.append(str(value) if kind == "text" else f"input {number + 1}")
            continue
        path = local_path(value)
        files = files_in(path) if is_folder(path) else [path]
        if not files:
            raise DataError("no files", where=str(path))
        items += [str(file) for file in files]
        names += [str(file) for file in files]
    return items, names


def _path(given: str | Path, columns: Columns | None) -> Dataset:
    path = existing(given)
    if is_folder(path):
        return _tables(path, columns) or read_folder(path)
    if path.suffix.lower() not in (*SUFFIXES, ""):
        raise DataError(
            f"not a kind of table that is known: {path.suffix!r}", where=str(path), fix="csv, tsv, jsonl, parquet"
        )
    return read_table(path, columns=columns)


def _tables(folder: Path, columns: Columns | None) -> Dataset | None:
    """The only table of a folder, or train.csv and test.csv (or .tsv, ...), where it has no class folders.

    Raises:
        DataError: several tables, and none is named train, or two are named so.
    """
    folders, names = listing(folder)
    if folders:
        return None
    files = [folder / name for name in names if Path(name).suffix.lower() in SUFFIXES and is_file(folder / name)]
    if len(files) < 2:
        return read_table(files[0], columns=columns) if files else None
    named = [(part, file) for part in OFFICIAL for file in files if part_named(file.stem) == part]
    parts = Counter(part for part, _ in named)
    if "train" not in parts or len(parts) == 1:
        raise DataError(
            f"no class folders, and {len(files)} tables: {', '.join(p.name for p in files[:5])}",
            where=str(folder),
            fix=f"name one, and another for the test: {files[0]} --test {files[1]}",
        )
    for part, times in parts.items():
        if times > 1:
            twice = ", ".join(file.name for other, file in named if other == part)
            raise DataError(f"several tables of part {part!r}: {twice}", where=str(folder), fix="leave one there")
    joined = join([(part, read_table(file, columns=columns)) for part, file in named])
    others = ", ".join(file.name for file in files if part_named(file.stem) is None)
    note = f"{folder.name}: not read, since their names are not train, val or test: {others}"
    return replace(joined, notes=(*joined.notes, note)) if others else joined
