"""Weights files of Keras applications (.h5), VGG and ResNet: read with h5py, Keras itself is not needed.

Three layouts hold the same layers: the applications' own files (a group a layer, its `weight_names` in order), what
`model.save("x.h5")` writes (the same under `model_weights`), and `save_weights("x.weights.h5")` of Keras 3. Weights are
taken by the layer's name and their order in it, since the published files call them otherwise than Keras does today.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.errors import ModelError, first_line
from headstart.pretrained.foreign_files import refuse_special
from headstart.pretrained.translated import FIRST_STRIDE, NO_FULLY_CONNECTED, Translated

Layers = dict[str, list[np.ndarray]]

_VGG = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}  # convolutions a block
_RESNET = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3), "resnet152": (3, 8, 36, 3)}  # blocks a stage
_TOP = {"vgg": ("fc1", "fc2", "predictions"), "res": ("predictions",)}
_MOST_ENTRIES, _MOST_BYTES = 100_000, 4 * 10**9  # groups may hold each other; VGG19 has 0.6 GB
_MOST_PACKED = 1100  # bytes for one of gzip's; what was never written takes none, and is as long as it says
_EPSILON, _TIMMS_EPSILON = 1.001e-5, 1e-5  # of BatchNorm
_PREPARATION: dict[str, Any] = {  # values 0 to 255 less the mean of each colour, as Caffe's models have it
    "mean": [123.68 / 255, 116.779 / 255, 103.939 / 255],
    "std": [1 / 255] * 3,
    "input_size": [3, 224, 224],
    "interpolation": "bilinear",
    "crop_pct": 1.0,
    "crop_mode": "squash",  # Keras's load_img(..., target_size=(224, 224)) does not keep an image's shape
}


def translate(path: Path, *, architecture: str | None = None) -> Translated:
    """VGG16, VGG19, ResNet50, ResNet101 or ResNet152, with or without the top.

    The first convolution's input channels are turned round, so that RGB goes in where Keras turns images into BGR.
    A VGG without its top gives the average of its last feature map.

    Args:
        path: the .h5 file.
        architecture: refused where the file is of another one.

    Raises:
        ModelError: h5py is missing; damaged; or layers of another model.
    """
    layers = _layers(path)
    name = _recognise(path, layers)
    if architecture and architecture != name:
        raise ModelError(f"the file is of {name}, not of {architecture}", where=str(path))
    with_top = "predictions" in layers
    try:
        state = _vgg(layers, _VGG[name]) if name in _VGG else _resnet(layers, _RESNET[name])
    except ValueError as error:
        raise ModelError(
            f"the weights do not fit {name}: {error}", where=str(path), fix="fetch the file again"
        ) from None
    if name in _RESNET:
        changes: tuple[str, ...] = (FIRST_STRIDE,)
    else:
        changes = () if with_top else (NO_FULLY_CONNECTED,)
    tensors = {key: torch.from_numpy(np.array(value, np.float32, order="C")) for key, value in state.items()}
    counters = {key.replace("running_mean", "num_batches_tracked") for key in tensors if key.endswith("running_mean")}
    return Translated(name, {**tensors, **{key: torch.tensor(0) for key in counters}}, _PREPARATION, changes)


def _layers(path: Path) -> Layers:
    """The arrays of each layer that has any, in the layer's order."""
    try:
        import h5py
    except ImportError:
        raise ModelError("reading .h5 files needs h5py", where=str(path), fix="pip install headstart[keras]") from None
    refuse_special(path)
    try:
        with h5py.File(path, "r") as file:
            _refuse_elsewhere(file)
            legacy = file.get("model_weights", file)
            if "layer_names" in legacy.attrs:
                found = {name: _legacy(legacy[name]) for name in _once(map(_text, legacy.attrs["layer_names"]))}
            elif "layers" in file:
                found = dict(_named(group["vars"]) for group in file["layers"].values() if "vars" in group)
            else:
                found = {}
    except Exception as error:  # h5py meets cut and foreign bytes with any of Python's
        raise ModelError(
            f"not a whole HDF5 file of weights: {first_line(error)}", where=str(path), fix="fetch it again"
        ) from None
    if not found:
        raise ModelError("no layers in this .h5 file", where=str(path), fix="save it with model.save_weights")
    return {name: arrays for name, arrays in found.items() if arrays}


def _refuse_elsewhere(file: Any) -> None:
    """Raises ValueError where anything in the file lies outside of it, or is more than such a file has.

    HDF5 has four ways to say that numbers are in another file: links to one, links by path (which may go through
    those), datasets put together from others, and datasets kept as raw bytes elsewhere.
    """
    import h5py

    waiting, count, size = [file], 0, 0
    while waiting:
        group = waiting.pop()
        for name in group:
            count += 1
            if count > _MOST_ENTRIES:
                raise ValueError(f"more than {_MOST_ENTRIES:,} entries")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name!r} is a link to another place, which is not followed")
            entry = group[name]
            if isinstance(entry, h5py.Group):
                waiting.append(entry)
            elif isinstance(entry, h5py.Dataset):
                if entry.is_virtual or entry.external:
                    raise ValueError(f"the numbers of {name!r} are in another file, which is not followed")
                unpacked = entry.size * entry.dtype.itemsize if entry.dtype.kind in "fiu" else 0
                if unpacked > _MOST_PACKED * entry.id.get_storage_size():
                    raise ValueError(f"the numbers of {name!r} are not in the file")
                size += unpacked
                if size > _MOST_BYTES:
                    raise ValueError(f"more than {_MOST_BYTES:,} bytes of numbers")


def _array(dataset: Any) -> np.ndarray:
    if dataset.dtype.kind not in "fiu":
        raise ValueError(f"values of type {dataset.dtype}, which are no weights")
    return np.asarray(dataset)


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _legacy(group: Any) -> list[np.ndarray]:
    found = [group[_text(name)] for name in group.attrs["weight_names"]]
    _once(dataset.name for dataset in found)
    return [_array(dataset) for dataset in found]


def _once(names: Iterable[str]) -> list[str]:
    """The names, of which none comes twice: what is read for each has been counted once."""
    listed = list(names)
    if len(set(listed)) < len(listed):
        raise ValueError("a layer, or weights of one, twice")
    return listed


def _named(group: Any) -> tuple[str, list[np.ndarray]]:
    """A layer of Keras 3, which notes the layer's name beside its numbered weights."""
    return _text(group.attrs.get("name", group.parent.name)), [_array(group[i]) for i in sorted(group, key=int)]


def _recognise(path: Path, layers: Layers) -> str:
    closest: tuple[int, str, str] | None = None
    for name in (*_VGG, *_RESNET):
        top = _TOP[name[:3]]
        wanted = {*(_vgg_names(_VGG[name]) if name in _VGG else _resnet_names(_RESNET[name]))}
        wanted |= {*top} if layers.keys() & {*top} else set()
        missing, unknown = sorted(wanted - layers.keys()), sorted(layers.keys() - wanted)
        if not missing and not unknown:
            return name
        differences = [f"{len(missing)} of {len(wanted)} layers are missing, first {missing[0]!r}"] if missing else []
        differences += [f"{len(unknown)} belong to another model, first {unknown[0]!r}"] if unknown else []
        found = (len(missing) + len(unknown), name, "; ".join(differences))
        closest = min(closest, found) if closest else found
    raise ModelError(
        f"not the layers of a Keras application that is known here; closest is {closest[1]}: {closest[2]}"
        if closest
        else "no known application",
        where=str(path),
        fix=f"known are {', '.join((*_VGG, *_RESNET))} of keras.applications",
    )


def _vgg_names(convolutions: tuple[int, ...]) -> list[str]:
    return [f"block{b}_conv{c}" for b, n in enumerate(convolutions, start=1) for c in range(1, n + 1)]


def _vgg(layers: Layers, convolutions: tuple[int, ...]) -> dict[str, np.ndarray]:
    state, place = {}, 0
    for block, count in enumerate(convolutions, start=1):
        for number in range(1, count + 1):
            kernel, bias = _arrays(layers, f"block{block}_conv{number}", 4, 1)
            state[f"features.{place}.weight"] = _convolution(kernel, turned=place == 0)
            state[f"features.{place}.bias"] = bias
            place += 2  # a ReLU between
        place += 1  # a pool behind
    if "predictions" not in layers:
        return state
    for layer, side, ours in (("fc1", 7, "pre_logits.fc1"), ("fc2", 1, "pre_logits.fc2")):
        kernel, bias = _arrays(layers, layer, 2, 1)
        deep = kernel.reshape(side, side, -1, len(bias))  # Keras flattens (height, width, channels)
        state |= {f"{ours}.weight": _convolution(deep), f"{ours}.bias": bias}
    kernel, bias = _arrays(layers, "predictions", 2, 1)
    return {**state, "head.fc.weight": kernel.T, "head.fc.bias": bias}


def _resnet_names(blocks: tuple[int, ...]) -> list[str]:
    return [f"{keras}_{part}" for keras, _, _ in _resnet_pairs(blocks) for part in ("conv", "bn")]


def _resnet_pairs(blocks: tuple[int, ...]) -> list[tuple[str, str, str]]:
    """Keras' name of a convolution with its BatchNorm, and timm's names of the two."""
    pairs = [("conv1", "conv1", "bn1")]
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            keras, ours = f"conv{stage + 1}_block{block + 1}", f"layer{stage}.{block}"
            pairs += [(f"{keras}_{i}", f"{ours}.conv{i}", f"{ours}.bn{i}") for i in (1, 2, 3)]
            if block == 0:
                pairs.append((f"{keras}_0", f"{ours}.downsample.0", f"{ours}.downsample.1"))
    return pairs


def _resnet(layers: Layers, blocks: tuple[int, ...]) -> dict[str, np.ndarray]:
    """BatchNorm computes (x + b - mean) / sqrt(var + e): timm's convolutions have no bias b, and e is another."""
    state = {}
    for keras, conv, norm in _resnet_pairs(blocks):
        kernel, bias = _arrays(layers, f"{keras}_conv", 4, 1)
        gamma, beta, mean, variance = _arrays(layers, f"{keras}_bn", 1, 1, 1, 1)
        state[f"{conv}.weight"] = _convolution(kernel, turned=conv == "conv1")
        state[f"{norm}.weight"], state[f"{norm}.bias"] = gamma, beta
        state[f"{norm}.running_mean"] = mean.astype(np.float64) - bias
        state[f"{norm}.running_var"] = variance.astype(np.float64) + (_EPSILON - _TIMMS_EPSILON)
    if "predictions" in layers:
        kernel, bias = _arrays(layers, "predictions", 2, 1)
        state |= {"fc.weight": kernel.T, "fc.bias": bias}
    return state


def _arrays(layers: Layers, name: str, *dimensions: int) -> list[np.ndarray]:
    """A layer's arrays, checked for their number and dimensions."""
    found = layers[name]
    if [array.ndim for array in found] != list(dimensions):
        shapes = " and ".join(str(array.shape) for array in found)
        raise ValueError(f"layer {name!r} has arrays of shape {shapes}")
    return found


def _convolution(kernel: np.ndarray, *, turned: bool = False) -> np.ndarray:
    """(h, w, in, out) -> (out, in, h, w)."""
    return (kernel[:, :, ::-1] if turned else kernel).transpose(3, 2, 0, 1)
