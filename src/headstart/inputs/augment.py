"""Views of an image for training: crops, mirror images and other light, made from the example's own bytes.

The same view of the same image is the same pixels on every run, so what a frozen trunk makes of it can be kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from headstart.backbone import ImagePreparation
from headstart.inputs.image import open_known, prepare, wanted_side

DETAIL = 1.5  # pixels that a view is decoded at, over those that the whole image needs
_SMALLEST = 0.4  # share of the image that a crop shows, at least
_NARROWEST = 3 / 4  # width over height of a crop, and its inverse
_LIGHT = 0.2  # brightness and contrast change by at most this share


@dataclass(frozen=True)
class Views:
    """Which views of each image there are. The first is always the one that the model will be asked about."""

    count: int
    mirror: bool = False  # half of them are mirrored: only where mirror images keep their class

    def digests(self, digests: np.ndarray) -> np.ndarray:
        """(n, 32) uint8 of the examples -> (count * n, 32): keys of the first view of each, of the second, and so on.

        The first view has its example's own key, whatever the others are: it need not be kept once for each kind.
        """
        return np.concatenate(
            [views_digests(digests, 2 * number + self.mirror if number else 0) for number in range(self.count)]
        )


def view_of(
    image: Image.Image, preparation: ImagePreparation, views: Views, *, digest: np.ndarray, number: int
) -> np.ndarray:
    """(h, w, 3) uint8: a random crop of the image, in other light, maybe mirrored.

    Args:
        image: upright RGB.
        digest: (32,) uint8 of the example; with `number`, it decides what is random.

    Source: the crop is that of Szegedy et al., Going Deeper with Convolutions, 2015 (Inception), with a larger
    smallest share, since the task's own detail must stay in the picture.
    """
    rng = np.random.default_rng([*np.frombuffer(digest.tobytes(), "<u4").tolist(), number])
    image = image.crop(_box(image.size, rng))
    if views.mirror and rng.random() < 0.5:
        image = ImageOps.mirror(image)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast):
        image = enhance(image).enhance(1 + rng.uniform(-_LIGHT, _LIGHT))
    height, width = preparation.size
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def pixels_of(
    source: Any, preparation: ImagePreparation, views: Views, *, digest: np.ndarray, number: int
) -> np.ndarray:
    """(h, w, 3) uint8: the view with this number of a path, a PIL image or an array; the first is the plain one.

    Raises:
        DataError: a file that is not, or no longer, the one with this digest.
    """
    side = wanted_side(preparation)
    if number == 0:
        return prepare(open_known(source, digest, near=side), preparation)
    image = open_known(source, digest, near=round(DETAIL * side))
    return view_of(image, preparation, views, digest=digest, number=number)


def mirrored(image: Image.Image, preparation: ImagePreparation) -> np.ndarray:
    """(h, w, 3) uint8: as the model wants it, the other way round."""
    return prepare(ImageOps.mirror(image), preparation)


def views_digests(digests: np.ndarray, number: int) -> np.ndarray:
    """(n, 32) uint8 keys of what is made of the examples in the way that has this number; 0: their own."""
    keys = digests.copy()
    keys[:, :4] ^= np.frombuffer(np.uint32(number).tobytes(), np.uint8)
    return keys


def _box(size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int, int, int]:
    width, height = size
    share, shape = rng.uniform(_SMALLEST, 1), math.exp(rng.uniform(math.log(_NARROWEST), -math.log(_NARROWEST)))
    w = min(width, max(1, round(math.sqrt(share * width * height * shape))))
    h = min(height, max(1, round(math.sqrt(share * width * height / shape))))
    left, top = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    return left, top, left + w, top + h
