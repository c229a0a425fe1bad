"""`headstart evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from headstart.commands import common
from headstart.commands.common import Device, Json, Threads


def evaluate(
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    data: Annotated[str, typer.Argument(help="Data as for `fit`: labelled, or questions with contexts and answers.")],
    device: Device = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Score a saved model on other data of its task; classes are matched by name."""
    from dataclasses import asdict

    from headstart.encode.machine import using
    from headstart.model import load

    with using(device, threads):
        loaded = load(model)
        found = loaded.evaluate(data, progress=common.bars())
    matched = {"missing_classes": list(found.missing), "extra_classes": list(found.extra)} if loaded.classes else {}
    told = {
        "model": model,
        **found.scores.to_json(),
        **matched,
        "n_rejected": sum(f.rejected for f in found.findings),
        "findings": [asdict(f) for f in found.findings],
        "notes": list(found.notes),
    }
    task = loaded.task
    common.show(told, as_json, lambda summary: task.words.scored(summary, task.scorer.metrics))
