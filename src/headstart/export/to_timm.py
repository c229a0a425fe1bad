"""A folder of timm: `timm.create_model("local-dir:FOLDER", pretrained=True)` opens it, with the classes."""

from __future__ import annotations

from headstart.export.deployable import Deployable
from headstart.export.format import Format, Runtime
from headstart.export.library_folder import LINK_IN_TORCH, write
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


def _runtime(made: Deployable) -> Runtime:
    return Runtime(
        ("import timm", "import torch"), _CODE.format(link=LINK_IN_TORCH[made.link]), ("timm", "torch"), _READ
    )


def _refuse(made: Deployable) -> str | None:
    source = SOURCES[made.backbone.source]
    if source.library != "timm":
        return f"its backbone is {source.called}"
    return "timm has no word for how its backbone was changed" if made.backbone.config.get("changes") else None


TIMM = Format(name="timm", title="a folder of timm", runtime=_runtime, write=write, refuse=_refuse)
