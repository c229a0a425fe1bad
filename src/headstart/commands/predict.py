"""`headstart predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headstart.commands import common, predicted_file
from headstart.errors import UserError
from headstart.report import terminal

if TYPE_CHECKING:
    from headstart.data.arguments import AskedInputs
    from headstart.model import Model
    from headstart.values import Columns

_WAYS = ("text", "file", "lines")
_SURE = ("unsure", "out_of_scope", "scope_score")  # of every prediction, in JSON


def predict(  # noqa: PLR0913 - one argument an option
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Image files or folders; or texts, with - for standard input. A table, a .txt of a text a line, or "
            "a folder/ of text files."
        ),
    ] = None,
    pair: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Two texts; or a question and a text.")
    ] = None,
    way: Annotated[
        str | None, typer.Option("--as", help="text: the words themselves; file: one text; lines: a text a line.")
    ] = None,
    text: common.Text = None,
    text2: common.Text2 = None,
    image: common.Image = None,
    encoding: common.Encoding = None,
    delimiter: common.Delimiter = None,
    image_root: common.ImageRoot = None,
    out: Annotated[
        Path | None, typer.Option(help="A .csv: the columns of a table, or the inputs, with the predictions behind.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out.")] = False,
    top: Annotated[int, typer.Option(min=1, help="Classes listed for each input.")] = 5,
    abstain: common.Abstain = None,
    coverage: common.Coverage = None,
    per_class: common.PerClass = False,
    device: common.Device = None,
    threads: common.Threads = None,
    as_json: common.Json = False,
) -> None:
    """Ask a saved model about images, texts, or pairs of texts (as --pair A B, or in a table).

    Ends with 2 where an input cannot be used: it has an error, and the others are answered.
    """
    from dataclasses import replace

    from headstart.encode.machine import using
    from headstart.model import load

    _refuse_options(way, out, inputs or [], force=force)
    with using(device, threads):
        loaded = load(model)
        columns = common.columns_of(
            text=text, text2=text2, image=image, encoding=encoding, delimiter=delimiter, image_root=image_root
        )
        asked = _asked(loaded, inputs or [], pair, columns, way)
        if out is not None and any(part.table for part in asked) and len(asked) > 1:
            raise UserError("a table beside other inputs", where="--out", fix="name one table alone, or no table")
        wanted = [each for part in asked for each in part.inputs]
        found = loaded.predict(wanted, top=top, abstain=abstain, coverage=coverage, per_class=per_class)
        rows = [_row(loaded.task.words.row(p)) for p in found]
    if out is None:
        told, line = {"model": model, **_threshold(loaded), "predictions": rows}, loaded.task.words.line
        common.show(told, as_json, lambda told: terminal.predictions(told, line))
    else:
        known = replace(columns, known=loaded.columns)
        common.show(_written(model, out, asked[0].table, known, rows), as_json, terminal.predicted)
    if any("error" in row for row in rows):
        raise SystemExit(2)


def _row(told: dict[str, Any]) -> dict[str, Any]:
    """A prediction, or an error; what is not known of how sure it is is null, whatever the task."""
    return told if "error" in told else {**told, **{key: told.get(key) for key in _SURE}}


def _threshold(loaded: Model) -> dict[str, float]:
    """The score above which an input is out of scope, where that is known."""
    scope = None if loaded.confidence is None else loaded.confidence.scope
    return {} if scope is None else {"scope_threshold": round(scope.threshold, 6)}


def _refuse_options(way: str | None, out: Path | None, inputs: list[str], *, force: bool) -> None:
    """Raises UserError where options contradict one another, or --out is no place to write to."""
    if sum(word == "--pair" or word.startswith("--pair=") for word in sys.argv) > 1:  # typer would take the last alone
        raise UserError("given twice", where="--pair", fix="one pair a command; or name a table that holds several")
    if way not in (None, *_WAYS):
        raise UserError(f"unknown: {way!r}", where="--as", fix=f"one of: {', '.join(_WAYS)}")
    if out is not None:
        predicted_file.refuse_place(out, inputs, force=force)
    elif force:
        raise UserError("it replaces the file of --out, and none is named", where="--force", fix="leave it out")


def _written(model: str, out: Path, table: Path | None, columns: Columns, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Writes the file of --out; gives what is said of it."""
    from headstart.data.as_written import as_written

    names, given = (["input"], [[row["input"]] for row in rows])
    if table is not None:
        names, given = as_written(table, columns)
    predicted_file.write(out, names, given, rows)
    return {"model": model, "out": str(out), "n": len(rows), "n_errors": sum("error" in row for row in rows)}


def _asked(
    loaded: Model, inputs: list[str], pair: tuple[str, str] | None, columns: Columns, way: str | None
) -> list[AskedInputs]:
    """What the model is asked, argument by argument: inputs, or pairs, which tables may hold."""
    from dataclasses import replace

    from headstart.data.arguments import AskedInputs, refuse_idle
    from headstart.progress import note

    if not inputs and not pair:
        raise UserError("nothing to predict", where="INPUTS", fix="name files or texts; or --pair A B")
    if pair and not loaded.modality.of_two:
        fix = f"headstart predict MODEL {loaded.modality.noun.upper()}"
        raise UserError(f"the model takes {loaded.modality.noun}s, one by one", where="--pair", fix=fix)
    known = replace(columns, known=loaded.columns)
    asked = [_argument(loaded, value, known, way) for value in inputs]
    refuse_idle(columns, asked)
    for said in (said for part in asked for said in part.notes):
        note(said)
    given = [each for part in asked for each in part.inputs]
    if loaded.modality.of_two and len(inputs) == 2 and given == inputs:
        asked = [AskedInputs([(inputs[0], inputs[1])])]
    return [*([AskedInputs([pair])] if pair else ()), *asked]


def _argument(loaded: Model, value: str, columns: Columns, way: Any) -> AskedInputs:
    """What one argument stands for; of - the lines of standard input, or all of it as one text."""
    from headstart.data.arguments import AskedInputs, has_labels, inputs_in, is_header
    from headstart.data.files.text_file import lines_in

    if value != "-" or way == "text":
        return inputs_in(value, loaded.modality, columns, way=way, in_files=loaded.learned_from_files)
    whole = common.standard_input(columns.encoding)
    lines = lines_in(whole)
    if not lines:
        raise UserError("nothing to predict: it is empty", where="standard input", fix="one text a line")
    if way is None and loaded.modality.in_tables and (is_header(lines, columns) or has_labels(lines)):
        fix = "name its file; or --as lines takes each line as a text"
        raise UserError("it begins like a table", where="standard input", fix=fix)
    return AskedInputs([whole] if way == "file" else lines, decoded=True)
