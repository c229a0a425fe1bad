"""Tables that lie beside photos and say what they are of: metadata.csv, or any table that names them."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from headstart.data.columns.find import NO_LABEL, as_typed
from headstart.data.files.arrow import plain_values
from headstart.data.files.endings import MOSTLY_OTHER, is_photo, is_submission
from headstart.data.files.part_names import OFFICIAL, UNLABELLED, parts_among
from headstart.data.files.text_file import stem_of, suffix_of
from headstart.data.files.walk import Walk
from headstart.data.folders.layout import files_within, listing
from headstart.data.labels.values import as_text, shown
from headstart.data.tables.parts import read_parts
from headstart.data.tables.photos import Photos, names_photos, photos_beside, with_photos
from headstart.data.tables.table import header, open_blocks, read_table, table_errors
from headstart.errors import DataError, some_of
from headstart.inputs.paths import is_file
from headstart.values import Columns, Examples

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_FILE_NAME = "file_name"
_ROWS = 50


def read_metadata(folder: Path, columns: Columns) -> Examples | None:
    """The imagefolder form: metadata.csv (or .jsonl) with file_name beside the photos, in the folder or in each part.

    Raises:
        DataError: a table cannot be read.
    """
    folders, names = listing(walk := Walk(folder), walk.top)
    if (here := _metadata(folder, names, columns)) is not None:
        return _of_photos(here, columns)
    parts = {name: part for name, part in parts_among(folders).items() if part != UNLABELLED}
    tables = {
        name: _metadata(folder / name, listing(Walk(folder / name), str(folder / name))[1], columns) for name in parts
    }
    found = [(parts[name], name, table) for name, table in tables.items() if table is not None]
    if not any(part == "train" for part, _, _ in found):
        return None
    named = sorted(((part, table) for part, _, table in found), key=lambda one: OFFICIAL.index(one[0]))
    whole = read_parts(named, columns, _of_photos, header=header, leave_out=True)
    without = [name for name in folders if name not in [folder_name for _, folder_name, _ in found]]
    note = f"not read, since no metadata.csv is in it: {some_of(without)}"
    return replace(whole, notes=(*whole.notes, note)) if without else whole


def first_cells(table: Path, columns: Columns) -> dict[str, list[Any]]:
    """The columns of the first rows of a table, by which it is judged.

    Raises:
        DataError: it cannot be read.
    """
    with table_errors(table):
        blocks, _ = open_blocks(table, [], columns, rows=_ROWS)
        block = next(iter(blocks), {})
        return {name: plain_values(block[name]) for name in block}


def _metadata(folder: Path, names: Sequence[str], columns: Columns) -> Path | None:
    """The table of the imagefolder form; None: there is none, or it does not say which row is of which photo."""
    there = (folder / name for name in _METADATA if name in names)
    return next((table for table in there if _FILE_NAME in header(table, columns)), None)


def _of_photos(table: Path, columns: Columns | None) -> Examples:
    """A table in the folder of its photos, with a note on photos that it does not name.

    Raises:
        DataError: as `read_table`; or another one beside it says other labels.
    """
    asked = columns or Columns()
    asked = replace(asked, image=asked.image or _FILE_NAME)
    found = read_table(table, columns=asked)
    others = [table.parent / name for name in _METADATA if name != table.name and is_file(table.parent / name)]
    for other in others:
        _refuse_other_labels(table, found, other, asked)
    walk = Walk(table.parent)
    there = {file for file in walk.files(walk.top) if is_photo(file)}
    more = len(there - {os.path.normpath(file) for file in found.inputs})
    notes = [f"{table.name} says which class each photo is of", *found.notes]
    notes += [f"not read, beside {table.name}: {some_of([other.name for other in others])}"] if others else []
    notes += [f"{more:,} photos without a row in {table} are not read"] if more else []
    return replace(found, notes=tuple(notes))


def _refuse_other_labels(table: Path, found: Examples, other: Path, asked: Columns) -> None:
    """Raises DataError where a second table, of the same columns, has another label for a photo."""
    try:
        also = read_table(other, columns=asked)
    except DataError:  # of boxes, say, or damaged: it is said not to be read
        return
    if also.columns != found.columns:
        return
    labels = dict(zip(also.inputs, also.targets, strict=True))
    for path, mine in zip(found.inputs, found.targets, strict=True):
        theirs = labels.get(path)
        one_each = not any(cell is None or isinstance(cell, tuple) for cell in (mine, theirs))
        if one_each and as_text(mine) != as_text(theirs):
            what = f"{os.path.basename(path)} is {shown(mine)} in {table.name}, and {shown(theirs)} in {other.name}"
            fix = f"move one of them away; headstart fit {shlex.quote(str(table))} learns from it alone"
            raise DataError(what, where=str(table.parent), fix=fix)


def beside_photos(
    folder: Path, folders: list[str], tables: list[Path], columns: Columns
) -> tuple[Examples | None, tuple[str, ...]]:
    """The table that names photos in folders beside it; None: the folders say the classes, as far as anything does."""
    aside = (f"not read, since there are folders: {some_of([table.name for table in tables])}",)
    parts = parts_among([stem_of(table) for table in tables])
    wanted = [table for table in tables if parts.get(stem_of(table)) == "train"]
    wanted = wanted or [table for table in tables if stem_of(table) not in parts and not is_submission(table.name)]
    classes_beside = len(folders) > 1 and not parts_among(folders)
    with _or_the_folders(classes_beside):
        teaching = _naming(wanted, columns)
    if not teaching:
        found = _beside_one_folder(folder, folders, wanted, columns)
        return found, () if found is not None else aside
    if len(teaching) > 1:
        what = f"several tables name photos: {some_of([table.name for table, _ in teaching])}"
        raise DataError(what, where=str(folder), fix=f"name one: {command(teaching[0][0], columns)}")
    table, photos = teaching[0]
    alike = [one for one in tables if (suffix_of(one) in MOSTLY_OTHER) == (suffix_of(table) in MOSTLY_OTHER)]
    tested = [one for one in alike if one != table and parts.get(stem_of(one)) in OFFICIAL]
    named = [("train", table), *((parts[stem_of(one)], one) for one in tested)]
    try:
        with _or_the_folders(classes_beside):
            whole = read_whole(table, columns)
            if tested:
                whole = read_parts(named, columns, read_whole, header=header, leave_out=True)
    except DataError as error:
        if classes_beside and error.what.startswith(NO_LABEL):  # it may say how large they are
            return None, aside
        raise
    classes = {name for each in folders for name in (each, *listing(Walk(folder), str(folder / each))[0])}
    if {str(cell) for cell in whole.targets} <= classes:
        return None, aside
    places = {os.path.dirname(path) for path in whole.inputs if isinstance(path, str)} if photos.folders else set()
    used = {head for place in places for head in Path(os.path.relpath(place or ".", folder)).parts[:1]} & {*folders}
    if len(used) > 1 and not parts_among(sorted(used)):
        either = some_of(sorted(used))
        what = f"{table.name} says which class the photos are of, and the folders {either} may be classes"
        fix = f"{command(table, columns)} takes the table, --class-folders outer the folders"
        raise DataError(what, where=str(folder), fix=fix)
    more = [other.name for other in tables if other != table and other not in tested]
    notes = [f"labels read from {table.name}", *whole.notes]
    notes += [f"not read: {some_of(more)}"] if more else []
    beside = [folder / name for name in folders if name not in used and not _any_within(folder / name, whole.inputs)]
    without = [f"{one.name}{files_within(str(one))}" for one in beside]
    notes += [f"not read, since no table names a photo there: {some_of(without)}"] if without else []
    return with_photos_counted(replace(whole, name=folder.resolve().name, notes=tuple(notes)), folder), ()


def with_photos_counted(examples: Examples, folder: Path) -> Examples:
    """With a note on photos that lie in the folder of a table, or among those that it names, and are of no row that
    has a label."""
    names = examples.inputs if examples.columns is not None and examples.columns.image else ()
    named = {os.path.normpath(path) for path in names if isinstance(path, str) and path}
    folders = sorted({os.path.normpath(place or ".") for place in (str(folder), *map(os.path.dirname, named))})
    there = {os.path.normpath(os.path.join(place, name)): place for place in folders for name in _photos_in(place)}
    more = Counter(place for path, place in there.items() if path not in named)
    places = [f"{os.path.basename(os.path.abspath(place))} ({n:,})" for place, n in more.items()]
    note = f"{more.total():,} photos that no labelled row names are not read: {some_of(places)}"
    return replace(examples, notes=(*examples.notes, note)) if more else examples


def _photos_in(folder: str) -> list[str]:
    return [*filter(is_photo, listing(Walk(Path(folder)), folder)[1])] if os.path.isdir(folder) else []


def _beside_one_folder(
    folder: Path, folders: Sequence[str], tables: Sequence[Path], columns: Columns
) -> Examples | None:
    """A table of photos that are not there, beside one folder of others, which is no two classes: None: it is not so.

    Raises:
        DataError: it cannot be read, or holds no names of photos.
    """
    inner, names = listing(Walk(folder), str(folder / folders[0]))
    if not tables or len(folders) > 1 or inner or parts_among(folders) or not names_photos(names):
        return None
    found = read_whole(tables[0], columns)
    if found.columns is not None and found.columns.image:
        return found
    what = f"{tables[0].name} names no photo in {folders[0]}, and one folder is one class"
    raise DataError(what, where=str(folder), fix=f"headstart fit {shlex.quote(str(tables[0]))} learns from it alone")


def _any_within(folder: Path, paths: Sequence[str]) -> bool:
    start = os.path.join(folder, "")
    return any(path.startswith(start) for path in paths)


def _naming(tables: Sequence[Path], columns: Columns) -> list[tuple[Path, Photos]]:
    """The tables that name photos; those that are mostly no tables by their endings only where no other one does.

    Raises:
        DataError: one of the others cannot be read.
    """
    others = [table for table in tables if suffix_of(table) in MOSTLY_OTHER]
    found = [(table, photos) for table in tables if table not in others and (photos := _photos(table, columns))]
    for table in others if not found else ():
        with suppress(DataError):
            photos = _photos(table, columns)
            found += [(table, photos)] if photos else []
    return found


@contextmanager
def _or_the_folders(either: bool) -> Iterator[None]:
    """An error of a table that says what else may be meant where folders stand beside it that may be the classes."""
    try:
        yield
    except DataError as error:
        if not either:
            raise
        fix = "; ".join(filter(None, [error.fix, "--class-folders outer takes the folders as the classes"]))
        raise DataError(error.what, where=error.where, fix=fix) from None


def _photos(table: Path, columns: Columns) -> Photos | None:
    """Where the photos lie that a table names; None: it names none that are there.

    Raises:
        DataError: it cannot be read; or other photos of the same names are in several folders.
    """
    sample = {name: [*map(as_text, cells)] for name, cells in first_cells(table, columns).items()}
    asked, _ = with_photos(sample, columns, table.parent, table.name)
    name = asked.image or next((name for name, values in sample.items() if names_photos(values)), None)
    found = photos_beside(sample.get(name, []), table.parent, asked.image_root, table.name) if name else None
    return found if found is not None and found.there else None


def command(table: Path, columns: Columns) -> str:
    """What learns from one table, with the columns that the user named."""
    return f"headstart fit {shlex.quote(str(table))}{as_typed(columns)}"


def read_whole(table: Path, columns: Columns | None) -> Examples:
    return read_table(table, columns=columns)
