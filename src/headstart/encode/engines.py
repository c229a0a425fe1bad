"""What runs the forward pass: OpenVINO on a CPU, torch on a GPU. Each is a callable, batch in, features out.

OpenVINO's graph is kept in the cache under the backbone's weights hash, so the second start needs no torch: reading and
compiling it takes a fraction of a second, converting it from torch takes several.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from headstart.errors import ModelError
from headstart.places import cache_folder, temporary_beside, write_whole
from headstart.values import Backbone, ImagePreparation

BATCH = 32  # images; a static shape of 32 was fastest of 8 to 64
_CLOSE = 0.9995  # cosine to float32 that lower precision must keep on real examples, each of them

Batch = tuple[np.ndarray, ...]  # images: ((n, h, w, 3) uint8,); texts: (ids, mask), both (n, t) int64
Forward = Callable[[Batch], np.ndarray]


@cache
def cpu_has_bf16() -> bool:
    """Whether OpenVINO runs bfloat16 natively here."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def choose_precision(backbone: Backbone, sample: Batch) -> str:
    """Take "bf16" where the processor has it and `sample` keeps its features (cosine 0.9995 to float32), else "f32".

    Decided once for each backbone on this machine and kept in the cache, since the store's keys contain it.
    """
    if _gpu() is not None or not cpu_has_bf16():
        return "f32"
    note = _graph_file(backbone).with_suffix(".precision.json")
    if note.exists():
        return str(json.loads(note.read_text())["precision"])
    reference = _openvino(backbone, "f32")(sample)
    low = _openvino(backbone, "bf16")(sample)
    norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(low, axis=1)
    cosine = float(((reference * low).sum(axis=1) / np.maximum(norms, 1e-12)).min())
    precision = "bf16" if cosine >= _CLOSE else "f32"
    write_whole(note, json.dumps({"precision": precision, "lowest_cosine": round(cosine, 6)}))
    return precision


def known_precision(backbone: Backbone) -> str | None:
    """What `choose_precision` decided here before; None before the first run."""
    if _gpu() is not None or not cpu_has_bf16():
        return "f32"
    note = _graph_file(backbone).with_suffix(".precision.json")
    return str(json.loads(note.read_text())["precision"]) if note.exists() else None


def open_engine(backbone: Backbone, precision: str) -> Forward:
    """The fastest engine of this machine for the backbone."""
    device = _gpu()
    return _openvino(backbone, precision) if device is None else _torch(backbone, device)


def _gpu() -> str | None:
    """The GPU that HEADSTART_DEVICE asks for, or CUDA where a driver is present. Loads torch only then."""
    asked = os.environ.get("HEADSTART_DEVICE")
    if asked == "cpu" or (asked is None and not Path("/proc/driver/nvidia/version").exists()):
        return None
    import torch

    if torch.cuda.is_available() and asked in (None, "cuda"):
        return "cuda"
    if torch.backends.mps.is_available() and asked == "mps":
        return "mps"
    if asked in ("cuda", "mps"):
        raise ModelError(f"no such device: {asked}", where="HEADSTART_DEVICE", fix="unset it, or set it to cpu")
    return None


def _openvino(backbone: Backbone, precision: str) -> Forward:
    graph = _graph_file(backbone)
    if not graph.exists():
        _convert(backbone, graph)
    core = ov.Core()
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(graph, "CPU", settings).create_infer_request()

    def forward(batch: Batch) -> np.ndarray:
        n = len(batch[0])
        if backbone.kind == "image" and n < BATCH:
            batch = (np.concatenate([batch[0], np.zeros((BATCH - n, *batch[0].shape[1:]), np.uint8)]),)
        return np.array(next(iter(request.infer(list(batch)).values()))[:n], dtype=np.float32)

    return forward


def _torch(backbone: Backbone, device: str) -> Forward:
    import torch

    model = _wrapped(backbone).to(device)

    def forward(batch: Batch) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(model(*(torch.from_numpy(part).to(device) for part in batch)).float().cpu())

    return forward


def _graph_file(backbone: Backbone) -> Path:
    made_of = (
        f"{backbone.weights_hash} {backbone.architecture} {backbone.preparation} openvino {version('openvino')} "
        f"{backbone.source} {version(backbone.source)} torch {version('torch')} {BATCH}"
    )
    return cache_folder() / "engines" / f"{hashlib.sha256(made_of.encode()).hexdigest()[:24]}.xml"


def _convert(backbone: Backbone, graph: Path) -> None:
    """Trace the torch module and keep OpenVINO's graph; the weights file is in place before the graph names it."""
    import torch

    model = _wrapped(backbone)
    if isinstance(backbone.preparation, ImagePreparation):
        example: Any = (torch.zeros((1, *backbone.preparation.size, 3), dtype=torch.uint8),)
        shapes: Any = [[BATCH, *backbone.preparation.size, 3]]
    else:
        ids = torch.ones((2, 8), dtype=torch.int64)
        example, shapes = (ids, ids), [[-1, -1], [-1, -1]]
    with torch.inference_mode():
        traced = torch.jit.freeze(torch.jit.trace(model, example, check_trace=False))
        converted = ov.convert_model(traced, example_input=example, input=shapes)
    graph.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(graph).with_suffix(".xml")
    ov.save_model(converted, temporary, compress_to_fp16=False)
    temporary.with_suffix(".bin").replace(graph.with_suffix(".bin"))
    temporary.replace(graph)


def _wrapped(backbone: Backbone) -> Any:
    """The module with the normalisation inside, so that bytes go in."""
    import torch
    from torch import nn

    module = backbone.module()
    preparation = backbone.preparation
    if not isinstance(preparation, ImagePreparation):
        return module

    mean = 255 * torch.tensor(preparation.mean).view(1, 3, 1, 1)
    std = 255 * torch.tensor(preparation.std).view(1, 3, 1, 1)

    class FromBytes(nn.Module):
        mean: torch.Tensor
        std: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.model = module
            self.register_buffer("mean", mean)
            self.register_buffer("std", std)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:  # (n, h, w, 3) uint8
            return self.model((pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std)

    return FromBytes().eval()
