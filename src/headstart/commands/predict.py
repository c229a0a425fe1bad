"""`headstart predict`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headstart.commands import common
from headstart.commands.common import Device, Json, Threads
from headstart.errors import UserError
from headstart.inputs.paths import is_file
from headstart.report import terminal

if TYPE_CHECKING:
    from headstart.model import Model


def predict(
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(help="Image files or folders; or texts, with - for standard input.")
    ] = None,
    pair: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Two texts; or a question and a text.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Classes listed for each input.")] = 5,
    device: Device = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Ask a saved model about images, texts, or pairs of texts (as --pair A B, or a table with the fit's columns)."""
    from headstart.encode.machine import using
    from headstart.model import load

    if sum(word == "--pair" or word.startswith("--pair=") for word in sys.argv) > 1:  # typer would take the last alone
        raise UserError("given twice", where="--pair", fix="one pair a command; or name a table that holds several")
    with using(device, threads):
        loaded = load(model)
        rows = [loaded.task.words.row(p) for p in loaded.predict(_wanted(loaded, inputs or [], pair), top=top)]
    line = loaded.task.words.line
    common.show({"model": model, "predictions": rows}, as_json, lambda told: terminal.predictions(told, line))
    if any("error" in row for row in rows):
        raise SystemExit(2)


def _wanted(loaded: Model, inputs: list[str], pair: tuple[str, str] | None) -> list[Any]:
    """What the model is asked: inputs, or pairs, which tables may hold."""
    if not inputs and not pair:
        raise UserError("nothing to predict", where="INPUTS", fix="name files or texts; or --pair A B")
    if loaded.modality.of_two:
        told = [(inputs[0], inputs[1])] if len(inputs) == 2 and not any(map(_is_table, inputs)) else inputs
        return [*([pair] if pair else ()), *_asked(loaded, told)]
    if pair:
        fix = f"headstart predict MODEL {loaded.modality.noun.upper()}"
        raise UserError(f"the model takes {loaded.modality.noun}s, one by one", where="--pair", fix=fix)
    return _asked(loaded, inputs)


def _asked(loaded: Model, inputs: Sequence[Any]) -> list[Any]:
    """The inputs, with the lines of standard input for - and the rows of tables, where inputs may be in them."""
    from headstart.data.read import rows_in

    wanted: list[Any] = []
    for value in inputs:
        if value == "-":
            wanted += common.lines_of(common.standard_input())
        elif loaded.modality.in_tables and _is_table(value):
            wanted += rows_in(value, loaded.modality.name, loaded.columns)
        else:
            wanted.append(value)
    if inputs and not wanted:
        raise UserError("nothing to predict: it is empty", where="standard input", fix="one text a line")
    return wanted


def _is_table(value: Any) -> bool:
    return isinstance(value, str) and bool(Path(value).suffix) and is_file(Path(value))
