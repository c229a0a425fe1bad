"""The table of export formats: one row a format."""

from __future__ import annotations

from headstart.errors import UserError
from headstart.export.exporter import Exporter
from headstart.export.to_openvino import OPENVINO

EXPORTERS: tuple[Exporter, ...] = (OPENVINO,)


def exporter_named(name: str) -> Exporter:
    """The format of this name; raises UserError where there is none."""
    for exporter in EXPORTERS:
        if exporter.name == name:
            return exporter
    names = ", ".join(exporter.name for exporter in EXPORTERS)
    raise UserError(f"unknown format {name!r}", where="--format", fix=f"one of: {names}")
