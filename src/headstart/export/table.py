"""The table of export formats: one row a format."""

from __future__ import annotations

from headstart.errors import UserError
from headstart.export.format import Format
from headstart.export.to_onnx import ONNX
from headstart.export.to_openvino import OPENVINO
from headstart.export.to_timm import TIMM
from headstart.export.to_torch import TORCH
from headstart.export.to_transformers import TRANSFORMERS
from headstart.export.to_web import WEB

FORMATS: tuple[Format, ...] = (OPENVINO, ONNX, WEB, TORCH, TRANSFORMERS, TIMM)


def format_named(name: str) -> Format:
    """The format of this name; raises UserError where there is none."""
    for each in FORMATS:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in FORMATS)
    raise UserError(f"unknown format {name!r}", where="--format", fix=f"one of: {names}")
