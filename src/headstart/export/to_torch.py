"""A program of torch.export: one file that torch runs, compiles or lowers further, without the code of the model."""

from __future__ import annotations

import json
from pathlib import Path

from headstart.encode.graphs import quiet
from headstart.errors import somebody_elses
from headstart.export.deployable import Deployable
from headstart.export.format import Format, Quantise, Runtime
from headstart.pretrained.source import SOURCES

_FILE = "model.pt2"
_CODE = """
program = torch.export.load(here / "{file}").module({guards})


def run(given):
    with torch.inference_mode():
        return program(*map(torch.from_numpy, given.values()))
"""


def _runtime(made: Deployable) -> Runtime:
    # torch puts a guard before programs of pairs that a pair by itself does not pass, and that nothing in them needs.
    code = _CODE.format(file=_FILE, guards="check_guards=False" if made.apart else "")
    return Runtime(("import torch",), code, ("torch",))


def _write(made: Deployable, folder: Path, quantise: Quantise) -> None:
    """Raises ModelError where it cannot be made."""
    import torch

    from headstart.export.traced import whole

    with somebody_elses("torch.export", where=made.backbone.name), quiet():
        program = whole(made)
        facts = {f"{name}.json": json.dumps(value, ensure_ascii=False) for name, value in made.facts.items()}
        torch.export.save(program, folder / _FILE, extra_files=facts)


def _refuse(made: Deployable) -> str | None:
    return None if SOURCES[made.backbone.source].gpu else "its backbone is a graph of ONNX, and no module of torch's"


TORCH = Format(
    name="torch",
    title="torch.export",
    runtime=_runtime,
    write=_write,
    refuse=_refuse,
)
