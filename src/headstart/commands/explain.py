"""`headstart explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.commands import common
from headstart.commands.asked import asked_by, refuse_ways


def explain(  # noqa: PLR0913 - one argument an option
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    input: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT", help="A photo; or a text, with - for standard input.")
    ] = None,
    pair: common.Pair = None,
    target: Annotated[
        str | None, typer.Option("--class", help="Class or label that is asked about. Default: the one that is given.")
    ] = None,
    way: common.Way = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder: explanation.html, explanation.json, of a photo map.png.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Classes and training examples listed.")] = 5,
    encoding: common.Encoding = None,
    device: common.Device = None,
    threads: common.Threads = None,
    as_json: common.Json = False,
) -> None:
    """Show why a saved model answers as it does: what in a photo or text speaks for it, and what it looks like."""
    from headstart.encode.machine import using
    from headstart.explain import terminal
    from headstart.explain.explanation import MAP
    from headstart.model import load
    from headstart.storage.place import reserve_place

    refuse_ways(way)
    with reserve_place(out, force=None):  # a folder that is taken is refused before any work
        pass
    with using(device, threads):
        loaded = load(model)
        columns = common.columns_of(encoding=encoding)
        asked = asked_by(loaded, input or [], pair, columns, way, command="explain")
        found = loaded.explain([each for part in asked for each in part.inputs], target, top=top)
    if out is not None:
        found.save(out)
    map_at = None if out is None else str(out / MAP)
    result = {"model": model, **found.to_json(map=map_at), "out": None if out is None else str(out)}
    common.show(result, as_json, lambda _: terminal.explained(found, result["out"]))
