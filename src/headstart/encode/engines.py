"""What runs the forward pass: OpenVINO on a CPU, torch on a GPU. Each turns a stream of batches into features.

On a CPU every core works on a batch of its own: small batches stay in its cache, and a core that a decoding thread
takes for a moment holds up nobody else (a fifth faster than all cores on one batch of 32, bench/encode.py).
"""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from headstart.backbone import Backbone
from headstart.encode.graph_file import processor_file
from headstart.encode.kinds import BATCH, KINDS, Batch, Batches
from headstart.encode.machine import cores, gpu
from headstart.errors import OutputError, somebody_elses
from headstart.pretrained.source import SOURCES
from headstart.storage.files import read_json
from headstart.storage.kept import say_not_kept, write_kept

_GPU_BATCH = 128

Engine = Callable[[Batches], Iterator[tuple[np.ndarray, np.ndarray]]]  # which rows, and their features

_most_ready = 2  # engines, each with the weights of its model
_ready: dict[tuple[object, ...], Engine] = {}  # those that were asked last, the last one behind
_one_at_a_time, _one_opens = threading.Lock(), threading.Lock()


@cache
def cpu_has_bf16() -> bool:
    """Whether OpenVINO runs bfloat16 natively here; what it said before of this processor is kept."""
    kept = processor_file()
    with suppress(OSError, ValueError, KeyError, TypeError):  # not there, or not whole
        known = read_json(kept)["bf16"]
        if isinstance(known, bool):
            return known
    import headstart.no_telemetry  # noqa: F401, I001 - before OpenVINO
    import openvino as ov

    has = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    try:
        write_kept(kept, json.dumps({"bf16": has}))
    except OutputError as error:
        say_not_kept("the model's graph", error.__cause__ or error, kept.parent, 0)
    return has


def open_engine(backbone: Backbone, precision: str, *, at_once: int | None = None) -> Engine:
    """The fastest engine of this machine for the backbone. Batches come back in the order in which they went in.

    Args:
        at_once: batches that a CPU runs beside each other; None: one for each core.
    """
    device = gpu_for(backbone)
    return _openvino(backbone, precision, at_once) if device is None else _torch(backbone, device)


def run_ready(
    backbone: Backbone, precision: str, batches: list[tuple[np.ndarray, Batch]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the engine makes of a few batches. It stays open for the next call: compiling takes longer than running."""
    key = backbone.function, precision, gpu_for(backbone), cores(), os.getpid()  # a fork has no threads of OpenVINO's
    while True:
        if key not in _ready:
            with _one_opens:  # others run meanwhile
                if key not in _ready:
                    _ready[key] = open_engine(backbone, precision, at_once=1)
        with _one_at_a_time:
            engine = _ready.pop(key, None)
            if engine is None:  # another thread's call was cut short just now
                continue
            made = list(engine(batches))  # what was under way in an engine is lost where this is cut short: it goes
            _ready[key] = engine
            while len(_ready) > _most_ready:
                del _ready[next(iter(_ready))]
            return made


def keep_ready(engines: int) -> None:
    """Let so many engines stay open from now on: those of all models of a service."""
    global _most_ready
    _most_ready = max(_most_ready, engines)


def device() -> str:
    """What torch runs on here: "cpu", "cuda" or "mps"."""
    return gpu() or "cpu"


def may_train_in_bf16() -> bool:
    """Whether torch has bfloat16 of the hardware's here: on CUDA, or on a processor with it."""
    return device() == "cuda" or cpu_has_bf16()


def images_a_batch(backbone: Backbone) -> int:
    return BATCH if gpu_for(backbone) is None else _GPU_BATCH


def gpu_for(backbone: Backbone) -> str | None:
    """What has no torch module is run by OpenVINO, also where there is a GPU."""
    return gpu() if SOURCES[backbone.source].gpu else None


def _openvino(backbone: Backbone, precision: str, at_once: int | None = None) -> Engine:
    from headstart.encode import graphs

    graph, filled = graphs.compiled(backbone, precision, cores(), at_once=at_once), KINDS[backbone.kind].filled
    idle = deque(graph.create_infer_request() for _ in range(at_once or cores()))
    first = graph.input(0).partial_shape[0]
    of_one = first.is_static and first.get_length() == 1

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
            given = list(batch if of_one else filled(batch))
            with somebody_elses("OpenVINO", where=backbone.name):
                request.start_async(given)
            busy.append((request, which))
        while busy:
            yield oldest()

    return run


def _torch(backbone: Backbone, device: str) -> Engine:
    import torch

    model = KINDS[backbone.kind].wrapped(backbone, backbone.module()).to(device)

    def features(batch: Batch) -> np.ndarray:
        # cuDNN rounds what convolutions multiply to ten bits if it may: features would not be those of a CPU.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return np.asarray(model(*(torch.from_numpy(part).to(device) for part in batch)).float().cpu())

    def run(batches: Batches) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for which, batch in batches:
            yield which, features(batch)

    return run
