"""Open an image the way a person sees it, and cut it the way a backbone wants it."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from headstart.errors import DataError
from headstart.values import ImagePreparation

# A 100-megapixel photo decodes to 300 MB. What is larger is a bomb or a scan that no backbone looks at in full.
MAX_PIXELS = 100_000_000

# The JPEG decoder may halve an image (1/2, 1/4, 1/8) as long as twice the wanted size is left: the later bicubic
# step then still averages over pixels, and features stay within cosine 0.9995 of the full decode.
_DRAFT_RESERVE = 2

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def read_bytes(source: Any) -> bytes:
    """The example's own bytes: a file's content, or pixels with their shape. They name the example in the store."""
    if isinstance(source, str | Path):
        return Path(source).read_bytes()
    if isinstance(source, Image.Image):
        return f"{source.mode}{source.size}".encode() + source.tobytes()
    array = np.ascontiguousarray(source)
    return f"{array.dtype}{array.shape}".encode() + array.tobytes()


def open_image(source: Any, *, content: bytes | None = None, near: int | None = None) -> Image.Image:
    """Decode, turn upright and convert to 8-bit RGB; transparent parts become white.

    Args:
        source: a path, a PIL image, or an (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) uint8 array.
        content: the file's bytes, where they were read already.
        near: shorter side in pixels that is wanted; a JPEG may be decoded at a reduced scale, never below twice that.

    Raises:
        DataError: not an image, truncated, more than one frame, or too many pixels. `what` is the reason.
    """
    if isinstance(source, Image.Image):
        return _to_rgb(source)
    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source))
    content = read_bytes(source) if content is None else content
    if not content:
        raise DataError("the file is empty (0 bytes)", where=str(source))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: the limit below is ours and an error
            image = Image.open(io.BytesIO(content))
            if getattr(image, "is_animated", False):
                raise DataError(
                    f"an animation of {getattr(image, 'n_frames', 2)} frames, not a photo", where=str(source)
                )
            if near is not None and image.format == "JPEG":
                image.draft("RGB", _draft_size(image.size, near))
            if math.prod(image.size) > MAX_PIXELS:
                raise DataError(
                    f"{image.size[0]} x {image.size[1]} pixels, more than {MAX_PIXELS // 10**6} million",
                    where=str(source),
                )
            image.load()
            return _to_rgb(image)
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"more than {MAX_PIXELS // 10**6} million pixels", where=str(source)) from None
    except Image.UnidentifiedImageError:
        raise DataError(f"not an image (it starts with {content[:8]!r})", where=str(source)) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, ArithmeticError) as error:
        # Pillow's decoders raise all of these on damaged files.
        raise DataError(f"damaged image: {error}", where=str(source)) from None


def prepare(image: Image.Image, preparation: ImagePreparation) -> np.ndarray:
    """Resize to size / crop in the way of `crop_mode` and cut the centre, in one pass: (height, width, 3) uint8.

    Gives the same pixels as resizing the whole image and cropping after (as timm's evaluation transform does), but
    computes only those that are kept: the crop is handed to the resampler as a box in source coordinates.
    """
    height, width = preparation.size
    resized_w, resized_h = _resized(image.size, preparation)
    cut_w, cut_h = min(width, resized_w), min(height, resized_h)
    left, top = round((resized_w - cut_w) / 2), round((resized_h - cut_h) / 2)
    scale_x, scale_y = image.width / resized_w, image.height / resized_h
    box = (left * scale_x, top * scale_y, (left + cut_w) * scale_x, (top + cut_h) * scale_y)
    filter_ = _FILTERS.get(preparation.interpolation, Image.Resampling.BICUBIC)
    cut = image.resize((cut_w, cut_h), filter_, box=box)
    if (cut_w, cut_h) == (width, height):
        return np.asarray(cut)
    red, green, blue = (round(255 * value) for value in preparation.mean)
    whole = Image.new("RGB", (width, height), (red, green, blue))
    whole.paste(cut, ((width - cut_w) // 2, (height - cut_h) // 2))
    return np.asarray(whole)


def wanted_side(preparation: ImagePreparation) -> int:
    """Pixels that a shorter side of this length has enough of, for every shape of image."""
    return math.floor(max(preparation.size) / preparation.crop)


def _resized(size: tuple[int, int], preparation: ImagePreparation) -> tuple[int, int]:
    """(width, height) after the resize, rounded as timm does (and torchvision, where the shorter side is resized)."""
    width, height = size
    wanted_h, wanted_w = (math.floor(side / preparation.crop) for side in preparation.size)
    if preparation.crop_mode == "squash":
        return wanted_w, wanted_h
    if preparation.crop_mode == "center" and wanted_w == wanted_h:
        side = wanted_w
        return (side, int(side * height / width)) if width <= height else (int(side * width / height), side)
    ratios = (width / wanted_w, height / wanted_h)
    ratio = max(ratios) if preparation.crop_mode == "border" else min(ratios)
    return max(1, round(width / ratio)), max(1, round(height / ratio))


def _draft_size(size: tuple[int, int], near: int) -> tuple[int, int]:
    factor = _DRAFT_RESERVE * near / min(size)
    return (math.ceil(size[0] * factor), math.ceil(size[1] * factor)) if factor < 1 else size


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8:
        raise DataError(f"an array of {array.dtype}; images are uint8, 0 to 255", fix="convert with .astype('uint8')")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise DataError(f"an array of shape {array.shape}; images are (h, w), (h, w, 3) or (h, w, 4)")
    return Image.fromarray(array)


def _to_rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB":
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(array: np.ndarray) -> np.ndarray:
    """16-bit grey to 8: full range where the values need it, as they are where they already fit 0 to 255."""
    values = array.astype(np.float32)
    if values.size and values.max() > 255:
        values = values / 257.0 if values.max() <= 65535 else 255 * values / values.max()
    return np.clip(values, 0, 255).round().astype(np.uint8)
