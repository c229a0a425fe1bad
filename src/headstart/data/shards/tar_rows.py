"""The samples of tars as rows of a table, whose columns are what samples have: photos, a label, texts, keys of JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from headstart.data.files.arrow import Block
from headstart.data.files.part_names import UNLABELLED, parts_among
from headstart.data.shards.tar_index import NOT_THERE, PhotosOfTars, TarIndex, photos_in
from headstart.errors import DataError
from headstart.inputs.packed import MOST_OF_AN_ARCHIVE
from headstart.storage.columns import Coded, Lazy
from headstart.storage.files import open_file, parse_json
from headstart.values import Columns

FOLDER, PART = "folder", "split"  # columns of what the folders say that photos are in
_JSON = ("json", "jsn")
_LABELS = ("cls", "class", "label", "cls2")  # fields that say the class of a sample, whatever else it has
_ROWS = 10_000  # of a block
_MOST_BYTES = 2**26  # that a block of rows says
_MOST_SAID = 2**24  # bytes of one member that says something
_MOST_FOLDERS = 100_000
_MOST_WRAPPERS = 4


class TarRows:
    """Goes through the samples of tars, block by block."""

    def __init__(self, index: TarIndex, asked: Columns, where: str) -> None:
        """Args: asked: what the user names. where: what the tars are called.

        Raises:
            DataError: samples have two photos, and nobody says which.
        """
        self._index, self._asked = index, asked
        self._photos = {} if asked.texts or asked.text2 else photos_in(index, asked.image, where)
        self._folders = _folders(index) if self._photos and not set(index.said) & {*_LABELS} else {}
        self._unread: Counter[str] = Counter()
        self._blocks = self._each()
        self._first = next(self._blocks, None)

    def blocks(self) -> Iterator[Block]:
        """All rows in their order, once; what samples say is read, and photos are not."""
        return chain([] if self._first is None else [self._first], self._blocks)

    def columns(self, *, need_label: bool) -> Columns:
        """What the user names, and the label where the form of tars says which it is."""
        asked, names = self._asked, [] if self._first is None else list(self._first)
        known = asked.known.named.get("label") if asked.known else None
        if not need_label or asked.label or asked.labels or known in names:
            return asked
        label = next((name for name in _LABELS if name in names), None)
        if label is None and FOLDER in names and not set(names) & {*self._index.said, *self._keys_of_json()}:
            label = FOLDER
        return asked if label is None else replace(asked, label=label)

    def where(self) -> Lazy[str]:
        """What to call each sample: "train-003.tar 000123.jpg"."""
        return Lazy(_Names(self._index.only(()), tuple(self._photos.values())).of, range(len(self._index)))

    def notes(self) -> list[str]:
        """What could not be read, once all rows were gone through."""
        return [f"{n:,} .{name} files of the tars cannot be read, and say nothing" for name, n in self._unread.items()]

    def _keys_of_json(self) -> list[str]:
        return [name for name in self._first or () if name not in (FOLDER, PART, *self._photos)]

    def _each(self) -> Iterator[Block]:
        names: list[str] = []
        with ExitStack() as opened:
            for start, stop in self._spans():
                said = self._said(start, stop, opened)
                names = names or list(said)
                block: dict[str, Any] = {n: Lazy(each.photo, range(start, stop)) for n, each in self._photos.items()}
                block |= {name: list(column[start:stop]) for name, column in self._folders.items()}
                nothing = [None] * (stop - start)
                yield block | {name: said.get(name, nothing) for name in names if name not in self._photos}

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Rows of blocks that say no more than fits into memory."""
        n = len(self._index)
        said = sum((self._index.fields[name].sizes for name in self._index.said), np.zeros(n, dtype=np.int64))
        start = 0
        while start < n:
            sizes = np.cumsum(said[start : start + _ROWS])
            stop = start + max(1, int(np.searchsorted(sizes, _MOST_BYTES, side="right")))
            yield start, stop
            start = stop

    def _said(self, start: int, stop: int, opened: ExitStack) -> dict[str, list[Any]]:
        """What the samples of a block say, column by column."""
        columns: dict[str, list[Any]] = {}
        for name in self._index.said:
            cells = self._field(name, start, stop, opened)
            if name.rpartition(".")[2] not in _JSON:
                columns[name] = cells
                continue
            keys = dict.fromkeys(key for cell in cells if isinstance(cell, Mapping) for key in cell)
            for key in keys:
                values = [cell.get(key) if isinstance(cell, Mapping) else None for cell in cells]
                columns[key if key not in columns else f"{name}.{key}"] = values
        return columns

    def _field(self, name: str, start: int, stop: int, opened: ExitStack) -> list[Any]:
        """What one field of these samples says; None where there is nothing."""
        field, cells = self._index.fields[name], list[Any]()
        path, file = None, None
        for row, offset, size in zip(
            range(start, stop), field.offsets[start:stop].tolist(), field.sizes[start:stop].tolist(), strict=True
        ):
            if offset == NOT_THERE:
                cells.append(None)
                continue
            shard = self._index.shard_of(row).path
            if shard != path or file is None:
                opened.close()
                path, file = shard, opened.enter_context(open_file(shard, most=MOST_OF_AN_ARCHIVE))
            file.seek(offset)
            cells.append(self._read(name, file.read(size) if size <= _MOST_SAID else b"\0"))
        return cells

    def _read(self, name: str, content: bytes) -> Any:
        """A text, or what is in an object of JSON."""
        try:
            if name.rpartition(".")[2] in _JSON:
                found = parse_json(content)
                if not isinstance(found, dict):
                    raise ValueError("no object")
                return found
            text = content.decode("utf-8-sig").strip()
            if "\0" in text:
                raise ValueError("no text")
            return text
        except ValueError:
            self._unread[name] += 1
            return None


@dataclass(frozen=True, eq=False)
class _Names:
    """What samples are called; what they say is held no longer for that."""

    index: TarIndex
    photos: tuple[PhotosOfTars, ...]

    def of(self, row: int) -> str:
        photos = (photos.photo(row) for photos in self.photos)
        named = next((str(photo) for photo in photos if not isinstance(photo, DataError)), None)
        return named or f"{self.index.shard_of(row).name} {self.index.keys[row]}"


def _folders(index: TarIndex) -> dict[str, Sequence[str | None]]:
    """The column of the folders that samples are in, as those of a folder of class folders, and that of parts."""
    try:
        found = Coded.of(_bounded(key.rpartition("/")[0] for key in index.keys))
    except OverflowError:
        return {}
    paths = [tuple(folder.split("/")) if folder else () for folder in found.values]
    for _ in range(_MOST_WRAPPERS):
        firsts = {path[:1] for path in paths}
        if len(firsts) > 1 or any(len(path) < 2 for path in paths) or parts_among([path[0] for path in paths]):
            break
        paths = [path[1:] for path in paths]
    if not any(paths):
        return {}
    parts = parts_among(sorted({path[0] for path in paths if path}))
    in_parts = all(len(path) > 1 and parts.get(path[0], UNLABELLED) != UNLABELLED for path in paths)
    classes = [(path[1] if in_parts else path[0]) if path else None for path in paths]
    said: dict[str, Sequence[str | None]] = {FOLDER: found.map(dict(zip(found.values, classes, strict=True)).get)}
    if in_parts:
        said[PART] = found.map({folder: path[0] for folder, path in zip(found.values, paths, strict=True)}.get)
    return said


def _bounded(folders: Iterator[str]) -> Iterator[str]:
    """Names of folders; raises OverflowError where there are too many to be classes."""
    seen: set[str] = set()
    for folder in folders:
        if folder not in seen:
            seen.add(folder)
            if len(seen) > _MOST_FOLDERS:
                raise OverflowError
        yield folder
