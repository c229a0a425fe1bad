"""Heat maps as pictures: over the photo, and in characters for a terminal."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

from headstart.explain.evidence import HeatMap

FOR, AGAINST = (230, 85, 13), (49, 130, 189)  # orange and blue, which nearly everybody tells apart
_MOST = 0.85  # of the colour, over the photo in greys
_UNSEEN = 0.45  # of the light, where the model does not look
_SHADES = " .:+#"
_WIDE, _TALL = 48, 18  # characters, at most; twice as tall as wide


def drawn(heat: HeatMap) -> Image.Image:
    """The photo in greys with what speaks for the answer in orange and what speaks against it in blue."""
    grey = np.asarray(ImageOps.grayscale(heat.picture), dtype=np.float32)[..., None]
    values = heat.over(heat.picture.size)[..., None]
    colour = np.where(values > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    share = _MOST * np.abs(values)
    mixed = (1 - share) * grey + share * (0.2 * grey + 0.8 * colour)
    left, top, right, bottom = _seen(heat)
    unseen = np.full(grey.shape, _UNSEEN, dtype=np.float32)
    unseen[top:bottom, left:right] = 1
    return Image.fromarray((mixed * unseen).round().astype(np.uint8))


def _seen(heat: HeatMap) -> tuple[int, int, int, int]:
    """The part of the picture that the model sees: left, top, right, bottom."""
    scale = heat.picture.width / heat.size[0], heat.picture.height / heat.size[1]
    left, top, right, bottom = (round(side * scale[i % 2]) for i, side in enumerate(heat.crop.box))
    return max(0, left), max(0, top), right, bottom


def as_png(picture: Image.Image) -> bytes:
    """The bytes of a file."""
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()


def in_characters(heat: HeatMap) -> str:
    """What speaks for the answer, the denser the more, within a frame that has the shape of the photo."""
    width, height = heat.size
    wide = min(_WIDE, max(4, round(2 * _TALL * width / height)))
    tall = min(_TALL, max(2, round(wide * height / width / 2)))
    light = np.clip(heat.over((wide, tall)), 0, 1)
    most = float(light.max()) or 1.0
    shades = np.minimum((light / most * len(_SHADES)).astype(int), len(_SHADES) - 1)
    lines = ["".join(_SHADES[shade] for shade in row) for row in shades.tolist()]
    edge = "+" + "-" * wide + "+"
    return "\n".join([edge, *(f"|{line}|" for line in lines), edge])
