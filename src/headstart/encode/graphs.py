"""Graphs of OpenVINO: made of a backbone, and kept.

One is kept in the cache under the hash of what the backbone computes, so the second start needs no torch: reading and
compiling it takes a fraction of a second, converting it from torch takes several. Where it cannot be kept it is used
from memory; one that a power loss damaged is made anew.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import headstart.no_telemetry  # noqa: F401 - before OpenVINO

import openvino as ov  # isort: skip

from headstart.backbone import Backbone
from headstart.encode.graph_file import graph_file, int8_file, is_int8
from headstart.encode.kinds import BATCH, KINDS
from headstart.errors import ModelError, OutputError, somebody_elses
from headstart.storage.kept import free_bytes, say_not_kept, unfinished_folder
from headstart.storage.places import cannot_write

_GRAPH, _WEIGHTS = "graph.xml", "graph.bin"  # as OpenVINO names them
_IN_BIN = re.compile(rb'offset="(\d+)" size="(\d+)"')  # where a constant lies in the file of weights
_unkept: dict[Path, ov.Model] = {}  # the last graph that could not be written


def compiled(backbone: Backbone, precision: str, cores: int, *, at_once: int | None = None) -> Any:
    """The backbone's graph, ready to run: as it was kept, else converted.

    Args:
        at_once: batches that are run beside each other; None: one for each core. With 1 the cores share a batch, and
            that is of a single image where the graph can be changed to that.
    """
    core, low = ov.Core(), is_int8(precision)
    graph, hint = int8_file(backbone, precision) if low else graph_file(backbone), "f32" if low else precision
    settings = {"NUM_STREAMS": at_once or cores, "INFERENCE_NUM_THREADS": cores, "INFERENCE_PRECISION_HINT": hint}
    if graph not in _unkept and is_whole(graph):
        try:
            return core.compile_model(_of_one(core.read_model(graph)) if at_once == 1 else graph, "CPU", settings)
        except RuntimeError:  # damaged: it is made anew; if that was not the reason, it is raised again below
            with suppress(OSError):
                graph.unlink()
    if low:
        raise ModelError("its int8 graph is gone from the cache", where=backbone.name, fix="run it again")
    if graph not in _unkept:
        converted = _converted(backbone)
        if was_kept(converted, graph):
            return _ready(core, graph, settings, backbone.name, of_one=at_once == 1)
        _unkept.clear()
        _unkept[graph] = converted
    return _ready(core, _unkept[graph], settings, backbone.name, of_one=at_once == 1)


def graph_of(backbone: Backbone) -> ov.Model:
    """The backbone's graph, to be changed: as it was kept, else converted."""
    graph = graph_file(backbone)
    if is_whole(graph):
        with suppress(RuntimeError):  # damaged
            return ov.Core().read_model(graph)
    return _converted(backbone)


def _ready(core: ov.Core, graph: Path | ov.Model, settings: dict[str, Any], name: str, *, of_one: bool) -> Any:
    with somebody_elses("OpenVINO", where=name):
        if of_one:
            graph = _of_one(core.read_model(graph) if isinstance(graph, Path) else graph.clone())
        return core.compile_model(graph, "CPU", settings)


def _of_one(graph: ov.Model) -> ov.Model:
    """The graph for a single image, where it is for a batch of a fixed size, and does not have that within."""
    shapes = {port: port.partial_shape for port in graph.inputs}
    if all(shape.is_dynamic for shape in shapes.values()):
        return graph
    try:
        graph.reshape({port: ov.PartialShape([1, *list(shape)[1:]]) for port, shape in shapes.items()})
    except RuntimeError:
        graph.reshape(shapes)
    return graph


def is_whole(graph: Path) -> bool:
    """Whether it is there with its weights, not cut short: which OpenVINO notices of the first only, and not always."""
    try:
        told, size = graph.read_bytes(), graph.with_suffix(".bin").stat().st_size
    except OSError:
        return False
    needed = max((int(offset) + int(count) for offset, count in _IN_BIN.findall(told)), default=0)
    return told.rstrip().endswith(b"</net>") and size >= needed


def was_kept(converted: ov.Model, graph: Path) -> bool:
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
    return is_whole(folder / _GRAPH)


def _converted(backbone: Backbone) -> ov.Model:
    module = backbone.module()
    with somebody_elses("OpenVINO", where=backbone.name):
        return _fed_bytes(backbone, module) if isinstance(module, ov.Model) else _traced(backbone, module)


def _traced(backbone: Backbone, module: Any) -> ov.Model:
    """A torch module, traced."""
    import torch

    kind = KINDS[backbone.kind]
    model = kind.wrapped(backbone, module)
    example, shapes = kind.traced(backbone)
    with torch.inference_mode(), quiet():
        # Not frozen before: OpenVINO folds the same constants as well, and torch takes up to ten seconds for it.
        traced = torch.jit.trace(model, example, check_trace=False)
        return ov.convert_model(traced, example_input=example, input=shapes)


def _fed_bytes(backbone: Backbone, graph: ov.Model) -> ov.Model:
    """An image graph that took (n, 3, h, w) float32, with the normalisation inside and the static batch."""
    preparation = backbone.images
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
def quiet() -> Iterator[None]:
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
