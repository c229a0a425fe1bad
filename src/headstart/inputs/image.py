"""Open an image the way a person sees it, and cut it the way a backbone wants it.

Files come from strangers. Only formats that are named here are opened, of regular files of a bounded size; what a
decoder would need is looked at before it starts, and whatever it raises is a `DataError`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps

from headstart.backbone import ImagePreparation
from headstart.errors import DataError
from headstart.inputs.decoders import EXTENT, LARGEST, bounded, decoded, image_errors
from headstart.inputs.packed import MOST_BYTES, PackedPhoto
from headstart.inputs.paths import as_named
from headstart.storage.files import read_file

GUESSED = "headstart: the top of the range of light"  # in `info`, of over 8 bits, where the file does not say it

_LEAST_FOR_A_THUMBNAIL = 32  # pixels, twice as many of a JPEG: reduced further, a fine weave shows as another pattern

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Crop:
    """Where the part of a photo that a model sees lies: on the photo, and on the model's own image."""

    box: tuple[float, float, float, float]  # left, top, right, bottom in the photo's pixels; outside by rounding only
    size: tuple[int, int]  # (width, height) that it is resized to
    corner: tuple[int, int]  # left and top of that on the model's image, which may have a border around it


def is_a_file(source: Any) -> bool:
    """Whether a photo is a file or lies within one, so that its bytes are decoded at the scale that is wanted."""
    return isinstance(source, str | Path | PackedPhoto)


def read_bytes(source: Any) -> bytes:
    """The example's own bytes: a file's content, or pixels with their shape. They name the example in the store.

    Raises:
        OSError: no regular file of a bounded size. DataError: not a kind of image that is known.
    """
    if isinstance(source, str | Path):
        return read_file(as_named(source), most=MOST_BYTES)
    if isinstance(source, PackedPhoto):
        return source.read()
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, DataError):  # why there is none
        raise source
    if isinstance(source, Image.Image):
        with image_errors(""):
            return f"{source.mode}{source.size}{source.info.get(LARGEST, '')}".encode() + _in_memory(source).tobytes()
    if not isinstance(source, np.ndarray):
        raise DataError(f"cannot read a {type(source).__name__} as an image", fix="a path, a PIL image or an array")
    array = np.ascontiguousarray(source)
    return f"{array.dtype}{array.shape}".encode() + array.tobytes()


def open_image(source: Any, *, content: bytes | None = None, near: int | None = None) -> Image.Image:
    """Decode, turn upright and convert to 8-bit RGB; transparent parts become white.

    Args:
        source: a path, a photo within a file, a file's bytes, a PIL image, or an uint8 array of (h, w), (h, w, 1),
            (h, w, 3) or (h, w, 4).
        content: the file's bytes, where they were read already.
        near: shorter side in pixels that is wanted; a JPEG may be decoded at a reduced scale, never below twice that.

    Raises:
        DataError: not an image, truncated, more than one frame, or too many pixels. `what` is the reason.
        OSError: a path, and no regular file of a bounded size.
    """
    if isinstance(source, Image.Image):
        with image_errors(""):
            return _to_rgb(_in_memory(source))
    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source))
    content = read_bytes(source) if content is None else content
    where = str(source) if is_a_file(source) else ""
    with image_errors(where):
        return _to_rgb(decoded(content, where=where, near=near))


def thumbnail(source: Any, *, content: bytes | None = None, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """The whole photo, upright, as side x side RGB: a copy in another format or size gives the same within few levels.

    So the filter leaves out what is finer than a cell, by which the scales of the JPEG decoder and of whoever has made
    the photo smaller differ; and of a reduced JPEG, whose last pixels may be of blocks cut by the edge, it takes what
    is shown. With it comes the size of the photo, where that is smaller than twice the side.

    Args: as `open_image`. Raises: as `open_image`.
    """
    if not is_a_file(source):
        image = open_image(source)
        return _small(image, side), image.size
    content = read_bytes(source) if content is None else content
    with image_errors(str(source)):
        image = decoded(content, where=str(source), near=max(side, _LEAST_FOR_A_THUMBNAIL))
        extent = image.info.get(EXTENT)
        if extent is None:
            image = _to_rgb(image)
            return _small(image, side), image.size
        colours = image if image.mode == "RGB" else image.convert("RGB")
        return ImageOps.exif_transpose(_small(colours, side, extent)), image.size


def _small(image: Image.Image, side: int, extent: tuple[float, float] | None = None) -> Image.Image:
    return image.resize((side, side), Image.Resampling.BILINEAR, box=(0, 0, *(extent or image.size)), reducing_gap=4)


def open_known(source: Any, digest: np.ndarray | bytes, *, near: int | None = None) -> Image.Image:
    """As `open_image`, from the very bytes that were checked: what is made of them is kept under their sha256.

    Args:
        digest: (32,) uint8, what the check has found; not asked for where the source is in memory.

    Raises:
        DataError: as `open_image`; or the file has changed, or is gone.
    """
    if not is_a_file(source):
        return open_image(source, near=near)
    again = "run it again, when nothing writes there"
    try:
        content = read_bytes(source)
    except FileNotFoundError:
        raise DataError("gone since it was checked", where=str(source), fix=again) from None
    except OSError as error:
        reason = f"no longer to be read: {error.strerror or error}"
        raise DataError(reason, where=str(source), fix=again) from None
    if hashlib.sha256(content).digest() != bytes(digest):
        raise DataError("changed while it was being read by this run", where=str(source), fix=again)
    return open_image(source, content=content, near=near)


def prepare(image: Image.Image, preparation: ImagePreparation) -> np.ndarray:
    """Resize to size / crop in the way of `crop_mode` and cut the centre, in one pass: (height, width, 3) uint8.

    Gives the same pixels as resizing the whole image and cropping after (as timm's evaluation transform does), but
    computes only those that are kept: the crop is handed to the resampler as a box in source coordinates.
    """
    height, width = preparation.size
    crop = crop_of(image.size, preparation)
    cut = _resized_along_rows_first(image, crop, _FILTERS.get(preparation.interpolation, Image.Resampling.BICUBIC))
    if crop.size == (width, height):
        return np.asarray(cut)
    red, green, blue = (round(255 * value) for value in preparation.mean)
    whole = Image.new("RGB", (width, height), (red, green, blue))
    whole.paste(cut, crop.corner)
    return np.asarray(whole)


def _resized_along_rows_first(image: Image.Image, crop: Crop, filter_: Image.Resampling) -> Image.Image:
    """The crop as Pillow has always made it: rounding lies between its two passes, so their order shows.

    From Pillow 13 on, photos that lose more than twice as many rows as columns are taken along columns first, which
    moved probabilities by up to 0.01. Those are resized in two calls, so that a model sees the same everywhere.
    """
    (width, height), (left, top, right, bottom) = crop.size, crop.box
    if filter_ == Image.Resampling.NEAREST or image.height - height <= 2 * max(0, image.width - width):
        return image.resize(crop.size, filter_, box=crop.box)
    rows = image.resize((width, image.height), filter_, box=(left, 0, right, image.height))
    return rows.resize(crop.size, filter_, box=(0, top, width, bottom))


def crop_of(size: tuple[int, int], preparation: ImagePreparation) -> Crop:
    """What `prepare` keeps of a photo of this (width, height)."""
    height, width = preparation.size
    resized_w, resized_h = _resized(size, preparation)
    cut_w, cut_h = min(width, resized_w), min(height, resized_h)
    left, top = round((resized_w - cut_w) / 2), round((resized_h - cut_h) / 2)
    scale_x, scale_y = size[0] / resized_w, size[1] / resized_h
    box = (left * scale_x, top * scale_y, (left + cut_w) * scale_x, (top + cut_h) * scale_y)
    return Crop(box, (cut_w, cut_h), ((width - cut_w) // 2, (height - cut_h) // 2))


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


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8:
        raise DataError(f"an array of {array.dtype}; images are uint8, 0 to 255", fix="convert with .astype('uint8')")
    if not array.size:
        raise DataError(f"an array of shape {array.shape}: no pixels in it")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and (array.ndim != 3 or array.shape[2] not in (3, 4)):
        raise DataError(f"an array of shape {array.shape}; images are (h, w), (h, w, 3) or (h, w, 4)")
    return Image.fromarray(array)


def _in_memory(image: Image.Image) -> Image.Image:
    """The image itself; one that its user has opened is not decoded before its first use."""
    if isinstance(image, ImageFile.ImageFile):
        return bounded(image)
    if not image.width * image.height:
        raise DataError(f"{image.width} x {image.height} pixels")
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    largest = image.info.get(LARGEST)
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB":
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        light, top = _to_eight_bits(np.asarray(image), largest)
        seen = Image.fromarray(light).convert("RGB")
        seen.info |= {GUESSED: top} if largest != top else {}
        return seen
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(array: np.ndarray, largest: int | None) -> tuple[np.ndarray, float]:
    """Light of more than 8 bits, or of fractions, by the range that its file says, so that pictures of one camera are
    scaled alike; else by its own: 0 to 1, 255, 4095 (12 bits) or 65535, of which the first that holds it; from the
    least to the most where some is below zero. Values up to 255 stay then, but for fractions. With the top of it.

    Raises:
        DataError: there is no number in it.
    """
    values = array.astype(np.float32)
    there = np.isfinite(values)
    if not there.any():
        raise DataError("no pixel of it is a number")
    low, high = float(values[there].min()), float(values[there].max())
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    if low < 0:
        values, high = values - low, high - low
        top = high
    elif largest is not None and high <= largest:
        top = float(largest)
    elif np.issubdtype(array.dtype, np.floating) and high <= 1:
        top = 1.0
    else:
        top = next((top for top in (255.0, 4095.0, 65535.0) if high < top + 1), high)
    return np.clip(values * (255 / top if top else 0), 0, 255).round().astype(np.uint8), top
