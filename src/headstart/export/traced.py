"""The parts of a model as programs of torch.export, whose inputs may have any number of rows, pixels and tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from headstart.export.deployable import Deployable

_LONGEST = 2**15  # pixels of a side
_N = Dim("n")


def traced(module: nn.Module, example: tuple[torch.Tensor, ...], sides: Any) -> ExportedProgram:
    """A module as a program. The example has no tensor twice: two inputs would be one.

    Args:
        sides: of each input those that may have any length, by their number.
    """
    with torch.inference_mode():
        return torch.export.export(module.eval(), example, dynamic_shapes=sides)


def core(made: Deployable) -> ExportedProgram:
    """From what the backbone takes to what is answered."""
    if made.takes_photos:
        return traced(made.core(), made.example(), (({0: _N},),))
    return traced(made.core(), made.example(), (_of_tokens(made),))


def resize(made: Deployable) -> ExportedProgram:
    """From a photo's pixels to those that the backbone sees."""
    return traced(made.resize(), made.photos_example(), (_of_photos(),))


def whole(made: Deployable) -> ExportedProgram:
    """From a photo's pixels, or token ids, to what is answered."""
    if made.takes_photos:
        return traced(nn.Sequential(made.resize(), made.core()), made.photos_example(), (_of_photos(),))
    return core(made)


def scaled(made: Deployable) -> ExportedProgram:
    """From the pixels that the backbone sees to the numbers that its graph takes."""
    return traced(made.wrapped(nn.Identity()), made.example(), ({0: _N},))


def tail(made: Deployable) -> ExportedProgram:
    """From the features of photos to what is answered."""
    return traced(made.tail(), (torch.zeros(2, made.backbone.width),), ({0: _N},))


def _of_photos() -> dict[int, Any]:
    return {0: _N, 1: Dim("height", max=_LONGEST), 2: Dim("width", max=_LONGEST)}


def _of_tokens(made: Deployable) -> tuple[dict[int, Any], ...]:
    tokens = {0: 2 * _N if made.apart else _N, 1: Dim("tokens", max=made.backbone.texts.max_length)}
    return tokens, tokens
