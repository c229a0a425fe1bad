"""Where OpenVINO's graph of a backbone, and what it says of the processor, are kept. Known without OpenVINO, whose
start takes a third of a second."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib import metadata
from itertools import islice
from pathlib import Path

from headstart.backbone import Backbone
from headstart.encode.kinds import BATCH
from headstart.pretrained.source import SOURCES
from headstart.storage.kept import room

INT8 = "i8-"  # how the name of a calibrated graph begins, which is its precision in keys
_LINES = 64  # of the first processor, at most
_TOLD = ("model name", "flags", "features")  # lines that say what it can do


version = cache(metadata.version)  # reading what is installed takes longer than a text


def graph_file(backbone: Backbone) -> Path:
    """Where the graph of a backbone is kept, named after all that it depends on."""
    library = SOURCES[backbone.source].library
    made_of = (
        f"2 {backbone.function} openvino {version('openvino')} "
        f"{backbone.source} {version(library)} torch {version('torch')} {BATCH}"
    )
    return room("engines") / f"{hashlib.sha256(made_of.encode()).hexdigest()[:24]}.xml"


def is_int8(precision: str) -> bool:
    return precision.startswith(INT8)


def int8_file(backbone: Backbone, precision: str) -> Path:
    """Where the graph of this precision, as keys have it, is kept."""
    return graph_file(backbone).with_suffix(f".{precision}.xml")


def processor_file() -> Path:
    """Where it is kept what OpenVINO can do on this processor, named after that and all that the answer depends on."""
    made_of = f"1 {platform.system()} {platform.machine()} {_processor()} openvino {version('openvino')}"
    return room("engines") / f"{hashlib.sha256(made_of.encode()).hexdigest()[:24]}.processor.json"


def _processor() -> str:
    """The processor by what it can do, where the system tells that; else by its name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            told = [
                line for line in islice(file, _LINES) if line.lower().startswith(("model name", "flags", "features"))
            ]
    except OSError:
        told = []
    return "".join(sorted(set(told))) or platform.processor()
