"""Weights of an image model under timm's names, from whichever place they came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


FIRST_STRIDE = "stride in the first convolution"  # of a bottleneck, where timm has it in the second
NO_FULLY_CONNECTED = "no fully connected layers"  # VGG's convolutions alone


@dataclass(frozen=True)
class Translated:
    """What timm needs to build a model as it was trained."""

    architecture: str
    state: dict[str, torch.Tensor]  # the classifier included where the file has one
    pretrained_cfg: dict[str, Any]  # preprocessing, under timm's keys: mean, std, interpolation, crop_pct, input_size
    changes: tuple[str, ...] = ()  # to the module, where timm's builder has no word for them
    model_args: dict[str, Any] = field(default_factory=dict)  # for timm's builder
