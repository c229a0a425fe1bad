"""What in an input speaks for an answer: places of a photo, or words of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from headstart.inputs.image import Crop


@dataclass(frozen=True)
class Word:
    """A word of a text, and what it adds to the score that is explained."""

    text: str
    start: int  # characters of its text
    end: int
    weight: float  # log odds of a class, log probability of an answer, or the unit of the number; below 0: against it
    of: int | None = None  # 1 or 2, which of two texts; None: there is one

    def to_json(self) -> dict[str, Any]:
        """As `words` of `explain --json`; `of` says which of two texts it is in."""
        result: dict[str, Any] = {"text": self.text, "start": self.start, "end": self.end}
        return result | {"weight": round(self.weight, 6)} | ({} if self.of is None else {"of": self.of})


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What in a photo speaks for an answer, by its places."""

    grid: np.ndarray  # (rows, columns) float32 over the model's own image, what each place adds to the score
    crop: Crop  # where the model's image lies on the photo
    seen: tuple[int, int]  # (width, height) of the model's image
    size: tuple[int, int]  # (width, height) of the photo, upright
    picture: Image.Image  # the photo, or the photo reduced

    def over(self, size: tuple[int, int]) -> np.ndarray:
        """(height, width) float32 over the photo in this (width, height): 1 is the most, below 0 speaks against it, and
        0 stands where the model does not look."""
        (rows, columns), (width, height) = self.grid.shape, self.seen
        (x, y), (cut_w, cut_h) = self.crop.corner, self.crop.size
        scale_x, scale_y = size[0] / self.size[0], size[1] / self.size[1]
        left, top, right, bottom = self.crop.box
        x0, x1 = max(0, round(left * scale_x)), min(size[0], round(right * scale_x))
        y0, y1 = max(0, round(top * scale_y)), min(size[1], round(bottom * scale_y))
        most = float(np.abs(self.grid).max()) or 1.0
        inside = Image.fromarray(self.grid / most).resize(
            (max(1, x1 - x0), max(1, y1 - y0)),
            Image.Resampling.BILINEAR,
            box=(
                x * columns / width,
                y * rows / height,
                (x + cut_w) * columns / width,
                (y + cut_h) * rows / height,
            ),
        )
        whole = np.zeros((size[1], size[0]), dtype=np.float32)
        whole[y0:y1, x0:x1] = np.asarray(inside)[: y1 - y0, : x1 - x0]
        return whole


@dataclass(frozen=True)
class Evidence:
    """What speaks for an answer, and how it was found."""

    heat: HeatMap | None = None  # of a photo
    words: tuple[Word, ...] | None = None  # of texts, in their order
    texts: tuple[str, ...] = ()  # that the words are of
    notes: tuple[str, ...] = ()
