"""`headstart serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.commands import common


def serve(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Saved folders, or names of the catalog.")],
    host: common.Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    token_file: common.TokenFile = None,
    feedback: Annotated[
        Path | None, typer.Option(help="Folder for corrected examples, which `fit` learns from.")
    ] = None,
    queue: Annotated[int, typer.Option(min=1, max=100_000, help="Inputs that may wait; more are refused.")] = 256,
    device: common.Device = None,
    threads: common.Threads = None,
) -> None:
    """Serve saved models over HTTP: a page, a JSON API and the Open Inference Protocol."""
    from dataclasses import replace

    from headstart.encode.machine import using

    with common.extra("serve"):
        from headstart.serve.run import serve as run
    from headstart.serve.models import Shelf
    from headstart.serve.settings import Limits, Settings, token_in

    limits = replace(Limits(), queue=queue)
    token = None if token_file is None else token_in(token_file)
    settings = Settings(host=host, port=port, token=token, feedback=feedback, limits=limits)
    settings.refuse_open_door()
    with using(device, threads):
        run(settings, Shelf(models))
