"""torchvision's weights: architecture from the tensors, names as timm has them, preprocessing as torchvision says.

A file that torchvision published is known by its name, and its own transforms are taken. Any other gets those of its
architecture's first published weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from headstart.errors import ModelError
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.translated import Translated
from headstart.pretrained.weights import open_torch_file

declare_missing()
import torchvision  # noqa: E402  (needs the operators first)

State = Mapping[str, torch.Tensor]

_VGG = {8: "vgg11", 10: "vgg13", 13: "vgg16", 16: "vgg19"}  # by the number of convolutions
_DENSENET = {24: "densenet121", 32: "densenet169", 48: "densenet201", 36: "densenet161"}  # layers of the third block
_BASIC: dict[tuple[int, ...], str] = {(2, 2, 2, 2): "resnet18", (3, 4, 6, 3): "resnet34"}  # blocks of two convolutions
_RESNET: dict[
    tuple[tuple[int, ...], int, int], str
] = {  # blocks, width of the first convolution and inputs a group of the second
    ((2, 2, 2, 2), 64, 64): "resnet18",
    ((3, 4, 6, 3), 64, 64): "resnet50",
    ((3, 4, 6, 3), 128, 4): "resnext50_32x4d",
    ((3, 4, 6, 3), 128, 128): "wide_resnet50_2",
    ((3, 4, 23, 3), 64, 64): "resnet101",
    ((3, 4, 23, 3), 256, 8): "resnext101_32x8d",
    ((3, 4, 23, 3), 256, 4): "resnext101_64x4d",
    ((3, 4, 23, 3), 128, 128): "wide_resnet101_2",
    ((3, 8, 36, 3), 64, 64): "resnet152",
}
_THEIR_NAME = {"mobilenetv2_100": "mobilenet_v2"}
_VGG_LAYERS = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"}
_OLD_DENSE = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")  # files from before 2017


def translate(path: Path, *, architecture: str | None = None) -> Translated:
    """A state dict that torchvision wrote.

    Args:
        path: the `.pth` file.
        architecture: timm's name; it must be the one that the tensors say.

    Raises:
        ModelError: not plain tensors, damaged, not a model of torchvision's that is known, or another than named.
    """
    state = open_torch_file(path)
    found = recognise(state)
    if found is None and architecture is None:
        raise ModelError(
            "no model of torchvision's that is known (VGG, ResNet, ResNeXt, Wide ResNet, DenseNet, MobileNetV2, "
            f"InceptionV3): {len(state)} tensors, first {next(iter(state), 'none')!r}",
            where=str(path),
            fix=f"if they have timm's names, say which: --model ARCHITECTURE={path.name}",
        )
    if found is not None and architecture not in (None, found):
        raise ModelError(f"the tensors are those of {found}, not of {architecture}", where=str(path))
    name = found or str(architecture)
    return Translated(name, _renamed(name, state), _preprocessing(name, path) if found else {})


def recognise(state: State) -> str | None:
    """timm's name of the architecture that these tensors are of, by their names and shapes."""
    if "layer1.0.conv1.weight" in state:
        return _resnet(state)
    if (
        "features.denseblock1.denselayer1.conv1.weight" in state
        or "features.denseblock1.denselayer1.conv.1.weight" in state
    ):
        layers = {name.split(".")[2] for name in state if name.startswith("features.denseblock3.")}
        return _DENSENET.get(len(layers))
    if "features.18.0.weight" in state and "features.1.conv.0.0.weight" in state:
        return "mobilenetv2_100"
    if "Conv2d_1a_3x3.conv.weight" in state and "Mixed_7c.branch1x1.conv.weight" in state:
        return "inception_v3"
    if "features.0.weight" in state and "classifier.6.weight" in state:
        convolutions = sum(tensor.ndim == 4 for tensor in state.values())
        plain = _VGG.get(convolutions)
        return f"{plain}_bn" if plain and "features.1.running_mean" in state else plain
    return None


def _resnet(state: State) -> str | None:
    blocks = tuple(len({name.split(".")[1] for name in state if name.startswith(f"layer{i}.")}) for i in range(1, 5))
    if "layer1.0.conv3.weight" not in state:
        return _BASIC.get(blocks)
    width, a_group = state["layer1.0.conv1.weight"].shape[0], state["layer1.0.conv2.weight"].shape[1]
    return _RESNET.get((blocks, width, a_group))


def _renamed(architecture: str, state: State) -> dict[str, torch.Tensor]:
    if architecture.startswith("vgg"):
        return dict(_vgg_tensor(name, tensor) for name, tensor in state.items())
    if architecture.startswith("densenet"):
        return _with_counters({_OLD_DENSE.sub(r"\1\2", name): tensor for name, tensor in state.items()})
    return {name: tensor for name, tensor in state.items() if not name.startswith("AuxLogits.")}


def _vgg_tensor(name: str, tensor: torch.Tensor) -> tuple[str, torch.Tensor]:
    """timm has the first two linear layers as convolutions, over 7 x 7 places and over one."""
    layer, part = name.rsplit(".", 1)
    if part == "weight" and layer in ("classifier.0", "classifier.3"):
        side = 7 if layer == "classifier.0" else 1
        tensor = tensor.reshape(tensor.shape[0], -1, side, side)
    return f"{_VGG_LAYERS.get(layer, layer)}.{part}", tensor


def _with_counters(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Old files have no `num_batches_tracked`, which plays no part in a frozen model."""
    out = {}
    for name, tensor in state.items():
        out[name] = tensor
        counter = name.replace("running_var", "num_batches_tracked")
        if name.endswith("running_var") and counter not in state:
            out[counter] = torch.tensor(0)
    return out


def _preprocessing(architecture: str, path: Path) -> dict[str, Any]:
    published = list(torchvision.models.get_model_weights(_THEIR_NAME.get(architecture, architecture)))
    by_name = [weights for weights in published if weights.url.rsplit("/", 1)[-1] == path.name]
    transforms = (by_name or published)[0].transforms()
    size, resized = transforms.crop_size[0], transforms.resize_size[0]
    # torchvision's Inception undoes this normalisation inside and takes -1 to 1
    half = architecture == "inception_v3"
    return {
        "input_size": [3, size, size],
        "crop_pct": size / resized,
        "interpolation": transforms.interpolation.value,
        "mean": [0.5] * 3 if half else list(transforms.mean),
        "std": [0.5] * 3 if half else list(transforms.std),
    }
