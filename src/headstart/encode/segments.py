"""Segments: the rows that one run added to a table, in a file that is whole or not there.

A header line, the sha256 of each example, the rows, and in the header a sha256 over all of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from headstart.encode import forms
from headstart.encode.keys import KEY
from headstart.encode.row_files import MOST_BYTES, RowFile, identity
from headstart.storage.files import open_file

ENDING = ".rows"
PART = "part-"  # how segments begin that lie in the order of some data, see `encode.parts`
_HEADER = 256  # bytes
_READ = 1 << 20  # bytes at a time

_whole: set[tuple[Path, int, int, int]] = set()  # files that this process has looked through


def segment(keys: np.ndarray, rows: np.ndarray, width: int) -> bytes:
    """(n, 32) uint8 keys and (n, k) rows of so many numbers each, as they are kept, as the content of a file."""
    named, data = np.ascontiguousarray(keys).tobytes(), rows.tobytes()
    check = hashlib.sha256(named + data).hexdigest()
    header = json.dumps({"rows": len(rows), "width": width, "dtype": rows.dtype.name, "sha256": check})
    return header.encode().ljust(_HEADER - 1) + b"\n" + named + data


def segments(
    folder: Path, width: int, *, leave: Callable[[Path], bool] = lambda path: False
) -> Iterator[tuple[np.ndarray, RowFile]]:
    """The keys and the rows of each segment that is whole: in the order of their names, those of parts first."""
    for path in sorted(folder.glob(f"*{ENDING}"), key=lambda path: (not is_part(path), path.name)):
        opened = None if leave(path) else open_segment(path, width)
        if opened is not None:
            yield opened


def is_part(path: Path) -> bool:
    return path.name.startswith(PART)


def count_of(path: Path) -> int:
    """How many rows a segment says that it has."""
    try:
        with open_file(path, most=MOST_BYTES) as file:
            return int(json.loads(file.read(_HEADER))["rows"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return 0


def open_segment(path: Path, width: int) -> tuple[np.ndarray, RowFile] | None:
    """(n, 32) keys, and the rows; None for a segment that is not whole, or has other numbers than features are."""
    try:
        known = identity(path, os.stat(path))
        with open_file(path, most=MOST_BYTES) as file:
            header = json.loads(file.read(_HEADER))
            count, dtype = int(header["rows"]), forms.type_of(header["dtype"])
            stored = forms.columns(width, dtype)
            whole = _HEADER + count * (KEY + stored * dtype.itemsize)
            if header["width"] != width or count < 0 or os.fstat(file.fileno()).st_size != whole:
                return None
            keys = file.read(KEY * count)
            if known is None or known not in _whole:
                if not _is_whole(file, keys, header["sha256"], stored, dtype):
                    return None
                if known is not None:
                    _whole.add(known)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return np.frombuffer(keys, np.uint8).reshape(-1, KEY), RowFile(path, _HEADER + len(keys), dtype, stored, count)


def _is_whole(file: BinaryIO, keys: bytes, check: str, stored: int, dtype: np.dtype) -> bool:
    """Whether what comes in the file is what was written behind these keys. Args: stored: numbers in a row."""
    seen, size = hashlib.sha256(keys), stored * dtype.itemsize
    while block := file.read(size * max(1, _READ // size)):
        seen.update(block)
        if not forms.are_finite(np.frombuffer(block, dtype).reshape(-1, stored)):
            return False
    return seen.hexdigest() == check
