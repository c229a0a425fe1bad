"""What an argument of a command holds: the rows of a table, the lines of a text file, or itself, a text or a photo."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from headstart.data import columns as images
from headstart.data.arrow import MOST_BYTES
from headstart.data.delimited import delimiter_of, label_colon_text
from headstart.data.read import rows_in
from headstart.data.table import SUFFIXES, table_errors
from headstart.data.text_file import encoding_of, open_text
from headstart.errors import DataError
from headstart.inputs.modality import Modality
from headstart.inputs.paths import is_file, is_folder
from headstart.storage.files import is_there, open_file
from headstart.values import Columns

_HEAD = 1 << 16  # bytes
# Endings by which a word without a space is the name of a file, not a text.
_OF_FILES = images.SUFFIXES | {".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".pdf", ".md"}
_ITSELF = "a text that is meant itself goes through a pipe: echo TEXT | headstart predict MODEL -"


def inputs_in(argument: str, modality: Modality, columns: Columns | None) -> tuple[list[Any], list[str]]:
    """The inputs that an argument stands for, with notes on how they were read.

    Args:
        columns: of the table that the model was fitted on.

    Raises:
        DataError: a path where a text belongs, with nothing there or nothing that holds texts; as `rows_in`.
    """
    path = Path(argument)
    if is_file(path) and path.suffix.lower() in SUFFIXES:
        in_lines = modality.in_tables and not modality.of_two
        if in_lines and path.suffix.lower() == ".txt" and _is_plain(path, columns):
            return _lines(path)
        return rows_in(argument, modality.name, columns)
    if modality.in_tables and argument.strip():
        _refuse_path(argument, path, modality)
    return [argument], []


def _refuse_path(argument: str, path: Path, modality: Modality) -> None:
    if is_there(path):
        what = "a folder" if is_folder(path) else "no table that is known"
        fix = f"name a table (csv, tsv, jsonl, parquet), or a .txt with a text a line; {_ITSELF}"
        raise DataError(f"{what}, and the model takes {modality.noun}s", where=argument, fix=fix)
    if path.suffix.lower() in _OF_FILES and not any(map(str.isspace, argument)):
        raise DataError("no such file", where=argument, fix=f"check the path; {_ITSELF}")


def _is_plain(path: Path, columns: Columns | None) -> bool:
    """Whether its lines are texts: no tab in each, no labels before them, and no header with the fit's columns."""
    with table_errors(path), open_file(path, most=MOST_BYTES) as file:
        head = file.read(_HEAD)
    if b"\0" in head:
        raise DataError("not a text file", where=str(path), fix="save it as plain text (UTF-8)")
    lines = [line for line in head.decode("utf-8", errors="replace").splitlines() if line.strip()]
    if not lines or label_colon_text(lines) or all("\t" in line for line in lines):
        return not lines
    first = next(csv.reader(lines[:1], delimiter=delimiter_of(lines, path)), [])
    return columns is None or len(first) < 2 or not columns.texts or not {*columns.texts} <= {*first}


def _lines(path: Path) -> tuple[list[str], list[str]]:
    """The lines of a text file but for blank ones, and notes that say so."""
    with table_errors(path):
        encoding, notes = encoding_of(path)
        with open_text(path, encoding) as file:
            lines = [line.rstrip("\n") for line in file]
    full = [line for line in lines if line.strip()]
    if not full:
        raise DataError("the file is empty", where=str(path), fix="a text a line")
    blank = f"; left out: {len(lines) - len(full)} blank" if len(full) < len(lines) else ""
    return full, [*notes, f"{path.name}: each of {len(full)} lines taken as a text{blank}"]
