"""`headstart answer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.commands import common
from headstart.errors import UserError
from headstart.report import terminal


def answer(
    model: Annotated[str, typer.Argument(help="A folder or a hub name of a model that answers questions.")],
    question: Annotated[str, typer.Argument(help="In plain words.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="More texts.")] = None,
    context: Annotated[
        list[Path] | None, typer.Option(help="Text file that the answer is looked for in; - for standard input.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Answers, at most.")] = 3,
    encoding: common.Encoding = None,
    device: common.Device = None,
    threads: common.Threads = None,
    as_json: common.Json = False,
) -> None:
    """Find the answer to a question in texts, with its place and how sure it is."""
    from headstart.encode.machine import using
    from headstart.inputs.text import read_text
    from headstart.model import load

    files = [*(context or ()), *(more or ())]
    if not files:
        raise UserError("no text to look in", where="--context", fix="name a file: --context manual.txt")
    texts = [common.standard_input(encoding) if str(f) == "-" else read_text(f, encoding) for f in files]
    with using(device, threads):
        opened = load(model, task="answering")
        with common.bars().step("read"):
            found = opened.answer(question, texts, top=top)
    rows = [opened.task.words.row(a) for a in found]
    rows = [row | ({"context": str(files[row["context"]])} if row["answer"] else {}) for row in rows]
    common.show({"model": model, "question": question, "answers": rows}, as_json, terminal.answers)
