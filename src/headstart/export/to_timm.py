"""A folder of timm: `timm.create_model("local-dir:FOLDER", pretrained=True)` opens it, with the classes."""

from __future__ import annotations

from pathlib import Path

from headstart.export.deployable import Deployable
from headstart.export.format import Format, Quantise, Runtime
from headstart.pretrained.source import SOURCES

_CODE = """
model = timm.create_model(f"local-dir:{{here}}", pretrained=True).eval()
transform = timm.data.create_transform(**timm.data.resolve_data_config({{}}, model=model))


def run(given):
    with torch.inference_mode():
        return model(given){link}
"""
_READ = """def read(photo):
    return transform(opened(photo))[None]
"""
AS_TORCH = {"softmax": ".softmax(1)", "logistic": ".sigmoid()", "identity": ""}  # of logits in torch


def _runtime(made: Deployable) -> Runtime:
    return Runtime(("import timm", "import torch"), _CODE.format(link=AS_TORCH[made.link]), ("timm", "torch"), _READ)


def _write(made: Deployable, folder: Path, quantise: Quantise) -> None:
    from headstart.pretrained.torchvision_operators import declare_missing  # loads torch

    declare_missing()  # of this machine's torchvision, which predict.py imports
    SOURCES[made.backbone.source].write(made.backbone, made.head, folder)


def _refuse(made: Deployable) -> str | None:
    source = SOURCES[made.backbone.source]
    if source.library != "timm":
        return f"its backbone is {source.called}"
    return "timm has no word for how its backbone was changed" if made.backbone.config.get("changes") else None


TIMM = Format(name="timm", title="a folder of timm", runtime=_runtime, write=_write, refuse=_refuse)
