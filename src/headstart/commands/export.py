"""`headstart export`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from headstart.commands import common
from headstart.report import terminal


def export(  # noqa: PLR0913 - one argument an option
    model: Annotated[str, typer.Argument(help="A saved folder.")],
    format: Annotated[str, typer.Option(help="openvino, onnx, web, torch, transformers or timm.")] = "openvino",
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; it must not be there yet. Default: MODEL-FORMAT.")
    ] = None,
    quantize: Annotated[str | None, typer.Option(help="int8, of openvino, onnx and web.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Labelled data: int8 is calibrated and measured on them, the rest compared.")
    ] = None,
    input: Annotated[list[str] | None, typer.Option(help="Photo or text to compare on; or several.")] = None,
    most_lost: Annotated[float, typer.Option(help="Of accuracy, that int8 may lose.")] = 0.005,
    text: common.Text = None,
    text2: common.Text2 = None,
    image: common.Image = None,
    label: common.Label = None,
    encoding: common.Encoding = None,
    delimiter: common.Delimiter = None,
    image_root: common.ImageRoot = None,
    threads: common.Threads = None,
    as_json: common.Json = False,
) -> None:
    """Write a saved model in a format that runs without headstart; its outputs are compared first."""
    from headstart.encode.machine import using
    from headstart.model import load

    name = os.path.basename(os.path.abspath(model))  # of "." too
    folder = Path(f"{name.removesuffix('.headstart')}-{format}") if out is None else out
    with using(None, threads):
        columns = common.columns_of(
            text=text, text2=text2, image=image, label=label, encoding=encoding, delimiter=delimiter,
            image_root=image_root,
        )  # fmt: skip
        exported = load(model).export(
            folder, format=format, quantize=quantize, data=data, columns=columns, inputs=input or None,
            most_lost=most_lost,
        )  # fmt: skip
    common.show({"model": model, **exported.to_json()}, as_json, terminal.exported)
