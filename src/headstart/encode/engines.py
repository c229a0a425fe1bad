"""What runs the forward pass: OpenVINO on a CPU, torch on a GPU. Each turns a stream of batches into features.

On a CPU every core works on a batch of its own: small batches stay in its cache, and a core that a decoding thread
takes for a moment holds up nobody else (a fifth faster than all cores on one batch of 32, bench/encode.py).

OpenVINO's graph is kept in the cache under the hash of what the backbone computes, so the second start needs no torch:
reading and compiling it takes a fraction of a second, converting it from torch takes several. Where it cannot be kept
it is used from memory; one that a power loss damaged is made anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import headstart.no_telemetry  # noqa: F401 - before OpenVINO

import openvino as ov  # isort: skip

from headstart.errors import ModelError, OutputError, somebody_elses
from headstart.storage.files import read_json
from headstart.storage.kept import free_bytes, room, say_not_kept, unfinished_folder, write_kept
from headstart.storage.places import cannot_write
from headstart.values import Backbone, ImagePreparation

BATCH = 4  # images, a static shape; 2 to 8 are alike, 32 is slower by a fifth
_GPU_BATCH = 128
_CLOSE = 0.9995  # cosine to float32 that lower precision must keep on real examples, each of them

Batch = tuple[np.ndarray, ...]  # images: ((n, h, w, 3) uint8,); texts: what preparation.inputs names, (n, t) int64 each
Batches = Iterable[tuple[np.ndarray, Batch]]  # which rows, and what goes in
Engine = Callable[[Batches], Iterator[tuple[np.ndarray, np.ndarray]]]  # which rows, and their features

_GRAPH, _WEIGHTS = "graph.xml", "graph.bin"  # as OpenVINO names them
_IN_BIN = re.compile(rb'offset="(\d+)" size="(\d+)"')  # where a constant lies in the file of weights
_unkept: dict[Path, ov.Model] = {}  # the last graph that could not be written
_unwritten: dict[Path, str] = {}  # precisions that could not be


@cache
def cpu_has_bf16() -> bool:
    """Whether OpenVINO runs bfloat16 natively here."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def lowest_cosine(reference: list[np.ndarray], low: list[np.ndarray]) -> float:
    """Between the features of each example, (n, width) a batch: the worst of them."""
    a, b = np.concatenate(reference), np.concatenate(low)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / np.maximum(norms, 1e-12)).min())


def choose_precision(
    backbone: Backbone,
    sample: list[tuple[np.ndarray, Batch]],
    *,
    alike: Callable[[list[np.ndarray], list[np.ndarray]], float] = lowest_cosine,
    least: float = _CLOSE,
) -> str:
    """Take "bf16" where the processor has it and `sample` comes out as in float32, else "f32".

    Decided once for each backbone on this machine and kept in the cache, since the store's keys contain it.

    Args:
        alike: what the engine made of each batch in float32 and in bfloat16 -> how alike they are.
        least: of that, for "bf16".
    """
    known = known_precision(backbone)
    if known is not None:
        return known
    reference, low = ([made for _, made in _openvino(backbone, p)(sample)] for p in ("f32", "bf16"))
    agreement = alike(reference, low)
    precision = "bf16" if agreement >= least else "f32"
    note = _precision_file(backbone)
    try:
        write_kept(note, json.dumps({"precision": precision, "agreement": round(agreement, 6)}))
    except OutputError as error:
        say_not_kept("the model's graph", error.__cause__ or error, note.parent, 0)
        _unwritten[note] = precision
    return precision


def known_precision(backbone: Backbone) -> str | None:
    """What `choose_precision` decided here before; None before the first run."""
    if _gpu_for(backbone) is not None or not cpu_has_bf16():
        return "f32"
    note = _precision_file(backbone)
    if note in _unwritten:
        return _unwritten[note]
    try:
        known = read_json(note)["precision"]
    except (OSError, ValueError, KeyError, TypeError):  # not there, or not whole
        return None
    return known if known in ("f32", "bf16") else None


def open_engine(backbone: Backbone, precision: str) -> Engine:
    """The fastest engine of this machine for the backbone. Batches come back in the order in which they went in."""
    device = _gpu_for(backbone)
    return _openvino(backbone, precision) if device is None else _torch(backbone, device)


def device() -> str:
    """What torch runs on here: "cpu", "cuda" or "mps"."""
    return _gpu() or "cpu"


def may_train_in_bf16() -> bool:
    """Whether torch has bfloat16 of the hardware's here: on CUDA, or on a processor with it."""
    return device() == "cuda" or cpu_has_bf16()


def images_a_batch(backbone: Backbone) -> int:
    return BATCH if _gpu_for(backbone) is None else _GPU_BATCH


def _gpu_for(backbone: Backbone) -> str | None:
    """An ONNX model has no torch module: it is run by OpenVINO, also where there is a GPU."""
    return None if backbone.source == "onnx" else _gpu()


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


def _openvino(backbone: Backbone, precision: str) -> Engine:
    cores = os.cpu_count() or 1
    compiled = _compiled(backbone, precision, cores)
    idle = deque(compiled.create_infer_request() for _ in range(cores))

    def run(batches: Batches) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        busy: deque[tuple[Any, np.ndarray]] = deque()

        def oldest() -> tuple[np.ndarray, np.ndarray]:
            request, which = busy.popleft()
            with somebody_elses("OpenVINO", where=backbone.name):
                request.wait()
            idle.append(request)
            return which, np.array(request.get_output_tensor(0).data[: len(which)], dtype=np.float32)

        for which, batch in batches:
            if not idle:
                yield oldest()
            request = idle.popleft()
            given = list(_filled(batch) if backbone.kind == "image" else batch)
            with somebody_elses("OpenVINO", where=backbone.name):
                request.start_async(given)
            busy.append((request, which))
        while busy:
            yield oldest()

    return run


def _filled(batch: Batch) -> Batch:
    """The last batch with black images behind, up to the static shape."""
    (pixels,) = batch
    missing = BATCH - len(pixels)
    return (np.concatenate([pixels, np.zeros((missing, *pixels.shape[1:]), np.uint8)]),) if missing else batch


def _torch(backbone: Backbone, device: str) -> Engine:
    import torch

    model = _wrapped(backbone, backbone.module()).to(device)

    def features(batch: Batch) -> np.ndarray:
        # cuDNN rounds what convolutions multiply to ten bits if it may: features would not be those of a CPU.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return np.asarray(model(*(torch.from_numpy(part).to(device) for part in batch)).float().cpu())

    def run(batches: Batches) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for which, batch in batches:
            yield which, features(batch)

    return run


def _graph_file(backbone: Backbone) -> Path:
    library = "openvino" if backbone.source == "onnx" else backbone.source
    made_of = (
        f"2 {backbone.function} openvino {version('openvino')} "
        f"{backbone.source} {version(library)} torch {version('torch')} {BATCH}"
    )
    return room("engines") / f"{hashlib.sha256(made_of.encode()).hexdigest()[:24]}.xml"


def _precision_file(backbone: Backbone) -> Path:
    return _graph_file(backbone).with_suffix(".precision.json")


def _compiled(backbone: Backbone, precision: str, cores: int) -> Any:
    """The backbone's graph, ready to run: as it was kept, else converted."""
    graph, core = _graph_file(backbone), ov.Core()
    settings = {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores, "INFERENCE_PRECISION_HINT": precision}
    if graph not in _unkept and _is_whole(graph, graph.with_suffix(".bin")):
        try:
            return core.compile_model(graph, "CPU", settings)
        except RuntimeError:  # damaged: it is made anew; if that was not the reason, it is raised again below
            with suppress(OSError):
                graph.unlink()
    if graph not in _unkept:
        converted = _converted(backbone)
        if _was_kept(converted, graph):
            return _ready(core, graph, settings, backbone.name)
        _unkept.clear()
        _unkept[graph] = converted
    return _ready(core, _unkept[graph], settings, backbone.name)


def _ready(core: ov.Core, graph: Path | ov.Model, settings: dict[str, Any], name: str) -> Any:
    with somebody_elses("OpenVINO", where=name):
        return core.compile_model(graph, "CPU", settings)


def _is_whole(graph: Path, weights: Path) -> bool:
    """Whether both files are there and not cut short, which OpenVINO notices of the first only, and not always."""
    try:
        told, size = graph.read_bytes(), weights.stat().st_size
    except OSError:
        return False
    needed = max((int(offset) + int(count) for offset, count in _IN_BIN.findall(told)), default=0)
    return told.rstrip().endswith(b"</net>") and size >= needed


def _was_kept(converted: ov.Model, graph: Path) -> bool:
    """Write OpenVINO's graph into the cache, the weights before what names them; False where they have no room."""
    size = sum(node.get_byte_size() for node in converted.get_ordered_ops() if node.get_type_name() == "Constant")
    try:
        with unfinished_folder(graph) as folder:
            if not _is_written(converted, folder):
                number = errno.ENOSPC if free_bytes(folder) < size else errno.EIO
                failed = OSError(number, os.strerror(number))
                raise cannot_write(graph, failed) from failed
            (folder / _WEIGHTS).replace(graph.with_suffix(".bin"))
            (folder / _GRAPH).replace(graph)
    except (OutputError, OSError) as error:
        say_not_kept("the model's graph", error.__cause__ or error, graph.parent, size)
        return False
    return True


def _is_written(converted: ov.Model, folder: Path) -> bool:
    """OpenVINO does not say why it could not write, nor always that it could not."""
    try:
        ov.save_model(converted, folder / _GRAPH, compress_to_fp16=False)
    except RuntimeError:
        return False
    return _is_whole(folder / _GRAPH, folder / _WEIGHTS)


def _converted(backbone: Backbone) -> ov.Model:
    module = backbone.module()
    with somebody_elses("OpenVINO", where=backbone.name):
        return _fed_bytes(backbone, module) if isinstance(module, ov.Model) else _traced(backbone, module)


def _traced(backbone: Backbone, module: Any) -> ov.Model:
    """A torch module, traced."""
    import torch

    model = _wrapped(backbone, module)
    if isinstance(backbone.preparation, ImagePreparation):
        shapes: Any = [[BATCH, *backbone.preparation.size, 3]]
        example: Any = (torch.zeros(shapes[0], dtype=torch.uint8),)  # a graph of operators keeps its sizes as numbers
    else:
        ids, inputs = torch.ones((2, 8), dtype=torch.int64), backbone.preparation.inputs
        example, shapes = tuple(ids for _ in inputs), [[-1, -1] for _ in inputs]
    with torch.inference_mode(), _quiet():
        # Not frozen before: OpenVINO folds the same constants as well, and torch takes up to ten seconds for it.
        traced = torch.jit.trace(model, example, check_trace=False)
        return ov.convert_model(traced, example_input=example, input=shapes)


def _fed_bytes(backbone: Backbone, graph: ov.Model) -> ov.Model:
    """An image graph that took (n, 3, h, w) float32, with the normalisation inside and the static batch."""
    preparation = backbone.preparation
    if not isinstance(preparation, ImagePreparation):
        raise TypeError("a graph takes images")
    try:
        graph.reshape([BATCH, 3, *preparation.size])
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:160]
        raise ModelError(
            f"it does not take {BATCH} images at once: {reason}",
            where=backbone.name,
            fix="export it with a dynamic first dimension",
        ) from None
    steps = ov.preprocess.PrePostProcessor(graph)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout("NCHW"))
    mean, std = ([255 * value for value in values] for values in (preparation.mean, preparation.std))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(std)
    return steps.build()


@contextmanager
def _quiet() -> Iterator[None]:
    """While tracing, which warns of each Python value that becomes a constant (the parity tests judge that) and reads
    every property of the modules, deprecated ones too."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _wrapped(backbone: Backbone, module: Any) -> Any:
    """The module with the normalisation inside, so that bytes go in."""
    import torch
    from torch import nn

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
