"""torchvision's weights files: which model a file is of is seen from its tensors, which are renamed as timm has them.

Old files (before torch 0.4.1) lack BatchNorm's counters of batches and write DenseNet's layers as `norm.1`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from headstart.errors import ModelError
from headstart.pretrained.checkpoint import head_beside, unwrapped
from headstart.pretrained.from_timm import refuse_unknown, timm
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.translated import Translated
from headstart.pretrained.weights import file_sha256, open_torch_file

declare_missing()
import torchvision  # noqa: E402  (needs the operators first)

Shapes = dict[str, tuple[int, ...]]

_FAMILIES: dict[str, tuple[str, ...]] = {  # a tensor that only this family has: torchvision's names of its models
    "features.conv0.weight": ("densenet121", "densenet161", "densenet169", "densenet201"),
    "features.0.0.weight": ("mobilenet_v2",),
    "Conv2d_1a_3x3.conv.weight": ("inception_v3",),
    "layer1.0.conv1.weight": (
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d"),
        *("resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
    ),
    "features.0.weight": tuple(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
}
_KNOWN = [model for models in _FAMILIES.values() for model in models]
_TIMM = {"mobilenet_v2": "mobilenetv2_100"}  # the others have the same name
_VGG = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"}
_OLD = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(\d)\.")
_COUNTER = ".num_batches_tracked"


def translate(path: Path, *, architecture: str | None = None) -> Translated:
    """A state dict that torchvision (or a training script that uses its models) saved.

    Args:
        path: the .pth file.
        architecture: timm's or torchvision's name: it must be the one that the tensors say, or one of timm's whose
            names they have.

    Raises:
        ModelError: damaged, not plain tensors, or tensors of no model that is known here.
    """
    whole = {_OLD.sub(r"\1\2.", name): tensor for name, tensor in open_torch_file(path).items()}
    state = unwrapped(whole, lambda names: any(key in names for key in _FAMILIES), str(path))
    family = next((models for key, models in _FAMILIES.items() if key in state), None)
    if architecture and (family is None or not any(architecture in (n, _TIMM.get(n)) for n in _KNOWN)):
        return _timms_own(path, architecture, whole)
    if family is None:
        raise ModelError(
            "no model of torchvision's that is known (VGG, ResNet, ResNeXt, Wide ResNet, DenseNet, MobileNetV2, "
            f"InceptionV3): {len(state)} tensors, first {next(iter(state), 'none')!r}",
            where=str(path),
            fix=f"if they have timm's names, say which: --model ARCHITECTURE={path.name}",
        )
    name, wanted = _recognise(path, state, family)
    if architecture not in (None, "", name, _TIMM.get(name)):
        raise ModelError(f"the tensors are those of {name}, not of {architecture}", where=str(path))
    state = {**head_beside(whole, list(wanted)[-2].removesuffix(".weight")), **state}
    broken = [key for key in wanted if key in state and not bool(torch.isfinite(state[key]).all())]
    if broken:
        raise ModelError(f"{len(broken)} tensors have values that are no numbers, first {broken[0]!r}", where=str(path))
    counted = {key: state[key] if key in state else torch.tensor(0) for key in wanted if key in state or _counts(key)}
    return Translated(_TIMM.get(name, name), _renamed(name, wanted, counted), _preparation(name, path))


def _counts(name: str) -> bool:
    return name.endswith(_COUNTER)


def _timms_own(path: Path, architecture: str, state: dict[str, torch.Tensor]) -> Translated:
    """A torch file under timm's names; how its images are prepared is timm's own for the architecture."""
    refuse_unknown(architecture, str(path))
    return Translated(architecture, state, {})


def _shapes(name: str) -> Shapes:
    """torchvision's own tensors of a model, in its order, without Inception's second head; nothing is allocated."""
    arguments: dict[str, Any] = {"init_weights": False} if name == "inception_v3" else {}
    with torch.device("meta"):
        state = torchvision.models.get_model(name, weights=None, **arguments).state_dict()
    return {key: tuple(value.shape) for key, value in state.items() if not key.startswith("AuxLogits.")}


def _recognise(path: Path, state: dict[str, torch.Tensor], names: tuple[str, ...]) -> tuple[str, Shapes]:
    """The only model whose tensors these are; the classifier may be missing or have any number of classes."""
    seen = {key: tuple(value.shape) for key, value in state.items() if not key.startswith("AuxLogits.")}
    closest: tuple[int, str, str] | None = None
    for name in names:
        wanted = _shapes(name)
        missing, unknown, other = _differences(seen, wanted)
        if not (missing or unknown or other):
            return name, wanted
        differences = [f"{len(missing)} of {len(wanted)} tensors are missing, first {missing[0]!r}"] if missing else []
        differences += [f"{len(unknown)} belong to another model, first {unknown[0]!r}"] if unknown else []
        if other:
            first = other[0]
            differences += [
                f"{len(other)} have another shape, first {first!r}: {seen[first]} instead of {wanted[first]}"
            ]
        found = (len(missing) + len(unknown) + len(other), name, "; ".join(differences))
        closest = min(closest, found) if closest else found
    if closest is None:
        raise ValueError("no model to compare with")
    raise ModelError(
        f"the weights do not fit {closest[1]}: {closest[2]}",
        where=str(path),
        fix="the file is of another model, or not whole: fetch it again, or save model.state_dict() in full",
    )


def _differences(seen: Shapes, wanted: Shapes) -> tuple[list[str], list[str], list[str]]:
    """Names that are missing, that are unknown, and that have another shape."""
    head = list(wanted)[-2:]  # weight and bias of the classifier
    missing = [key for key in wanted if key not in seen and not _counts(key) and key not in head]
    unknown = [key for key in seen if key not in wanted]
    other = [
        key
        for key, shape in wanted.items()
        if key in seen and (seen[key][1:] != shape[1:] if key in head and len(seen[key]) else seen[key] != shape)
    ]
    if sum(key in seen for key in head) == 1:
        missing += [key for key in head if key not in seen]
    return missing, unknown, other


def _renamed(name: str, wanted: Shapes, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under timm's names, in timm's shapes."""
    if name == "mobilenet_v2":  # both libraries list the same layers in the same order
        with torch.device("meta"):
            names = dict(zip(wanted, timm.create_model(_TIMM[name]).state_dict(), strict=True))
        return {names[key]: value for key, value in state.items()}
    if not name.startswith("vgg"):
        return state
    renamed = {}
    for key, value in state.items():
        layer, part = key.rsplit(".", 1)
        if layer in ("classifier.0", "classifier.3") and part == "weight":  # timm's are convolutions
            side = 7 if layer == "classifier.0" else 1
            value = value.reshape(len(value), -1, side, side)
        renamed[f"{_VGG.get(layer, layer)}.{part}"] = value
    return renamed


def _preparation(name: str, path: Path) -> dict[str, Any]:
    """torchvision's own for this very file, else for its first weights of the model. Its names end in sha256's digits.

    InceptionV3's models, when they are pre-trained, shift their input from ImageNet's mean and deviation to 0.5 and
    0.5 (`transform_input`): said here as what it comes to, (x - 0.5) / 0.5.
    """
    published, digest = torchvision.models.get_model_weights(name), file_sha256(path)
    files = {weights.url.rsplit("/", 1)[1]: weights for weights in published}
    named = [w for file, w in files.items() if file == path.name or digest.startswith(file[-12:-4])]
    own = named[0] if named else None
    differences = (own or published["IMAGENET1K_V1"]).transforms()
    (crop,), (resize,) = differences.crop_size, differences.resize_size
    inception = name == "inception_v3"
    return {
        "input_size": [3, crop, crop],
        "crop_pct": crop / resize,
        "crop_mode": "center",
        "interpolation": differences.interpolation.value,
        "mean": [0.5] * 3 if inception else list(differences.mean),
        "std": [0.5] * 3 if inception else list(differences.std),
    }
