"""Which examples a model learned from: by their bytes, and by sketches that lightly changed ones share.

A saved model keeps both as columns of `split.csv`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.storage.files import read_file
from headstart.values import Dataset

FILE = "split.csv"
COLUMNS = "digest", "sketch"
BOTH = "both"  # the part of what was tested while it was held out, and learned from as well
_MOST = 1 << 30  # bytes
_SHORT = 8  # bytes of a sha256 that tell an example from millions of others


@dataclass(frozen=True)
class Learned:
    """Examples that a model learned from."""

    digests: np.ndarray  # (n, 8) uint8
    sketches: np.ndarray  # (n, k) uint8, as the modality makes them; (0, 0): they were not kept

    def has(self, dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) bool each: which of these rows of checked data it has, and which others that are nearly the same."""
        known = {digest.tobytes() for digest in self.digests}
        exactly = np.array([digest.tobytes() in known for digest in dataset.checked_digests[rows, :_SHORT]], dtype=bool)
        nearly = np.zeros(len(rows), dtype=bool)
        if dataset.sketches is not None and dataset.sketches.shape[1] == self.sketches.shape[1]:
            others = np.flatnonzero(~exactly)
            nearly[others] = dataset.modality.near_to_any(dataset.sketches[rows[others]], self.sketches)
        return exactly, nearly


def learned_of(dataset: Dataset, rows: np.ndarray) -> Learned:
    """These rows of checked data."""
    sketches = np.empty((0, 0), np.uint8) if dataset.sketches is None else dataset.sketches[rows]
    return Learned(dataset.checked_digests[rows, :_SHORT], sketches)


def columns_of(dataset: Dataset) -> Iterator[list[str]]:
    """The columns of the table, of all rows of checked data."""
    whole = learned_of(dataset, np.arange(len(dataset)))
    yield [digest.tobytes().hex() for digest in whole.digests]
    yield [sketch.tobytes().hex() for sketch in whole.sketches] or [""] * len(dataset)


def learned_from(folder: Path) -> Learned | None:
    """Those of a saved model; None where the folder does not say."""
    try:
        written = read_file(folder / FILE, most=_MOST).decode("utf-8")
        rows = csv.DictReader(io.StringIO(written, newline=""))
        if not {"part", COLUMNS[0]} <= set(rows.fieldnames or ()):
            return None
        of = [[row.get(name) or "" for name in COLUMNS] for row in rows if row["part"] in ("train", BOTH)]
        digests = _as_rows([digest for digest, _ in of if digest])
        return Learned(digests, _as_rows([sketch for _, sketch in of if sketch]))
    except (OSError, csv.Error, ValueError):  # not there, or not as headstart writes it
        return None


def _as_rows(written: list[str]) -> np.ndarray:
    """(n, k) uint8. Raises ValueError where these are not hexadecimal and of one length."""
    if len({*map(len, written)}) > 1:
        raise ValueError("of several lengths")
    return np.frombuffer(bytes.fromhex("".join(written)), np.uint8).reshape(len(written), -1 if written else 0)
