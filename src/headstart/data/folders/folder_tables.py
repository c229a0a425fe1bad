"""The tables of a folder: one, one a part, or one beside the photos that it names."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from headstart.data.columns.find import NO_LABEL, as_typed, find_columns
from headstart.data.files.arrow import plain_values
from headstart.data.files.endings import MOSTLY_OTHER, READ_AS_TABLES, is_photo, is_submission, is_table
from headstart.data.files.part_names import OFFICIAL, UNLABELLED, part_named, parts_among
from headstart.data.files.text_file import read_lines, stem_of, suffix_of
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
_CLASSES = "classes.txt"  # names of the numbers in the first column, a line each
_ROWS = 50
_SAVED_BY_DATASETS = {"state.json", "dataset_dict.json"}


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


def read_tables(folder: Path, columns: Columns) -> tuple[Examples | None, tuple[str, ...]]:
    """The only table of a folder, or train.csv and test.csv (or .tsv, ...), where it has no class folders.

    Returns:
        What was read, None where class folders are to be read; and notes on tables that were left aside then.

    Raises:
        DataError: several tables, and none is named train, or two are named so; or it is not plain whether the folders
            or the table say the classes.
    """
    folders, names = listing(walk := Walk(folder), walk.top)
    if _SAVED_BY_DATASETS & {*names}:
        code = f"hs.fit(datasets.load_from_disk({str(folder)!r}))"
        raise DataError("a data set as save_to_disk of datasets wrote it", where=str(folder), fix=f"in Python: {code}")
    if folders:
        tables = [folder / name for name in names if is_table(name) and is_file(folder / name)]
        return _beside_photos(folder, folders, tables, columns) if tables and not columns.class_folders else (None, ())
    files = [folder / name for name in names if suffix_of(Path(name)) in READ_AS_TABLES and is_file(folder / name)]
    files = [file for file in files if file.name != _CLASSES] if len(files) > 1 else files
    if {"datasetSentences.txt", "datasetSplit.txt"} <= set(names):
        what = "the treebank's sentences, parts and labels are in files of their own, which are not read"
        fix = "its trees have all of it: headstart fit trees (train.txt, dev.txt and test.txt of trainDevTestTrees_PTB)"
        raise DataError(what, where=str(folder), fix=fix)
    if len(files) < 2:
        return (_and_photos(read_table(files[0], columns=columns), folder), ()) if files else (None, ())
    named = _by_part(files)
    parts = Counter(part for part, _ in named)
    if "train" not in parts or len(parts) == 1:
        train = next((file for part, file in named if part == "train"), None)
        taught = [file for file in files if _can_teach(file, columns)]
        if len(taught) == 1:
            train = taught[0]
        one, other = taught[:2] if len(taught) > 1 else files[:2]
        fix = f"name one, and another for the test: {_command(one, columns)} --test {shlex.quote(str(other))}"
        if train is None and _of_one_header(files, columns):
            each = some_of([stem_of(file) for file in files])
            fix += f"; if each is a class, put them into one table with a column label that says which: {each}"
        raise DataError(
            f"no class folders, and {len(files)} tables: {', '.join(p.name for p in files[:5])}",
            where=str(folder),
            fix=fix if train is None else f"{_command(train, columns)} learns from it alone",
        )
    for part, times in parts.items():
        if times > 1:
            twice = ", ".join(file.name for other, file in named if other == part)
            raise DataError(f"several tables of part {part!r}: {twice}", where=str(folder), fix="leave one there")
    classes = [] if columns.named else _class_names(folder, named[0][1], columns)
    if classes:
        whole = _numbered(named, classes, columns)
    else:
        whole = read_parts(named, columns, _read, header=header, leave_out=True)
    others = ", ".join(file.name for file in files if file not in [file for _, file in named])
    note = f"{folder.name}: not read, since their names are not train, val or test: {others}"
    return _and_photos(replace(whole, notes=(*whole.notes, note)) if others else whole, folder), ()


def _command(table: Path, columns: Columns) -> str:
    """What learns from one table, with the columns that the user named."""
    return f"headstart fit {shlex.quote(str(table))}{as_typed(columns)}"


def _can_teach(table: Path, columns: Columns) -> bool:
    """Whether the first rows of a table have labels beside their inputs, by the rules of all tables."""
    if is_submission(table.name):
        return False
    try:
        blocks, _ = open_blocks(table, [], columns, rows=_ROWS)
        block = next(iter(blocks), {})
        cells = {name: plain_values(block[name]) for name in block}
        find_columns({name: list(map(as_text, cells[name])) for name in cells}, cells, columns, where=table.name)
    except DataError:
        return False
    return True


def _of_one_header(files: Sequence[Path], columns: Columns) -> bool:
    """Whether tables have the same columns."""
    try:
        names = [header(file, columns) for file in files]
    except DataError:
        return False
    return all(each == names[0] for each in names)


def _by_part(files: Sequence[Path]) -> list[tuple[str, Path]]:
    """Tables that are named like parts, in the order of these: train.csv, train_set.csv, stsa.fine.train."""
    exact = [(part, file) for file in files if (part := part_named(stem_of(file)))]
    if not exact:
        stems = parts_among(sorted({stem_of(file) for file in files}))
        found = [(stems.get(stem_of(file)) or part_named(file.suffix[1:]), file) for file in files]
        exact = [(part, file) for part, file in found if part in OFFICIAL and part is not None]
    return sorted(exact, key=lambda one: OFFICIAL.index(one[0]))


def _class_names(folder: Path, table: Path, columns: Columns) -> list[str]:
    """Names of the classes 1, 2, ..., where a file says them, and the tables have no header but a number first."""
    if not is_file(folder / _CLASSES) or header(table, columns)[:2] != ["1", "2"]:
        return []
    with table_errors(folder / _CLASSES):
        lines, _ = read_lines(folder / _CLASSES, columns.encoding)
    return [line.strip() for line in lines if line.strip()]


def _numbered(named: Sequence[tuple[str, Path]], classes: Sequence[str], columns: Columns) -> Examples:
    """Tables without a header: the number of the class, then texts, which are joined.

    Raises:
        DataError: a class has no name.
    """
    texts = tuple(header(named[0][1], columns)[1:])
    whole = read_parts(named, replace(columns, label="1", text=texts), _read, header=header, leave_out=True)
    names = {str(number): name for number, name in enumerate(classes, start=1)}
    odd = next((row for row, cell in enumerate(whole.targets) if cell not in names), None)
    if odd is not None:
        what = f"class {whole.targets[odd]!r}, and {_CLASSES} has {len(classes)} names, for 1 to {len(classes)}"
        raise DataError(what, where=whole.where[odd], fix=f"repair {_CLASSES}, or name the columns: --label 1 --text 2")
    joined = f"columns {', '.join(texts)} joined into the text" if len(texts) > 1 else "column 2 taken as the text"
    note = f"column 1 taken as the number of the class, whose name is in {_CLASSES}; {joined}"
    return replace(whole, targets=[names[cell] for cell in whole.targets], notes=(*whole.notes, note))


def _read(table: Path, columns: Columns | None) -> Examples:
    return read_table(table, columns=columns)


def _beside_photos(
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
        raise DataError(what, where=str(folder), fix=f"name one: {_command(teaching[0][0], columns)}")
    table, photos = teaching[0]
    alike = [one for one in tables if (suffix_of(one) in MOSTLY_OTHER) == (suffix_of(table) in MOSTLY_OTHER)]
    tested = [one for one in alike if one != table and parts.get(stem_of(one)) in OFFICIAL]
    named = [("train", table), *((parts[stem_of(one)], one) for one in tested)]
    try:
        with _or_the_folders(classes_beside):
            whole = _read(table, columns)
            if tested:
                whole = read_parts(named, columns, _read, header=header, leave_out=True)
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
        fix = f"{_command(table, columns)} takes the table, --class-folders outer the folders"
        raise DataError(what, where=str(folder), fix=fix)
    more = [other.name for other in tables if other != table and other not in tested]
    notes = [f"labels read from {table.name}", *whole.notes]
    notes += [f"not read: {some_of(more)}"] if more else []
    beside = [folder / name for name in folders if name not in used and not _any_within(folder / name, whole.inputs)]
    without = [f"{one.name}{files_within(str(one))}" for one in beside]
    notes += [f"not read, since no table names a photo there: {some_of(without)}"] if without else []
    return _and_photos(replace(whole, name=folder.resolve().name, notes=tuple(notes)), folder), ()


def _and_photos(examples: Examples, folder: Path) -> Examples:
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
    found = _read(tables[0], columns)
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
    with table_errors(table):
        blocks, _ = open_blocks(table, [], columns, rows=_ROWS)
        block = next(iter(blocks), {})
        sample = {name: [as_text(cell) for cell in plain_values(block[name])] for name in block}
    asked, _ = with_photos(sample, columns, table.parent, table.name)
    name = asked.image or next((name for name, values in sample.items() if names_photos(values)), None)
    found = photos_beside(sample.get(name, []), table.parent, asked.image_root, table.name) if name else None
    return found if found is not None and found.there else None


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
