"""What a saved model is asked about on the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from headstart.commands import common
from headstart.errors import UserError

if TYPE_CHECKING:
    from headstart.data.arguments import AskedInputs
    from headstart.model import Model
    from headstart.values import Columns

_WAYS = ("text", "file", "lines")


def refuse_ways(way: str | None) -> None:
    """Raises UserError where --as is unknown, or --pair is given twice."""
    if sum(word == "--pair" or word.startswith("--pair=") for word in sys.argv) > 1:  # typer would take the last alone
        raise UserError("given twice", where="--pair", fix="one pair a command; or name a table that holds several")
    if way not in (None, *_WAYS):
        raise UserError(f"unknown: {way!r}", where="--as", fix=f"one of: {', '.join(_WAYS)}")


def asked_by(
    loaded: Model,
    inputs: list[str],
    pair: tuple[str, str] | None,
    columns: Columns,
    way: str | None,
    *,
    command: str = "predict",
) -> list[AskedInputs]:
    """What the model is asked, argument by argument: inputs, or pairs, which tables may hold.

    Args:
        command: which one, for what a message says is to be typed.
    """
    from dataclasses import replace

    from headstart.data.arguments import AskedInputs, refuse_idle
    from headstart.progress import note

    if not inputs and not pair:
        raise UserError(f"nothing to {command}", where="INPUTS", fix="name files or texts; or --pair A B")
    if pair and not loaded.modality.of_two:
        fix = f"headstart {command} MODEL {loaded.modality.noun.upper()}"
        raise UserError(f"the model takes {loaded.modality.noun}s, one by one", where="--pair", fix=fix)
    known = replace(columns, known=loaded.columns)
    asked = [_argument(loaded, value, known, way, command) for value in inputs]
    refuse_idle(columns, asked)
    for said in (said for part in asked for said in part.notes):
        note(said)
    given = [each for part in asked for each in part.inputs]
    if loaded.modality.of_two and len(inputs) == 2 and given == inputs:
        asked = [AskedInputs([(inputs[0], inputs[1])])]
    return [*([AskedInputs([pair])] if pair else ()), *asked]


def _argument(loaded: Model, value: str, columns: Columns, way: Any, command: str) -> AskedInputs:
    """What one argument stands for; of - the lines of standard input, or all of it as one text."""
    from headstart.data.arguments import AskedInputs, has_labels, inputs_in, is_header
    from headstart.data.files.text_file import lines_in

    if value != "-" or way == "text":
        files = loaded.learned_from_files
        return inputs_in(value, loaded.modality, columns, way=way, in_files=files, command=command)
    whole = common.standard_input(columns.encoding)
    lines = lines_in(whole)
    if not lines:
        raise UserError(f"nothing to {command}: it is empty", where="standard input", fix="one text a line")
    if way is None and loaded.modality.in_tables and (is_header(lines, columns) or has_labels(lines)):
        fix = "name its file; or --as lines takes each line as a text"
        raise UserError("it begins like a table", where="standard input", fix=fix)
    return AskedInputs([whole] if way == "file" else lines, decoded=True)
