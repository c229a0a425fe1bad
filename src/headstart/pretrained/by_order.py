"""Tensors under foreign names, given a model's own by their order: only where there is one reading of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headstart.errors import ModelError

if TYPE_CHECKING:
    import torch


def named_by_order(state: dict[str, torch.Tensor], names: Sequence[str], architecture: str) -> dict[str, torch.Tensor]:
    """The tensors under `names`, which are as many. That the shapes agree is for the caller to check.

    Shapes alone leave many readings: a BatchNorm's weight, bias, mean and variance have one shape, and a ResNet's third
    convolution has that of its shortcut. So the last part of each name has to be the same ("weight", "running_var"),
    and a layer that both call alike has to be the same one. Sorted names, as in a safetensors file, say nothing about
    the order of the layers.

    Raises:
        ModelError: another reading is possible.
    """
    pairs = list(zip(state, names, strict=True))
    ours = {_layer(name) for name in names}
    other = [
        (there, here)
        for there, here in pairs
        if _part(there) != _part(here) or (_layer(there) in ours and _layer(there) != _layer(here))
    ]
    if not other and list(state) != sorted(state):
        return dict(zip(names, state.values(), strict=True))
    why = f"{other[0][0]!r} stands where it has {other[0][1]!r}" if other else "they are sorted by name"
    raise ModelError(
        f"the weights have other names than {architecture}'s, and their order does not say which is which: {why}",
        fix="name the architecture that they were trained with, or rename them as timm has them",
    )


def _part(name: str) -> str:
    return name.rpartition(".")[2]


def _layer(name: str) -> str:
    """What the layer is called within its block: "conv3" of "layer1.0.conv3.weight"."""
    return name.rpartition(".")[0].rpartition(".")[2]
