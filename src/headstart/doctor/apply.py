"""New data with findings acted on, beside the old: a table without some rows, or a folder of links."""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any

from headstart.data.files.accents import composed
from headstart.data.shards.sources import shards_at
from headstart.data.tables.rewritten import rewritten
from headstart.doctor.changes import Changes
from headstart.errors import DataError, UserError
from headstart.inputs.paths import existing, is_file, is_folder
from headstart.values import Columns, Dataset

_ROW = re.compile(r"(.+) row (\d+)")
_NO_SOURCE = "name its file or folder; of tables in memory, findings.csv says which rows"


def write_changed(dataset: Dataset, source: Any, asked: Columns, changes: Changes, folder: Path) -> Path:
    """Write the new data into a folder: `data.csv` (of a table's own ending), or `data/`. The old are not touched.

    Photos and text files are linked to, or copied where the file system has no links; photos of a table are linked to
    beside its new form, where it names them.

    Returns:
        What was written, for `headstart fit`.

    Raises:
        UserError: data in memory, or of a form that is not written anew.
        OSError: no space, no permission.
    """
    if not isinstance(source, str | Path):
        raise UserError(f"a {type(source).__name__} is not written anew", where="--apply", fix=_NO_SOURCE)
    if shards_at(source) is not None:
        raise UserError("shards are not written anew", where="--apply", fix="unpack them, or write the table anew")
    path = existing(source)
    rows = [_ROW.fullmatch(where) for where in dataset.where]
    if not any(rows):
        return _linked(dataset, path, changes, folder / "data")
    if not all(rows):
        raise DataError("tables beside files are not written anew", where=str(source), fix=_NO_SOURCE)
    places = [(match[1], int(match[2])) for match in rows if match]
    return _tables(dataset, path, places, asked, changes, folder)


def _tables(
    dataset: Dataset, path: Path, places: Sequence[tuple[str, int]], asked: Columns, changes: Changes, folder: Path
) -> Path:
    """Each table that examples are rows of, by its name; one alone is `data` with its ending."""
    names = dict.fromkeys(name for name, _ in places)
    paths = {name: _table(path, name) for name in names}
    named = None if dataset.columns is None else dataset.columns.label
    if changes.labels and named is None:
        raise DataError("rows without a column of labels are not relabelled", where=str(path), fix="--apply drop")
    drop: dict[str, set[int]] = defaultdict(set)
    labels: dict[str, dict[int, str]] = defaultdict(dict)
    for row in changes.drop:
        drop[places[row][0]].add(places[row][1])
    for row, label in changes.labels.items():
        labels[places[row][0]][places[row][1]] = label
    photos = not dataset.modality.in_tables
    alone = len(names) == 1 and not photos
    for name, old in paths.items():
        ending = "".join(PurePath(old.name.removesuffix(".gz")).suffixes[-1:])
        new = folder / f"data{ending}" if alone else folder / "data" / name.removesuffix(".gz")
        new.parent.mkdir(parents=True, exist_ok=True)
        with new.open("xb") as file:
            for some in rewritten(old, asked, drop=drop[name], labels=labels[name], label=named):
                file.write(some)
    if photos:
        for row in set(range(len(dataset))) - changes.drop:
            _photo_beside(Path(dataset.inputs[row]), paths[places[row][0]].parent, folder / "data")
    return new if alone else folder / "data"


def _table(path: Path, name: str) -> Path:
    """The table that rows are said to be of."""
    found = path if is_file(path) else path / name
    if not is_file(found) or (is_file(path) and path.name != name):
        raise DataError(f"rows of {name} are not written anew", where=str(path), fix=_NO_SOURCE)
    return found


def _photo_beside(photo: Path, base: Path, folder: Path) -> None:
    """A link to a photo where it lay from its table; raises DataError where that is outside of the table's folder."""
    inside = os.path.relpath(photo, base)
    if inside.startswith(os.pardir):
        fix = "move the table above its photos; findings.csv says which rows"
        raise DataError("a photo that is not in the folder of its table", where=str(photo), fix=fix)
    if not os.path.lexists(folder / inside):
        _link(photo, folder / inside)


def _linked(dataset: Dataset, top: Path, changes: Changes, folder: Path) -> Path:
    """A folder of links in class folders, official parts as they were."""
    if not is_folder(top):
        raise DataError("only tables and folders of class folders are written anew", where=str(top), fix=_NO_SOURCE)
    kept = (row for row in range(len(dataset)) if row not in changes.drop)
    for row in sorted(kept, key=lambda row: row in changes.labels):  # the others keep their names
        where = dataset.where[row]
        old, new = top / where, PurePath(where)
        if not is_file(old):
            raise DataError(f"{where} is no file of its own", where=str(top), fix=_NO_SOURCE)
        if row in changes.labels:
            new = _moved(new, str(dataset.targets[row]), _folder_of(changes.labels[row], dataset))
        _link(old, _free(folder / new))
    return folder


def _folder_of(label: str, dataset: Dataset) -> str:
    """The name of a class's folder, as it is written on disk."""
    row = next(row for row, target in enumerate(dataset.targets) if target == label)
    return next(name for name in reversed(PurePath(dataset.where[row]).parts[:-1]) if composed(name) == label)


def _moved(path: PurePath, label: str, folder: str) -> PurePath:
    """The path with another class folder."""
    parts = list(path.parts)
    at = max((n for n, name in enumerate(parts[:-1]) if composed(name) == label), default=None)
    if at is None:
        raise DataError(f"no folder {label!r} in it to relabel", where=str(path), fix="--apply drop")
    return PurePath(*parts[:at], folder, *parts[at + 1 :])


def _free(path: Path) -> Path:
    """The path, or one beside it that nothing has yet."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _link(old: Path, new: Path) -> None:
    """A link to a file; where the file system has none, the same file under another name, or a copy."""
    new.parent.mkdir(parents=True, exist_ok=True)
    there = old.resolve()
    for way in (os.symlink, os.link):
        with suppress(OSError):
            way(there, new)
            return
    shutil.copy2(there, new)
