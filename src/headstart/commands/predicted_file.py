"""The file of `headstart predict --out`: a row an input, what was given and what was predicted side by side."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from headstart.errors import OutputError
from headstart.storage.manifest import is_of_saved

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_BESIDE = ("input", "top")  # what is given, and the classes that come after the first


def refuse_place(out: Path, inputs: Sequence[str], *, force: bool) -> None:
    """Raises OutputError where the file may not be written, before any work."""
    if out.suffix.lower() not in _DELIMITERS:
        raise OutputError("it is a table that is written", where=str(out), fix="a name that ends in .csv or .tsv")
    if is_of_saved(out.absolute()):
        fix = "choose another name, or another folder"
        raise OutputError("it is a file of the model that is saved there", where=str(out), fix=fix)
    if not out.exists():
        folder = out.absolute().parent
        if not folder.is_dir():
            raise OutputError("no such folder", where=str(folder), fix="make it, or choose another place")
        return
    for given in inputs:
        with suppress(OSError):
            if os.path.samefile(given, out):
                raise OutputError("it is what is to be predicted", where=str(out), fix="choose another name")
    if not force or not out.is_file():
        fix = "choose another name, or --force to replace it" if out.is_file() else "choose another name"
        raise OutputError("there already", where=str(out), fix=fix)


def write(out: Path, names: list[str], given: Sequence[list[str]], predicted: Sequence[dict[str, Any]]) -> None:
    """Write what was given, row by row, with the predictions behind; whole, or not at all.

    Raises:
        OutputError: no space, no permission.
    """
    from headstart.data.files.arrow import unique
    from headstart.storage.places import as_utf8, cannot_write

    rows = [_flat(row) for row in predicted]
    keys = [key for key in dict.fromkeys(key for row in rows for key in row if row[key] is not None) if key != "error"]
    header = unique([*names, *(f"predicted_{key}" for key in keys), "error"])
    text = io.StringIO()
    writer = csv.writer(text, delimiter=_DELIMITERS[out.suffix.lower()], lineterminator="\n")
    writer.writerow(header)
    for cells, row in zip(given, rows, strict=True):
        writer.writerow([*cells, *(row.get(key, "") for key in (*keys, "error"))])
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(as_utf8(text.getvalue()))
        unfinished.replace(out)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise cannot_write(out, error) from error


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A prediction as cells: labels with | between them, an interval as its two ends, which the set of a number is."""
    cells: dict[str, Any] = {}
    for key, value in row.items():
        if key in _BESIDE or (key == "set" and "interval" in row):
            continue
        if key == "interval":
            cells |= dict(zip(("low", "high"), value, strict=True))
        elif isinstance(value, list):
            cells[key] = "|".join(str(each["label"] if isinstance(each, dict) else each) for each in value)
        else:
            cells[key] = value
    return cells
