"""The tables of a folder: one, one a part, or one beside the photos that it names."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from headstart.data.columns.find import find_columns
from headstart.data.files.endings import READ_AS_TABLES, is_submission, is_table
from headstart.data.files.part_names import OFFICIAL, part_named, parts_among
from headstart.data.files.text_file import read_lines, stem_of, suffix_of
from headstart.data.files.walk import Walk
from headstart.data.folders.layout import listing
from headstart.data.folders.photo_tables import beside_photos, command, first_cells, read_whole, with_photos_counted
from headstart.data.labels.values import as_text
from headstart.data.tables.parts import read_parts
from headstart.data.tables.table import header, read_table, table_errors
from headstart.errors import DataError, some_of
from headstart.inputs.paths import is_file
from headstart.values import Columns, Examples

_CLASSES = "classes.txt"  # names of the numbers in the first column, a line each


def read_tables(folder: Path, columns: Columns) -> tuple[Examples | None, tuple[str, ...]]:
    """The only table of a folder, or train.csv and test.csv (or .tsv, ...), where it has no class folders.

    Returns:
        What was read, None where class folders are to be read; and notes on tables that were left aside then.

    Raises:
        DataError: several tables, and none is named train, or two are named so; or it is not plain whether the folders
            or the table say the classes.
    """
    folders, names = listing(walk := Walk(folder), walk.top)
    if folders:
        tables = [folder / name for name in names if is_table(name) and is_file(folder / name)]
        return beside_photos(folder, folders, tables, columns) if tables and not columns.class_folders else (None, ())
    files = [folder / name for name in names if suffix_of(Path(name)) in READ_AS_TABLES and is_file(folder / name)]
    files = [file for file in files if file.name != _CLASSES] if len(files) > 1 else files
    if {"datasetSentences.txt", "datasetSplit.txt"} <= set(names):
        what = "the treebank's sentences, parts and labels are in files of their own, which are not read"
        fix = "its trees have all of it: headstart fit trees (train.txt, dev.txt and test.txt of trainDevTestTrees_PTB)"
        raise DataError(what, where=str(folder), fix=fix)
    if len(files) < 2:
        return (with_photos_counted(read_table(files[0], columns=columns), folder), ()) if files else (None, ())
    named = _by_part(files)
    parts = Counter(part for part, _ in named)
    if "train" not in parts or len(parts) == 1:
        train = next((file for part, file in named if part == "train"), None)
        taught = [file for file in files if _can_teach(file, columns)]
        if len(taught) == 1:
            train = taught[0]
        one, other = taught[:2] if len(taught) > 1 else files[:2]
        fix = f"name one, and another for the test: {command(one, columns)} --test {shlex.quote(str(other))}"
        if train is None and _of_one_header(files, columns):
            each = some_of([stem_of(file) for file in files])
            fix += f"; if each is a class, put them into one table with a column label that says which: {each}"
        raise DataError(
            f"no class folders, and {len(files)} tables: {', '.join(p.name for p in files[:5])}",
            where=str(folder),
            fix=fix if train is None else f"{command(train, columns)} learns from it alone",
        )
    for part, times in parts.items():
        if times > 1:
            twice = ", ".join(file.name for other, file in named if other == part)
            raise DataError(f"several tables of part {part!r}: {twice}", where=str(folder), fix="leave one there")
    classes = [] if columns.named else _class_names(folder, named[0][1], columns)
    if classes:
        whole = _numbered(named, classes, columns)
    else:
        whole = read_parts(named, columns, read_whole, header=header, leave_out=True)
    others = ", ".join(file.name for file in files if file not in [file for _, file in named])
    note = f"{folder.name}: not read, since their names are not train, val or test: {others}"
    return with_photos_counted(replace(whole, notes=(*whole.notes, note)) if others else whole, folder), ()


def _can_teach(table: Path, columns: Columns) -> bool:
    """Whether the first rows of a table have labels beside their inputs, by the rules of all tables."""
    if is_submission(table.name):
        return False
    try:
        cells = first_cells(table, columns)
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
    whole = read_parts(named, replace(columns, label="1", text=texts), read_whole, header=header, leave_out=True)
    names = {str(number): name for number, name in enumerate(classes, start=1)}
    odd = next((row for row, cell in enumerate(whole.targets) if cell not in names), None)
    if odd is not None:
        what = f"class {whole.targets[odd]!r}, and {_CLASSES} has {len(classes)} names, for 1 to {len(classes)}"
        raise DataError(what, where=whole.where[odd], fix=f"repair {_CLASSES}, or name the columns: --label 1 --text 2")
    joined = f"columns {', '.join(texts)} joined into the text" if len(texts) > 1 else "column 2 taken as the text"
    note = f"column 1 taken as the number of the class, whose name is in {_CLASSES}; {joined}"
    return replace(whole, targets=[names[cell] for cell in whole.targets], notes=(*whole.notes, note))
