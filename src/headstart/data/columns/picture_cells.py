"""Cells of a table that hold pictures themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.errors import DataError
from headstart.inputs.packed import PackedPhoto

_SAMPLE = 100  # values that tell


@dataclass(frozen=True)
class InRow:
    """A picture that is not opened yet: the one in this row of a column of pictures."""

    row: int


def are_pictures(values: Sequence[Any]) -> bool:
    """Whether a column holds pictures: of PIL, arrays of pixels, files' bytes, or {bytes, path} as hubs have them."""
    some = list(islice((value for value in values if value is not None), _SAMPLE))
    return bool(some) and 2 * sum(map(_is_picture, some)) > len(some)


def picture(value: Any, base: Path | None) -> Any:
    """The picture in a cell, as headstart takes it: pixels, a file's bytes, or the path of one."""
    if isinstance(value, dict):
        content, path = value.get("bytes"), value.get("path")
        if content is not None:
            bytes_like = isinstance(content, bytes | bytearray | memoryview)
            return bytes(content) if bytes_like else DataError(f"a {type(content).__name__} where bytes belong")
        return str(base / path) if base and path else path or ""
    return bytes(value) if isinstance(value, bytearray | memoryview) else "" if value is None else value


def _is_picture(value: Any) -> bool:
    if isinstance(value, dict):
        return {"bytes", "path"} >= set(value) and bool(value)
    if isinstance(value, np.ndarray):
        return value.ndim in (2, 3)
    return isinstance(value, PackedPhoto | InRow | Image.Image | bytes | bytearray | memoryview)
