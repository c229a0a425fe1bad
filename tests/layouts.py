"""Small folders in the layouts that data sets have; each photo and each text is another."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

_numbers = count()


def photos(folder: Path, *names: str, n: int = 6) -> None:
    """n photos in each of these folders below a folder: 0.png, 1.png, ..."""
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            photo(folder / name / f"{number}.png")


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(next(_numbers)).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((64, 64), Image.Resampling.NEAREST).save(path)


def sentences(about: str, n: int = 6) -> list[str]:
    return [f"this is sentence {next(_numbers)} about {about}" for _ in range(n)]


def written(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path
