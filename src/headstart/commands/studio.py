"""`headstart studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.errors import UserError


def studio(
    folder: Annotated[Path, typer.Argument(help="Where projects lie; made if it is new.")] = Path("headstart-studio"),
    host: Annotated[str, typer.Option(help="Address to listen at; one that others reach takes --token-file.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8765,
    token_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the token that clients have to send.")
    ] = None,
) -> None:
    """Open a page to collect examples, train, try and share a model without writing code."""
    try:
        from headstart.studio.run import studio as run
    except ImportError as error:
        if error.name is None or error.name.startswith("headstart"):
            raise
        raise UserError(f"{error.name} is missing", fix="pip install 'headstart[serve]'") from None
    from headstart.serve.settings import Settings, token_in

    token = None if token_file is None else token_in(token_file)
    run(Settings(host=host, port=port, token=token), folder)
