"""What a page shows of examples: a text, cut to what is read at a glance, or a photo made small."""

from __future__ import annotations

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from headstart.errors import DataError
from headstart.inputs.image import open_known
from headstart.values import Dataset

LONGEST_SIDE = 128  # pixels
LONGEST_TEXT = 280  # characters
_NEAR = LONGEST_SIDE * 3 // 8  # of the shorter side: twice that is decoded, which is enough of a photo of 4 to 3
_WORKERS = 2
# Of JPEG: such a photo takes 2.6 kB and 0.15 ms. A WebP as good takes 2.3 kB, and five times as long.
_QUALITY = 65


def shown_photos(dataset: Dataset, rows: np.ndarray) -> list[str | bytes]:
    """Of each row of a checked dataset a JPEG, upright, its longest side 128 pixels at most; or why there is none.

    The bytes are those that were checked: a photo that has changed since is not shown in its place.
    """

    def one(row: int) -> str | bytes:
        try:
            return thumbnail_of(dataset.inputs[row], dataset.checked_digests[row])
        except (DataError, OSError, MemoryError) as error:
            return f"no picture: {error.what if isinstance(error, DataError) else error or 'too little memory'}"

    with ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(one, rows.tolist()))


def thumbnail_of(source: object, digest: np.ndarray | bytes) -> bytes:
    """A photo as a small JPEG; its sides keep their ratio, and none is enlarged.

    Raises: as `inputs.image.open_known`.
    """
    photo = open_known(source, digest, near=_NEAR)
    scale = min(1.0, LONGEST_SIDE / max(photo.size))
    width, height = (max(1, round(side * scale)) for side in photo.size)
    small = photo.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2)
    written = io.BytesIO()
    small.save(written, "JPEG", quality=_QUALITY, optimize=True)
    return written.getvalue()


def shown_texts(dataset: Dataset, rows: np.ndarray) -> list[str | bytes]:
    """Of each row the beginning of its text."""
    return [beginning(str(dataset.inputs[row])) for row in rows.tolist()]


def shown_pairs(dataset: Dataset, rows: np.ndarray) -> list[str | bytes]:
    """Of each row the beginnings of both texts, one a paragraph."""
    return [_paragraphs(map(str, dataset.inputs[row])) for row in rows.tolist()]


def shown_passages(dataset: Dataset, rows: np.ndarray) -> list[str | bytes]:
    """Of each row its question, and of its text what stands around the first true answer, or the beginning."""
    found: list[str | bytes] = []
    for row in rows.tolist():
        question, text = dataset.inputs[row]
        answers = dataset.targets[row] or (("", 0),)
        found.append(_paragraphs((question, around(text, answers[0][1], len(answers[0][0])))))
    return found


def beginning(text: str, most: int = LONGEST_TEXT) -> str:
    """The text, without the space around it; of a longer one so many characters, the last of which says so."""
    text = text[: 4 * most].strip()
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def around(text: str, start: int, length: int, most: int = LONGEST_TEXT - 2) -> str:
    """A piece of a text with what is said there in its middle; where it was cut, "…" says so."""
    first = max(0, min(start - (most - length) // 2, len(text) - most))
    piece = text[first : first + most].strip()
    return ("…" if first else "") + piece + ("…" if first + most < len(text) else "")


def _paragraphs(texts: Iterable[str]) -> str:
    return "\n\n".join(beginning(text) for text in texts)
