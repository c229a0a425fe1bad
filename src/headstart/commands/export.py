"""`headstart export`."""

from __future__ import annotations

from typing import Annotated

import typer

from headstart.commands import common
from headstart.report import terminal


def export(
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    folder: Annotated[str, typer.Argument(help="Folder to write; it must not be there yet.")],
    format: Annotated[str, typer.Option(help="Of the folder; a wrong one lists all.")] = "openvino",
    input: Annotated[list[str] | None, typer.Option(help="Image or text to compare on; or several.")] = None,
    as_json: common.Json = False,
) -> None:
    """Write a saved model in a format that runs without headstart; its outputs are compared first."""
    from headstart.model import load

    exported = load(model).export(folder, format=format, inputs=input or None)
    common.show({"model": model, **exported.to_json()}, as_json, terminal.exported)
