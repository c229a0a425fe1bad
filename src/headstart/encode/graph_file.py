"""Where OpenVINO's graph of a backbone is kept. Known without OpenVINO, whose start takes a third of a second."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

from headstart.backbone import Backbone
from headstart.encode.kinds import BATCH
from headstart.pretrained.source import SOURCES
from headstart.storage.kept import room


def graph_file(backbone: Backbone) -> Path:
    """Where the graph of a backbone is kept, named after all that it depends on."""
    library = SOURCES[backbone.source].library
    made_of = (
        f"2 {backbone.function} openvino {version('openvino')} "
        f"{backbone.source} {version(library)} torch {version('torch')} {BATCH}"
    )
    return room("engines") / f"{hashlib.sha256(made_of.encode()).hexdigest()[:24]}.xml"
