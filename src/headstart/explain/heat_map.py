"""What in a photo speaks for an answer, as a grid of numbers: by gradients, or by covering parts of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from headstart.backbone import Backbone
from headstart.encode.engines import run_ready
from headstart.encode.kinds import Batch
from headstart.pretrained.map_layer import MapLayer

_CELLS = 12  # a side of the grid that is covered
_COVERED = 3  # cells a side that are covered at once


def by_gradient(module: nn.Module, layer: MapLayer, pixels: torch.Tensor, weight: np.ndarray) -> np.ndarray | None:
    """Gradient times activation at each place of a layer, summed over channels.

    Where a mean over places and a linear head follow, this is the class activation map (Zhou et al., CVPR 2016), and
    Grad-CAM (Selvaraju et al., ICCV 2017) but for its scale; where layers tell places apart, as VGG's do, HiResCAM
    (Draelos and Carin, 2020); of tokens, gradient times input (Shrikumar et al., 2017) at the layer.

    Args:
        module: in eval mode; (1, 3, h, w) float32 -> (1, width) features. layer: of it.
        weight: (width,) of the features in the score that is explained.

    Returns:
        (rows, columns) float32, what each place adds to the score; None where the layer has no places, or none of them
        changes the score.
    """
    kept: list[torch.Tensor] = []

    def from_here(_: nn.Module, __: object, output: torch.Tensor) -> torch.Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # what follows may write into it

    with _steady_norms(module):
        handle = layer.module.register_forward_hook(from_here)  # behind that of a norm, which it may be itself
        try:
            with torch.enable_grad():
                score = module(pixels)[0] @ torch.from_numpy(weight)
        finally:
            handle.remove()
    if len(kept) != 1 or not score.requires_grad:
        return None
    (gradient,) = torch.autograd.grad(score, kept)
    places = layer.places(kept[0].detach() * gradient)
    if places is None or not bool(places.any()):
        return None
    return np.asarray(places[0].sum(-1), dtype=np.float32)


@contextmanager
def _steady_norms(module: nn.Module) -> Iterator[None]:
    """Within, layer norms divide by a deviation that counts as a constant: their outputs are the same, the gradients
    are not.

    A norm's output does not depend on the size of its input, so what all its inputs add to it sums up to nothing, and
    the places that matter most are worth as little as those that matter least (Ali et al., XAI for Transformers: Better
    Explanations through Conservative Propagation, ICML 2022).
    """
    norms = [norm for norm in module.modules() if isinstance(norm, nn.LayerNorm)]
    handles = [norm.register_forward_hook(_steady) for norm in norms]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _steady(norm: nn.LayerNorm, given: tuple[torch.Tensor, ...], _: torch.Tensor) -> torch.Tensor:
    x, channels = given[0], 1 if type(norm).__name__.endswith("2d") else -1  # timm's LayerNorm2d is of (n, c, h, w)
    shape = [1] * x.ndim
    shape[channels] = -1
    centred = x - x.mean(channels, keepdim=True)
    deviation = (centred.square().mean(channels, keepdim=True) + norm.eps).sqrt().detach()
    made = centred / deviation
    if norm.weight is not None:
        made = made * norm.weight.view(shape)
    return made if norm.bias is None else made + norm.bias.view(shape)


def by_covering(backbone: Backbone, pixels: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """By how much the score falls where a square around each place is covered with the mean colour.

    It needs no gradients, so it is there for graphs too; a hundred runs of the model (Zeiler and Fergus, Visualizing
    and Understanding Convolutional Networks, ECCV 2014).

    Args:
        pixels: (h, w, 3) uint8, as the model is given them. weight: as for `by_gradient`.

    Returns:
        (rows, columns) float32.
    """
    steps = _CELLS - _COVERED + 1
    height, width, _ = pixels.shape
    rows, columns = (np.linspace(0, side, _CELLS + 1).round().astype(int) for side in (height, width))
    images = np.repeat(pixels[None], 1 + steps * steps, axis=0)
    places = [(y, x) for y in range(steps) for x in range(steps)]
    for image, (y, x) in zip(images[1:], places, strict=True):
        colour = np.round(255 * np.array(backbone.images.mean)).astype(np.uint8)
        image[rows[y] : rows[y + _COVERED], columns[x] : columns[x + _COVERED]] = colour
    batches: list[tuple[np.ndarray, Batch]] = [(np.array([at]), (image[None],)) for at, image in enumerate(images)]
    scores = np.empty(len(images), dtype=np.float32)
    for which, features in run_ready(backbone, "f32", batches):
        scores[which] = features.reshape(len(which), -1) @ weight
    falls, times = np.zeros((_CELLS, _CELLS)), np.zeros((_CELLS, _CELLS))
    for fall, (y, x) in zip(scores[0] - scores[1:], places, strict=True):
        falls[y : y + _COVERED, x : x + _COVERED] += fall
        times[y : y + _COVERED, x : x + _COVERED] += 1
    return (falls / times).astype(np.float32)
