"""Where a photo model still knows places: the module that heat maps are made of, and how its output lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from headstart.backbone import Backbone
from headstart.pretrained.catalog import layer_of


@dataclass(frozen=True)
class MapLayer:
    """A module whose output has a place for each part of the photo."""

    name: str
    module: nn.Module
    places: Callable[[torch.Tensor], torch.Tensor | None]  # its output -> (n, h, w, c); None: it has no places


def timm_layer(backbone: Backbone, module: Any) -> MapLayer | None:
    """The layer that the catalog names; of what is not in it the one that timm's description of the model ends with.

    Of a vision transformer that is what the last attention reads: behind it, nothing that is read of a class token
    depends on the tokens of patches any more, and where all are read, other places have mixed in. Of a Swin it is what
    the first attention of the last stage reads, whose window is all of the photo.
    """
    name = layer_of(backbone.architecture) or _by_structure(module)
    found = None if name is None else _within(module, name)
    if name is None or not isinstance(found, nn.Module):
        return None
    return MapLayer(name, found, partial(_places, module=module))


def _by_structure(module: Any) -> str | None:
    if hasattr(module, "num_prefix_tokens"):
        return "blocks.-1.norm1"
    stages = getattr(module, "feature_info", None)
    return str(stages[-1]["module"]) if isinstance(stages, list) and stages else None


def _within(module: Any, name: str) -> Any:
    """The module of a dotted name, in which -1 is the last of several."""
    for part in name.split("."):
        try:
            module = module[int(part)] if part.lstrip("-").isdigit() else getattr(module, part)
        except (AttributeError, IndexError, TypeError):
            return None
    return module


def _places(output: torch.Tensor, *, module: Any) -> torch.Tensor | None:
    if output.ndim == 4:
        return output if str(getattr(module, "output_fmt", "NCHW")) == "NHWC" else output.permute(0, 2, 3, 1)
    grid = getattr(getattr(module, "patch_embed", None), "grid_size", None)
    if output.ndim != 3 or grid is None:
        return None
    tokens = output[:, getattr(module, "num_prefix_tokens", 0) :]
    return tokens.unflatten(1, tuple(grid)) if tokens.shape[1] == grid[0] * grid[1] else None
