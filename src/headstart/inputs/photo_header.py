"""What a photo's file says of itself before a pixel is decoded: size, format, JPEG quality, camera and day."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.errors import DataError
from headstart.inputs.decoders import identified, image_errors
from headstart.inputs.image import MOST_BYTES, read_bytes
from headstart.inputs.paths import as_named
from headstart.storage.files import open_file

_HEAD = 2**18  # bytes that the header of nearly every photo is within
_TURNED = range(5, 9)  # values of EXIF's orientation by which width and height change places
_ORIENTATION, _MAKE, _MODEL, _CHANGED, _EXIF, _TAKEN = 0x112, 0x10F, 0x110, 0x132, 0x8769, 0x9003
_LONGEST = 60  # characters of a camera's name
# Sum of the luminance table of the JPEG standard (annex K.1), of which an encoder takes so many hundredths.
_STANDARD_SUM = 3689


@dataclass(frozen=True)
class PhotoHeader:
    """What a photo's file says of itself."""

    width: int  # upright
    height: int
    format: str = ""  # "JPEG"; empty: pixels in memory
    size: int | None = None  # bytes
    quality: int | None = None  # of a JPEG, 1 to 100, as the common encoder counts it
    camera: str = ""
    day: str = ""  # 2026-01-31


def photo_header(source: Any) -> PhotoHeader | None:
    """The header of a photo, of a path or in memory; None: it cannot be read, which opening it says."""
    try:
        if isinstance(source, np.ndarray):
            return PhotoHeader(source.shape[1], source.shape[0])
        if isinstance(source, Image.Image):
            return PhotoHeader(*source.size)
        return _of_file(source)
    except (OSError, DataError):
        return None


def _of_file(source: Any) -> PhotoHeader:
    if not isinstance(source, str | Path):
        content = read_bytes(source)
        return _told(identified(content, where=""), len(content))
    with open_file(as_named(source), most=MOST_BYTES) as file:
        content = file.read(_HEAD)
        size = file.seek(0, 2)
    try:
        image = identified(content, where=str(source))
    except DataError:  # of some formats, that stands at the end
        image = identified(read_bytes(source), where=str(source))
    return _told(image, size)


def _told(image: Image.Image, size: int) -> PhotoHeader:
    width, height = image.size
    exif: dict[int, Any] = {}
    with suppress(DataError), image_errors(""):  # of tags of any type and length
        found = image.getexif()
        exif = {**found, **(found.get_ifd(_EXIF) if _EXIF in found else {})}
    if exif.get(_ORIENTATION) in _TURNED:
        width, height = height, width
    make, model = (_text(exif.get(tag)) for tag in (_MAKE, _MODEL))
    camera = model if model.startswith(make.split(" ")[0]) else f"{make} {model}"
    day = (_text(exif.get(_TAKEN)) or _text(exif.get(_CHANGED)))[:10].replace(":", "-")
    format = "JPEG" if image.format == "MPO" else image.format or ""
    return PhotoHeader(width, height, format, size, _quality(image), camera.strip()[:_LONGEST], day)


def _text(value: Any) -> str:
    return value.replace("\0", " ").strip() if isinstance(value, str) else ""


def _quality(image: Image.Image) -> int | None:
    """By the first table of quantisation, from how much coarser it is than the standard's."""
    tables = getattr(image, "quantization", None)
    if not isinstance(tables, dict) or len(tables.get(0, ())) != 64:
        return None
    percent = 100 * sum(tables[0]) / _STANDARD_SUM
    return max(1, min(100, round(5000 / percent if percent > 100 else (200 - percent) / 2)))
