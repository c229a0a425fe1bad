"""`headstart studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.commands import common


def studio(
    folder: Annotated[Path, typer.Argument(help="Where projects lie; made if it is new.")] = Path("headstart-studio"),
    host: common.Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8765,
    token_file: common.TokenFile = None,
) -> None:
    """Open a page to collect examples, train, try and share a model without writing code."""
    with common.extra("serve"):
        from headstart.studio.run import studio as run
    from headstart.serve.settings import Settings, token_in

    token = None if token_file is None else token_in(token_file)
    run(Settings(host=host, port=port, token=token), folder)
