"""Which examples a saved model learned from, by their bytes: a column of `split.csv`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from headstart.storage.files import read_file
from headstart.values import Dataset

FILE = "split.csv"
COLUMN = "digest"
BOTH = "both"  # the part of what was tested while it was held out, and learned from as well
_MOST = 1 << 30  # bytes


def short_digest(digest: np.ndarray) -> str:
    """As much of a (32,) uint8 sha256 as tells an example from millions of others."""
    return digest[:8].tobytes().hex()


def learned_from(folder: Path) -> frozenset[str] | None:
    """Short digests of the training examples; None where the folder does not say."""
    try:
        written = read_file(folder / FILE, most=_MOST).decode("utf-8")
        rows = csv.DictReader(io.StringIO(written, newline=""))
        if not {"part", COLUMN} <= set(rows.fieldnames or ()):
            return None
        return frozenset(row[COLUMN] for row in rows if row["part"] in ("train", BOTH) and row[COLUMN])
    except (OSError, csv.Error, UnicodeError):
        return None


def how_many_of(dataset: Dataset, rows: np.ndarray, learned: frozenset[str]) -> int:
    """How many of these rows of checked data are among those learned from."""
    return sum(short_digest(digest) in learned for digest in dataset.checked_digests[rows])
