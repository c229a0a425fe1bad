"""The odd forms that inputs come in, made of plain ones: what runs a model elsewhere has to take them as well."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from headstart.inputs.image import open_image

_UPRIGHT_AFTER_TURN = 6  # of the EXIF orientation: the camera was held on its side
_ORIENTATION = 0x0112


def odd_photos(inputs: Sequence[Any]) -> list[bytes]:
    """Files of the first photo: grey, CMYK, turned by its EXIF, with an alpha channel, with a palette, progressive and
    large, and of an odd, a long and a tiny size."""
    photo = open_image(inputs[0])
    turned = Image.Exif()
    turned[_ORIENTATION] = _UPRIGHT_AFTER_TURN
    clear = photo.copy()
    clear.putalpha(Image.linear_gradient("L").resize(photo.size))
    large = photo.resize((1801, 1203))
    return [
        _file(photo.convert("L"), "JPEG"),
        _file(photo.convert("CMYK"), "JPEG"),
        _file(photo, "JPEG", exif=turned),
        _file(clear, "PNG"),
        _file(photo.quantize(32), "PNG"),
        _file(large, "JPEG", progressive=True),
        _file(photo.resize((37, 501)), "JPEG"),
        _file(photo.resize((640, 33)), "PNG"),
        _file(photo.resize((5, 3)), "PNG"),
    ]


def _file(image: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def odd_texts(inputs: Sequence[Any]) -> list[str]:
    """Texts of the first ones: one word, capitals, in between spaces and lines, longer than any model reads; signs."""
    text = str(inputs[0])
    word = (text.split() or ["yes"])[0]
    everything = " ".join(map(str, inputs))
    long = " ".join([everything] * (1 + 20_000 // max(1, len(everything))))
    return [word, text.upper(), f"  {text}\n\n\t{text}  ", long, "?!", "Ünïcode 漢字 🙂 \u200b", "1234567890" * 30]


def odd_pairs(inputs: Sequence[Any]) -> list[tuple[str, str]]:
    """Pairs of the first texts as `odd_texts` makes them, and of a text with itself."""
    one, other = map(str, inputs[0])
    odd = odd_texts([one])
    return [(one, one), *((each, other) for each in odd), *((one, each) for each in odd)]
