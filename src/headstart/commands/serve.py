"""`headstart serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.commands import common
from headstart.errors import UserError


def serve(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Saved folders, or names of the catalog.")],
    host: Annotated[str, typer.Option(help="Address to listen at; one that others reach takes --token-file.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the token that clients have to send.")
    ] = None,
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

    try:
        from headstart.serve.run import serve as run
    except ImportError as error:
        if error.name is None or error.name.startswith("headstart"):
            raise
        raise UserError(f"{error.name} is missing", fix="pip install 'headstart[serve]'") from None
    from headstart.serve.models import Shelf
    from headstart.serve.settings import Limits, Settings, token_in

    limits = replace(Limits(), queue=queue)
    token = None if token_file is None else token_in(token_file)
    settings = Settings(host=host, port=port, token=token, feedback=feedback, limits=limits)
    settings.refuse_open_door()
    with using(device, threads):
        run(settings, Shelf(models))
