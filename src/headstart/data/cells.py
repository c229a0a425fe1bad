"""Cells of a table that are no plain texts: pictures themselves, and names of files that hold the texts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.text_file import text_in
from headstart.errors import DataError

_SAMPLE = 100  # values that tell
# Endings of files that people name in tables, and that hold neither a photo nor a plain text.
_OTHERS = frozenset(
    {".wav", ".mp3", ".flac", ".ogg", ".m4a", ".mp4", ".avi", ".mov", ".mkv", ".webm", ".pdf", ".doc", ".docx",
     ".html", ".htm", ".npy", ".npz", ".pt", ".mat", ".dcm", ".nii", ".json", ".xml", ".csv", ".zip", ".svg"}
)  # fmt: skip


def are_pictures(values: Sequence[Any]) -> bool:
    """Whether a column holds pictures: of PIL, arrays of pixels, files' bytes, or {bytes, path} as hubs have them."""
    some = list(islice((value for value in values if value is not None), _SAMPLE))
    return bool(some) and 2 * sum(map(_is_picture, some)) > len(some)


def picture(value: Any, base: Path | None) -> Any:
    """The picture in a cell, as headstart takes it: pixels, a file's bytes, or the path of one."""
    if isinstance(value, dict):
        content, path = value.get("bytes"), value.get("path")
        return bytes(content) if content is not None else str(base / path) if base and path else path or ""
    return bytes(value) if isinstance(value, bytearray | memoryview) else "" if value is None else value


def file_names(values: Iterable[str | None]) -> str | None:
    """The ending that nearly all values have, where these look like names of files; None: they do not."""
    some = list(islice((value.strip() for value in values if value and value.strip()), _SAMPLE))
    endings = Counter(PurePath(value.replace("\\", "/")).suffix.lower() for value in some if len(value) < 1000)
    ending, times = endings.most_common(1)[0] if endings else ("", 0)
    known = ending == ".txt" or ending in _OTHERS
    return ending if known and times >= 0.9 * len(some) and sum(map(_spaced, some)) <= 0.5 * len(some) else None


def texts_of_files(
    names: Sequence[str | None], base: Path, where: str, *, root: str | None, encoding: str | None, before: int
) -> list[str]:
    """What the files hold that a column names.

    Args:
        base: the folder of the table. root: the one that the user named. before: how many rows come before.

    Raises:
        DataError: one is not there, or no text.
    """
    texts = []
    for number, name in enumerate(names, start=before + 1):
        path = os.path.join(root or base, (name or "").strip().replace("\\", "/"))
        if not name or not os.path.isfile(path):
            fix = "--image-root FOLDER says where the files lie; --text COLUMN takes another column"
            raise DataError(f"no such file: {path}", where=f"{where} row {number}", fix=fix)
        texts.append(text_in(Path(path), encoding))
    return texts


def _spaced(name: str) -> bool:
    return len(name.split()) > 3


def _is_picture(value: Any) -> bool:
    if isinstance(value, dict):
        return {"bytes", "path"} >= set(value) and bool(value)
    if isinstance(value, np.ndarray):
        return value.ndim in (2, 3)
    return isinstance(value, Image.Image | bytes | bytearray | memoryview)
