"""The resize and cut of a photo as two products with matrices, so that any runtime makes the pixels that Pillow makes.

The resizes that ONNX and OpenVINO have of their own are others: by up to 95 levels of 255 without antialiasing, by up
to 10 with it. Products, rounding and comparisons are the same everywhere.

Method: Pillow's resampling. A pixel is the mean of those around its place, weighted by a filter that is as wide as the
scale, along rows first and then along columns, rounded in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from headstart.backbone import ImagePreparation
from headstart.errors import UserError


def _triangle(x: torch.Tensor) -> torch.Tensor:
    return (1 - x.abs()).clamp(min=0)


def _cubic(x: torch.Tensor) -> torch.Tensor:
    """Keys' cubic convolution with a = -0.5."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def _lanczos(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x))


_FINE = 2**10  # parts of a pixel
_BITS = 2**22  # parts of 1 that Pillow's weights are rounded to

FILTERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "bilinear": _triangle,
    "bicubic": _cubic,
    "lanczos": _lanczos,
}


class Resize(nn.Module):
    """What `inputs.image.prepare` does, of photos that are all of one size, whichever that is.

    Raises:
        UserError: they are cut in a way that is not known here.
    """

    def __init__(self, preparation: ImagePreparation) -> None:
        super().__init__()
        mode, (height, width) = preparation.crop_mode, preparation.size
        square = mode == "center" and height == width
        if not (square or mode == "squash") or preparation.crop > 1 or preparation.interpolation not in FILTERS:
            way = f"{mode}, {preparation.interpolation}, {preparation.size}"
            raise UserError(
                f"it cuts photos in a way that is not exported ({way})",
                fix="headstart serves it as it is: model.predict",
            )
        self.height, self.width, self.keeps_shape = height, width, square
        self.sides = [math.floor(side / preparation.crop) for side in (height, width)]  # of the whole photo, resized
        self.filter = FILTERS[preparation.interpolation]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, h, w, 3) uint8 -> (n, height, width, 3) uint8."""
        h, w = (torch.scalar_tensor(side, dtype=torch.int64) for side in pixels.shape[1:3])
        resized_h, resized_w = (torch.scalar_tensor(side, dtype=torch.int64) for side in self.sides)
        if self.keeps_shape:  # the shorter side has the length that is wanted
            shorter = torch.minimum(h, w)
            resized_h, resized_w = (torch.div(resized_h * side, shorter, rounding_mode="floor") for side in (h, w))
        rows = self._weights(pixels.shape[1], h, resized_h, self.height)
        columns = self._weights(pixels.shape[2], w, resized_w, self.width)
        made = _rounded(pixels.permute(0, 3, 1, 2).float() @ columns.T)
        return _rounded(rows @ made).permute(0, 2, 3, 1).to(torch.uint8)

    def _weights(self, n: int, length: torch.Tensor, resized: torch.Tensor, kept: int) -> torch.Tensor:
        """(kept, n): how much each of n pixels counts for each one of the middle of them, resized.

        Places are sums of whole numbers and small fractions, so that float32 holds them as well as doubles would, also
        where a runtime multiplies by the reciprocal instead of dividing.
        """
        first = torch.round((resized - kept).float() / 2).to(torch.int64)  # half to even, as Python rounds
        start, stop = (_quotient(edge * length, resized) for edge in (first, first + kept))
        coarse = torch.floor((stop - start) / kept * _FINE) / _FINE  # the scale, of few enough bits for exact products
        fine = ((stop - start) - coarse * kept) / kept
        steps = torch.arange(kept) + 0.5
        far = steps * coarse
        whole = torch.floor(start) + torch.floor(far)
        rest = (start - torch.floor(start)) + (far - torch.floor(far)) + steps * fine
        apart = (torch.arange(n).float()[None] - whole[:, None]) + (0.5 - rest)[:, None]
        weights = self.filter(apart / (coarse + fine).clamp(min=1))
        weights = weights / weights.sum(1, keepdim=True)
        return torch.round(weights * _BITS) / _BITS


def _quotient(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a / b of whole numbers, as near as float32 can be."""
    whole = torch.div(a, b, rounding_mode="floor")
    return whole.float() + (a - whole * b).float() / b.float()


def _rounded(levels: torch.Tensor) -> torch.Tensor:
    return torch.floor(levels + 0.5).clamp(0, 255)
