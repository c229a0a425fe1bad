"""`headstart predict`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headstart.commands import common
from headstart.commands.common import Device, Json, Threads
from headstart.errors import UserError
from headstart.report import terminal

if TYPE_CHECKING:
    from headstart.model import Model


def predict(
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Image files or folders; or texts, with - for standard input. A table, or a .txt of a text a line."
        ),
    ] = None,
    pair: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Two texts; or a question and a text.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Classes listed for each input.")] = 5,
    device: Device = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Ask a saved model about images, texts, or pairs of texts (as --pair A B, or in a table)."""
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
    if pair and not loaded.modality.of_two:
        fix = f"headstart predict MODEL {loaded.modality.noun.upper()}"
        raise UserError(f"the model takes {loaded.modality.noun}s, one by one", where="--pair", fix=fix)
    asked = [rows for value in inputs for rows in _asked(loaded, value)]
    if loaded.modality.of_two and len(inputs) == 2 and asked == inputs:
        asked = [(inputs[0], inputs[1])]
    return [*([pair] if pair else ()), *asked]


def _asked(loaded: Model, value: str) -> list[Any]:
    """An input; or the lines of standard input for -, the rows of a table, the lines of a plain text file."""
    from headstart.data.arguments import inputs_in
    from headstart.progress import note

    if value == "-":
        lines = common.lines_of(common.standard_input())
        if not lines:
            raise UserError("nothing to predict: it is empty", where="standard input", fix="one text a line")
        return lines
    inputs, notes = inputs_in(value, loaded.modality, loaded.columns)
    for said in notes:
        note(said)
    return inputs
