"""A web page: the model as ONNX beside a page that runs it in the browser, with no server and no network.

The page and ONNX Runtime for browsers are static files of the package, built from `web/`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from headstart.export.deployable import Deployable
from headstart.export.format import Format, Quantise
from headstart.export.to_onnx import ONNX, write

PAGE = Path(__file__).parent / "web"


def _write(made: Deployable, folder: Path, quantise: Quantise) -> None:
    write(made, folder, quantise)
    idle = shutil.ignore_patterns("tokenizers.js") if made.takes_photos else None
    shutil.copytree(PAGE, folder, ignore=idle, dirs_exist_ok=True)


WEB = Format(name="web", title="a web page", runtime=ONNX.runtime, write=_write, needs=ONNX.needs, quantises=True)
