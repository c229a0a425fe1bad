"""What an argument of a command holds: the rows of a table, the lines of a text file, files, or itself, a text or a
photo."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from headstart.data.files.endings import PHOTOS, READ_AS_TABLES, TABLES, TEXTS
from headstart.data.files.named_files import text_files
from headstart.data.files.remote import fetched
from headstart.data.files.text_file import first_lines, read_lines, suffix_of
from headstart.data.folders.folder import files_in
from headstart.data.read import rows_in
from headstart.data.shards.sources import shards_at
from headstart.data.tables.delimited import delimiter_of, label_colon_text, typed
from headstart.data.tables.frame import is_table, row_as_table
from headstart.data.tables.line_forms import line_form
from headstart.data.tables.table import table_errors
from headstart.errors import DataError
from headstart.inputs.modality import Modality
from headstart.inputs.paths import existing, is_file, is_folder
from headstart.storage.files import is_there
from headstart.values import Columns

As = Literal["text", "file", "lines"]  # an argument itself, one text in each file, a text on each line of a file

_LINES = 200  # by which a file is judged, as when it is read
# Endings by which a word without a space is the name of a file, not a text.
_OF_FILES = PHOTOS | TEXTS | TABLES | {".gz", ".pdf"}


@dataclass(frozen=True)
class AskedInputs:
    """The inputs that an argument stands for."""

    inputs: Any  # texts, pairs, paths
    notes: Sequence[str] = ()  # on how they were read
    is_table: bool = False  # whether they are of a table's columns
    decoded: bool = False  # whether an encoding matters: of a file's text, or of standard input
    table: Path | None = None  # whose rows they are, one each, in their order


def inputs_in(
    argument: str | Path,
    modality: Modality,
    columns: Columns,
    *,
    way: As | None = None,
    in_files: bool = False,
    command: str = "predict",
) -> AskedInputs:
    """The inputs that an argument stands for.

    Args:
        argument: a `Path` is never a text itself.
        columns: that the user names, and as `known` those of the table that the model was fitted on.
        way: how the user wants it taken; None: as it looks, and refused where it may be several things.
        in_files: whether the model learned from files of one text each.
        command: that a message says is to be typed.

    Raises:
        DataError: a path where a text belongs, with nothing there or nothing that holds texts; what may be a text or
            a path; as `rows_in`.
    """
    if way is None and (_may_be_shards(argument) or not modality.in_tables):
        argument = fetched(argument)
    if not modality.in_tables:
        return _of_pictures(argument, modality, columns, way)
    alone = not modality.of_two
    if way == "text" or (alone and not str(argument).strip()):
        return AskedInputs([str(argument)])
    if way is not None and not alone:
        fix = f"give {modality.noun}s with --pair A B, or in a table"
        raise DataError(f"{way!r} is not for {modality.noun}s", where="--as", fix=fix)
    if way is None and _may_be_shards(argument) and shards_at(argument) is not None:
        return _shards(argument, modality, columns)
    path = Path(argument)
    if way == "file":
        return _files(existing(path), columns.encoding)
    if way == "lines":
        return _lines(existing(path), columns.encoding)
    if is_file(path) and suffix_of(path) in READ_AS_TABLES:
        plain = alone and suffix_of(path) == ".txt"
        lines = _first_lines(path, columns.encoding) if plain else []
        if plain and not _is_table(lines, columns, path):
            return _plain(path, columns.encoding, in_files=in_files)
        return _table(path, modality, columns, labelled=bool(lines) and has_labels(lines, path))
    if alone and not in_files and is_file(path) and not path.suffix and _holds_rows(path, columns):
        return _rows(path, modality, columns)
    folder = is_there(path) and is_folder(path) and (in_files or _is_path(str(argument)))
    if alone and (folder or (isinstance(argument, Path) and is_there(path))):
        return _files(path, columns.encoding)
    _refuse_path(str(argument), path, modality, command)
    return AskedInputs([str(argument)])


def inputs_of(given: Any, modality: Modality, columns: Columns, *, in_files: bool) -> AskedInputs:
    """As `inputs_in`, of what stands in memory: a table, the `Path` of a file, or the inputs themselves."""
    asked = _in_memory(row_as_table(given, columns.known), modality, columns, in_files=in_files)
    refuse_idle(columns, [asked])
    return asked


def refuse_idle(columns: Columns, asked: Sequence[AskedInputs]) -> None:
    """Raises DataError where an option is about a table, or about text in files, and no input is such."""
    delimiter = [] if columns.delimiter is None else ["delimiter"]
    for name in (*columns.named, *delimiter) if not any(part.is_table for part in asked) else ():
        option = f"--{name.replace('_', '-')}"
        raise DataError("it is about a table, and no input is one", where=option, fix="leave it out")
    if columns.encoding is not None and not any(part.decoded for part in asked):
        raise DataError("it is about text in files, and no input is one", where="--encoding", fix="leave it out")


def _in_memory(given: Any, modality: Modality, columns: Columns, *, in_files: bool) -> AskedInputs:
    if is_table(given):
        inputs, notes, _ = rows_in(given, modality.name, columns)
        return AskedInputs(inputs, notes, is_table=True, decoded=True)
    if isinstance(given, str) and modality.in_tables and not modality.of_two:
        _refuse_name(given)
    if isinstance(given, Path):
        path = existing(given) if modality.in_tables else given
        return inputs_in(path, modality, columns, in_files=in_files)
    return AskedInputs(given)


def _of_pictures(argument: str | Path, modality: Modality, columns: Columns, way: As | None) -> AskedInputs:
    if way in ("text", "lines"):
        raise DataError(f"the model takes {modality.noun}s", where="--as", fix="name files, folders, or a table")
    if way is None and shards_at(argument) is not None:
        return _shards(argument, modality, columns)
    path = Path(argument)
    if way is None and is_file(path) and suffix_of(path) in READ_AS_TABLES:
        return _table(path, modality, columns)
    return AskedInputs([str(argument)])


def _may_be_shards(argument: str | Path) -> bool:
    """Whether an argument is a path or is called as shards are, where it may be a text as well."""
    called = str(argument).lower().endswith((".tar", ".parquet"))
    return isinstance(argument, Path) or _is_path(str(argument)) or called


def _shards(argument: str | Path, modality: Modality, columns: Columns) -> AskedInputs:
    """The samples of tars, or the rows of tables that are one: no file has all of them as a table."""
    inputs, notes, _ = rows_in(argument, modality.name, columns)
    return AskedInputs(inputs, notes, is_table=True, decoded=True)


def _table(path: Path, modality: Modality, columns: Columns, *, labelled: bool = False) -> AskedInputs:
    inputs, notes, one_a_row = rows_in(str(path), modality.name, columns)
    aside = [f"{path.name}: the labels are left aside; --as lines takes each line whole"] if labelled else []
    return AskedInputs(inputs, [*notes, *aside], is_table=True, decoded=True, table=path if one_a_row else None)


def _holds_rows(path: Path, columns: Columns) -> bool:
    """Whether a file without an ending is a table, as the one that the model was fitted on may have been."""
    try:
        return _is_table(_first_lines(path, columns.encoding), columns, path)
    except DataError:  # no text
        return False


def _rows(path: Path, modality: Modality, columns: Columns) -> AskedInputs:
    asked = _table(path, modality, columns)
    note = f"{path.name}: its rows are taken; --as file takes the file as one text, --as text the name itself"
    return replace(asked, notes=[*asked.notes, note])


def _files(path: Path, encoding: str | None) -> AskedInputs:
    """A file, or each below a folder, as one text; what is a table by its name is none, and said in its place."""
    if not is_folder(path):
        texts, notes = text_files([path], encoding)
        return AskedInputs(texts, [*notes, f"{path.name}: taken as one text"], decoded=True)
    files = files_in(path)
    if not files:
        raise DataError("no files", where=str(path), fix="name a folder with text files in it")
    what = "a table or a picture, not a text by its name; name it itself"
    odd = PHOTOS | (READ_AS_TABLES - TEXTS)
    texts, notes = text_files([file for file in files if suffix_of(file) not in odd], encoding)
    there = iter(texts)
    inputs = [DataError(what, where=str(file)) if suffix_of(file) in odd else next(there) for file in files]
    return AskedInputs(inputs, [*notes, f"{path.name}: each of {len(files):,} files taken as one text"], decoded=True)


def _is_path(argument: str) -> bool:
    """Whether it cannot be meant as a text: it ends like a folder, or begins like a path."""
    return argument.endswith(("/", "\\")) or argument.startswith(("./", "../", "~/", "/", ".\\", "..\\"))


def _refuse_name(text: str) -> None:
    """Raises DataError where a text alone is, or looks like, the name of a file: whose words are meant is not known."""
    path = Path(text)
    if not any(map(str.isspace, text)) and (is_file(path) or suffix_of(path) in _OF_FILES or _is_path(text)):
        fix = f"Path({text!r}) asks about the file, [{text!r}] about the words"
        raise DataError("the name of a file, or a text", where=repr(text), fix=fix)


def _refuse_path(argument: str, path: Path, modality: Modality, command: str) -> None:
    """Raises DataError where an argument is, or looks like, a path that holds none of the model's inputs."""
    ways = {way: f"headstart {command} MODEL {shlex.quote(argument)} --as {way}" for way in ("text", "file")}
    if is_there(path):
        what = "a folder" if is_folder(path) else "a file"
        if modality.of_two:
            raise DataError(f"{what}, and the model takes {modality.noun}s", where=argument, fix="name a table's file")
        what = f"{what} of this name is there, and the model takes texts"
        raise DataError(what, where=argument, fix=f"{ways['text']} asks about the words, {ways['file']} about the file")
    spaced = any(map(str.isspace, argument))
    if not spaced and (path.suffix.lower() in _OF_FILES or "/" in argument or _is_path(argument)):
        itself = "" if modality.of_two else f"; a text that is meant itself: {ways['text']}"
        raise DataError("no such file", where=argument, fix=f"check the path{itself}")


def _first_lines(path: Path, encoding: str | None) -> list[str]:
    with table_errors(path):
        lines = first_lines(path, encoding)
    if encoding is None and any("\0" in line for line in lines):
        raise DataError("not a text file", where=str(path), fix="save it as plain text (UTF-8)")
    return [line for line in lines[:_LINES] if line.strip()]


def _is_table(lines: list[str], columns: Columns, path: Path) -> bool:
    """Whether lines are rows: a tab in each or a delimiter that was named, labels before the texts, or a header."""
    if not lines:
        return False
    named = columns.delimiter is not None and any(typed(columns.delimiter) in line for line in lines)
    cells = named or delimiter_of(lines, path, columns) == "\t"
    return cells or has_labels(lines, path) or is_header(lines, columns, path)


def has_labels(lines: list[str], path: Path = Path()) -> bool:
    """Whether each of some lines begins with a label, in a form that files of labelled texts have."""
    return label_colon_text(lines) or line_form(lines, path) is not None


def is_header(lines: list[str], columns: Columns, path: Path = Path()) -> bool:
    """Whether the first of some lines names the columns of texts, of those that the fit had or the user names."""
    first = next(csv.reader(lines[:1], delimiter=delimiter_of(lines, path, columns)), [])
    texts = columns.texts or (columns.known.texts if columns.known else ())
    return len(first) > 1 and bool(texts) and {*texts} <= {*first}


def _plain(path: Path, encoding: str | None, *, in_files: bool) -> AskedInputs:
    """A text file without columns: a text a line, or one text where the model learned from such files."""
    asked = _lines(path, encoding)
    if not in_files or len(asked.inputs) == 1:
        return asked
    note = f"{path.name}: taken as one text, as the model's files were; --as lines takes each line"
    return replace(asked, inputs=text_files([path], encoding)[0], notes=[*asked.notes[:-1], note])


def _lines(path: Path, encoding: str | None) -> AskedInputs:
    """The lines of a text file but for blank ones, and notes that say so."""
    with table_errors(path):
        lines, notes = read_lines(path, encoding)
    full = [line for line in lines if line.strip()]
    if not full:
        raise DataError("the file is empty", where=str(path), fix="a text a line")
    blank = f"; left out: {len(lines) - len(full)} blank" if len(full) < len(lines) else ""
    whole = "; --as file takes the file as one text" if len(full) > 1 else ""
    return AskedInputs(
        full, [*notes, f"{path.name}: each of {len(full)} lines taken as a text{blank}{whole}"], decoded=True
    )
