"""`headstart predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headstart.commands import common, predicted_file
from headstart.commands.asked import asked_by, refuse_ways
from headstart.errors import UserError
from headstart.report import terminal

if TYPE_CHECKING:
    from headstart.values import Columns


def predict(  # noqa: PLR0913 - one argument an option
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Image files or folders; or texts, with - for standard input. A table, a .txt of a text a line, or "
            "a folder/ of text files."
        ),
    ] = None,
    pair: common.Pair = None,
    way: common.Way = None,
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
    from headstart.report.rows import prediction_rows, threshold_row

    _refuse_options(way, out, inputs or [], force=force)
    with using(device, threads):
        loaded = load(model)
        columns = common.columns_of(
            text=text, text2=text2, image=image, encoding=encoding, delimiter=delimiter, image_root=image_root
        )
        asked = asked_by(loaded, inputs or [], pair, columns, way)
        if out is not None and any(part.table for part in asked) and len(asked) > 1:
            raise UserError("a table beside other inputs", where="--out", fix="name one table alone, or no table")
        wanted = [each for part in asked for each in part.inputs]
        found = loaded.predict(wanted, top=top, abstain=abstain, coverage=coverage, per_class=per_class)
        rows = prediction_rows(loaded.task.words, found)
    if out is None:
        result, line = {"model": model, **threshold_row(loaded.confidence), "predictions": rows}, loaded.task.words.line
        common.show(result, as_json, lambda result: terminal.predictions(result, line))
    else:
        known = replace(columns, known=loaded.columns)
        common.show(_written(model, out, asked[0].table, known, rows), as_json, terminal.predicted)
    if any("error" in row for row in rows):
        raise SystemExit(2)


def _refuse_options(way: str | None, out: Path | None, inputs: list[str], *, force: bool) -> None:
    """Raises UserError where options contradict one another, or --out is no place to write to."""
    refuse_ways(way)
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
