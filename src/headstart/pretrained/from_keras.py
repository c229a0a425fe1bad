"""Keras's VGG and ResNet weights (`keras.applications`, `.h5`), turned into what timm builds, exactly.

Keras keeps kernels as (height, width, in, out). These models were trained on blue-green-red bytes less their mean
(Caffe's way): the first kernel is turned round, so that red-green-blue goes in. ResNet's convolutions have a bias and
its BatchNorm another epsilon: both are moved into the running statistics, which leaves every output as it was.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.errors import ModelError
from headstart.pretrained.translated import FIRST_STRIDE, NO_FULLY_CONNECTED, Translated

Layers = dict[str, dict[str, np.ndarray]]  # layer -> kernel, bias, gamma, ... -> values

_MEAN = (123.68, 116.779, 103.939)  # red, green, blue; of ImageNet's bytes
_EPSILON, _TIMM_EPSILON = 1.001e-5, 1e-5
_BLOCKS: dict[tuple[int, ...], str] = {(3, 4, 6, 3): "resnet50", (3, 4, 23, 3): "resnet101", (3, 8, 36, 3): "resnet152"}
_RESNET_LAYER = re.compile(r"conv([2-5])_block(\d+)_([0-3])_(conv|bn)")


def translate(path: Path, *, architecture: str | None = None) -> Translated:
    """A `.h5` file of `keras.applications`, with or without the top.

    Args:
        path: the file, in the layout with a group a layer.
        architecture: timm's name; it must be the one that the layers say.

    Raises:
        ModelError: h5py is not installed, not such a file, not a model that is known, or another than named.
    """
    layers = _read(path)
    if {"block1_conv1", "block5_conv3"} <= set(layers):
        found = _vgg(layers)
    elif {"conv1_conv", "conv5_block3_3_conv"} <= set(layers):
        found = _resnet(layers, path)
    else:
        raise ModelError(
            f"neither VGG nor ResNet of keras.applications: layers {', '.join(list(layers)[:3])}, ...", where=str(path)
        )
    if architecture not in (None, found.architecture):
        raise ModelError(f"the layers are those of {found.architecture}, not of {architecture}", where=str(path))
    return found


def _read(path: Path) -> Layers:
    try:
        import h5py
    except ImportError:
        raise ModelError("Keras's files need h5py", where=str(path), fix="pip install headstart[keras]") from None
    try:
        with h5py.File(path) as file:
            group = file.get("model_weights", file)
            names = [_text(name) for name in group.attrs.get("layer_names", ())]
            if not names:
                raise ModelError(
                    "not in the layout of keras.applications (no layer_names)",
                    where=str(path),
                    fix="the published .h5 files have it; model.save_weights of Keras 3 does not write it",
                )
            return {name: _tensors(group[name]) for name in names if len(group[name].attrs.get("weight_names", ()))}
    except (OSError, KeyError) as error:
        raise ModelError(f"not a whole HDF5 file: {str(error).splitlines()[0]}", where=str(path)) from None


def _tensors(group: Any) -> dict[str, np.ndarray]:
    names = [_text(name) for name in group.attrs["weight_names"]]
    return {name.rsplit("/", 1)[-1].removesuffix(":0"): np.asarray(group[name], np.float32) for name in names}


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _vgg(layers: Layers) -> Translated:
    convolutions = [name for name in layers if re.fullmatch(r"block\d_conv\d", name)]
    state: dict[str, torch.Tensor] = {}
    place = 0  # in timm's list of layers: a convolution and a ReLU each, a pooling after each block
    for name, following in zip(convolutions, [*convolutions[1:], "end"], strict=True):
        kernel = layers[name]["kernel"]
        _put(
            state, f"features.{place}", _convolution(_red_first(kernel) if place == 0 else kernel), layers[name]["bias"]
        )
        place += 2 if following.startswith(name[:7]) else 3
    if "fc1" in layers:
        first, second, last = layers["fc1"], layers["fc2"], layers["predictions"]
        flat = first["kernel"].reshape(7, 7, -1, first["kernel"].shape[1])  # flattened from (height, width, channel)
        _put(state, "pre_logits.fc1", _convolution(flat), first["bias"])
        _put(state, "pre_logits.fc2", _convolution(second["kernel"][None, None]), second["bias"])
        _put(state, "head.fc", last["kernel"].T, last["bias"])
    changes = () if "fc1" in layers else (NO_FULLY_CONNECTED,)
    return Translated("vgg19" if "block3_conv4" in layers else "vgg16", state, _preprocessing(), changes)


def _resnet(layers: Layers, path: Path) -> Translated:
    depth = tuple(
        len({m[2] for name in layers if (m := _RESNET_LAYER.fullmatch(name)) and m[1] == str(stage)})
        for stage in range(2, 6)
    )
    architecture = _BLOCKS.get(depth)
    if architecture is None:
        raise ModelError(f"no ResNet of keras.applications has {depth} blocks", where=str(path))
    state: dict[str, torch.Tensor] = {}
    first = {**layers["conv1_conv"], "kernel": _red_first(layers["conv1_conv"]["kernel"])}
    _convolution_and_norm(state, "conv1", "bn1", first, layers["conv1_bn"])
    for name in layers:
        match = _RESNET_LAYER.fullmatch(name)
        if match is None or match[4] == "bn":
            continue
        block, k = f"layer{int(match[1]) - 1}.{int(match[2]) - 1}", match[3]
        names = ("downsample.0", "downsample.1") if k == "0" else (f"conv{k}", f"bn{k}")
        norm = layers[name.removesuffix("conv") + "bn"]
        _convolution_and_norm(state, f"{block}.{names[0]}", f"{block}.{names[1]}", layers[name], norm)
    if "predictions" in layers:
        _put(state, "fc", layers["predictions"]["kernel"].T, layers["predictions"]["bias"])
    return Translated(architecture, state, _preprocessing(), (FIRST_STRIDE,))


def _convolution_and_norm(
    state: dict[str, torch.Tensor], conv: str, norm: str, kernel: dict[str, np.ndarray], bn: dict[str, np.ndarray]
) -> None:
    """(x + b - m) / sqrt(v + e) = (x - (m - b)) / sqrt((v + e - e') + e')."""
    state[f"{conv}.weight"] = _torch(_convolution(kernel["kernel"]))
    state[f"{norm}.weight"], state[f"{norm}.bias"] = _torch(bn["gamma"]), _torch(bn["beta"])
    state[f"{norm}.running_mean"] = _torch(bn["moving_mean"] - kernel["bias"])
    state[f"{norm}.running_var"] = _torch(bn["moving_variance"] + np.float32(_EPSILON - _TIMM_EPSILON))
    state[f"{norm}.num_batches_tracked"] = torch.tensor(0)


def _convolution(kernel: np.ndarray) -> np.ndarray:
    """(height, width, in, out) -> (out, in, height, width)."""
    return kernel.transpose(3, 2, 0, 1)


def _red_first(kernel: np.ndarray) -> np.ndarray:
    return kernel[:, :, ::-1]


def _put(state: dict[str, torch.Tensor], name: str, weight: np.ndarray, bias: np.ndarray) -> None:
    state[f"{name}.weight"], state[f"{name}.bias"] = _torch(weight), _torch(bias)


def _torch(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _preprocessing() -> dict[str, Any]:
    """Bytes less their mean. Keras squashes an image to 224 x 224; here its longer side is cut, as for other models."""
    return {
        "input_size": [3, 224, 224],
        "crop_pct": 1.0,
        "interpolation": "bilinear",
        "mean": [value / 255 for value in _MEAN],
        "std": [1 / 255] * 3,
    }
