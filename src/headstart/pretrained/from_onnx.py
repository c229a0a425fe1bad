"""Image classifiers as ONNX files, run by OpenVINO: the last linear layer is cut off, and kept as the head.

An ONNX file says nothing about how its images are prepared. That is read from the file beside it that the model came
with (transformers' preprocessor_config.json, or timm's config.json), and refused where there is none: never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import headstart.no_telemetry  # noqa: F401 - before OpenVINO

import openvino as ov  # isort: skip

from headstart.errors import ModelError, somebody_elses
from headstart.pretrained.foreign_files import copy_regular
from headstart.pretrained.onnx_file import refuse_other_files
from headstart.pretrained.onnx_preparation import class_names, read_preparation
from headstart.pretrained.weights import raw, write_tensors
from headstart.storage.kept import writing

_MOST_NUMBERS = 2**29  # that a step of the graph makes of one image; the largest of a ViT-G's has 2**25


def describe(path: Path, *, target: Path) -> dict[str, Any]:
    """Copy the file into `target` as model.onnx, write its head as head.safetensors; say how it is fed.

    Raises:
        ModelError: not a whole ONNX file of an image model, or nothing beside it that says how images are prepared.
    """
    preparation, sidecar = read_preparation(path.parent)
    with writing(target):
        copy_regular(path, target / "model.onnx")
    model = _read(target / "model.onnx", name=str(path))
    with somebody_elses("OpenVINO", where=str(path)):
        _accepts(model, preparation.size, name=str(path))
        features, logits = _cut(_output(model, name=str(path)))
        name, width = features.get_any_name(), features.get_partial_shape()[1]
    if width.is_dynamic:
        raise ModelError("the number of features is left open", where=str(path), fix="export it with fixed sizes")
    classes = None
    if logits is not None:
        with somebody_elses("OpenVINO", where=str(path)):
            weight, bias = _linear(features, logits)
        write_tensors(target / "head.safetensors", {"weight": raw(weight), "bias": raw(bias)})
        classes = class_names(path.parent, len(bias))
    return {
        "source": "onnx",
        "architecture": "",
        "kind": "image",
        "width": width.get_length(),
        "preparation": asdict(preparation),
        "weights": "model.onnx",
        "classes": classes,
        "config": {"sidecar": sidecar, "features": name},
    }


def module(path: Path, width: int) -> ov.Model:
    """The graph up to its features: (n, 3, h, w) float32 -> (n, width) float32.

    Raises:
        ModelError: it gives another number of features, or keeps its weights in another file.
    """
    model = _read(path, name=str(path))
    with somebody_elses("OpenVINO", where=str(path)):
        features, _ = _cut(_output(model, name=str(path)))
        made = features.get_partial_shape()[1]
        if made.is_dynamic or made.get_length() != width:
            raise ModelError(f"damaged: width is {width}, and the model gives {made} numbers", where=str(path))
        return ov.Model([features], model.get_parameters(), "features")


def _read(path: Path, *, name: str) -> ov.Model:
    try:
        refuse_other_files(path)
    except ModelError as error:
        raise ModelError(error.what, where=name, fix=error.fix) from None
    try:
        model = ov.Core().read_model(path)
    except Exception as error:
        reason = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ModelError(
            f"OpenVINO cannot read it: {reason[-1][:160] if reason else 'no reason given'}",
            where=name,
            fix="one whole ONNX file is needed; where the weights are in a second one: onnx.save(onnx.load(FILE), NEW)",
        ) from None
    for node in model.get_ops():
        for output in node.outputs():
            if math.prod(side.get_min_length() for side in _sides(output)) > _MOST_NUMBERS:
                raise ModelError(f"{node.get_type_name()} in it makes {output.get_partial_shape()} numbers", where=name)
    return model


def _sides(output: ov.Output) -> Iterable[ov.Dimension]:
    shape = output.get_partial_shape()
    return () if shape.rank.is_dynamic else shape


def _accepts(model: ov.Model, size: tuple[int, int], *, name: str) -> None:
    wanted = ov.PartialShape([-1, 3, *size])
    inputs = [f"{i.get_partial_shape()} {i.get_element_type().get_type_name()}" for i in model.inputs]
    fits = len(inputs) == 1 and model.inputs[0].get_partial_shape().compatible(wanted)
    if not fits or model.inputs[0].get_element_type() != ov.Type.f32:
        raise ModelError(
            f"it takes {' and '.join(inputs)}, not one batch of images [n,3,{size[0]},{size[1]}] f32", where=name
        )


def _output(model: ov.Model, *, name: str) -> ov.Output:
    """What goes into the only result with one row an image."""
    flat = [o for o in model.outputs if o.get_partial_shape().rank == ov.Dimension(2)]
    if len(flat) != 1:
        shapes = " and ".join(str(o.get_partial_shape()) for o in model.outputs)
        raise ModelError(f"it gives {shapes}, not one table (n, features)", where=name, fix="export it with one output")
    return flat[0].get_node().input_value(0)


def _cut(output: ov.Output) -> tuple[ov.Output, ov.Output | None]:
    """The features, and the logits that a last linear layer makes of them (None where there is no such layer).

    Exporters write the layer as a product and a sum, with factors of one around them; a softmax behind it is passed.
    """
    node = output.get_node()
    if node.get_type_name() == "Softmax":
        output = node.input_value(0)
        node = output.get_node()
    logits, biased = output, False
    while node.get_type_name() in ("Add", "Multiply"):
        moving = [value for value in node.input_values() if not _constant(value)]
        if len(moving) != 1 or moving[0].get_partial_shape().rank != ov.Dimension(2):
            return output, None
        biased |= node.get_type_name() == "Add"
        node = moving[0].get_node()
    if node.get_type_name() != "MatMul" or not biased or not _constant(node.input_value(1)):
        return output, None
    features = node.input_value(0)
    straight = features.get_partial_shape().rank == ov.Dimension(2) and not node.get_attributes()["transpose_a"]
    return (features, logits) if straight else (output, None)


def _constant(output: ov.Output) -> bool:
    """Whether nothing that is put into the model changes it."""
    waiting, seen = [output.get_node()], set()
    while waiting:
        node = waiting.pop()
        if node.get_type_name() == "Parameter":
            return False
        if node.get_friendly_name() not in seen:
            seen.add(node.get_friendly_name())
            waiting += [value.get_node() for value in node.input_values()]
    return True


def _linear(features: ov.Output, logits: ov.Output) -> tuple[np.ndarray, np.ndarray]:
    """Weight (classes, width) and bias (classes,) of the layer between: what it makes of zeros and of each unit."""
    width = features.get_partial_shape()[1].get_length()
    unit = ov.opset13.parameter([-1, width], ov.Type.f32)
    for target in features.get_target_inputs():
        target.replace_source_output(unit.output(0))
    layer = ov.Core().compile_model(ov.Model([logits], [unit]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    bias = layer(np.zeros((1, width), np.float32))[0][0]
    return np.ascontiguousarray((layer(np.eye(width, dtype=np.float32))[0] - bias).T), np.array(bias)
