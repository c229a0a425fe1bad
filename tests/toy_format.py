"""A toy export format from outside the package: TorchScript, of texts."""

from __future__ import annotations

import warnings

import torch

from headstart.export.format import Format, Runtime


def write(made, folder, quantise):
    with torch.inference_mode(), warnings.catch_warnings(action="ignore"):
        torch.jit.trace(made.core(), made.example(), check_trace=False).save(folder / "model.pt")


CODE = """
model = torch.jit.load(here / "model.pt")


def run(given):
    with torch.inference_mode():
        return model(*map(torch.from_numpy, given.values()))
"""

TORCHSCRIPT = Format(
    name="torchscript",
    title="TorchScript",
    runtime=lambda made: Runtime(("import torch",), CODE, ("torch",)),
    write=write,
    refuse=lambda made: "a toy takes texts only" if made.takes_photos else None,
)
