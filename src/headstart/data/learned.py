"""Which examples a model learned from: by their bytes, by sketches that lightly changed ones share, by their groups.

A saved model keeps these as columns of `split.csv`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from headstart.data.alike.grouping import plain_name
from headstart.storage.files import read_file
from headstart.storage.manifest import was_changed
from headstart.values import Dataset, Split

FILE = "split.csv"
COLUMNS = "digest", "sketch", "whose"
UNLABELLED = "unlabelled"  # the part of what was learned from with labels that a model gave
BOTH = "both"  # the part of what was tested while it was held out, and learned from as well
_MOST = 1 << 30  # bytes
_SHORT = 8  # bytes of a sha256 that tell an example from millions of others


@dataclass(frozen=True)
class Learned:
    """Examples that a model learned from."""

    digests: np.ndarray  # (n, 8) uint8
    sketches: np.ndarray  # (n, k) uint8, as the modality makes them; (0, 0): they were not kept
    whose: frozenset[str]  # short hashes of the groups that the user named

    def has(self, dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) bool each: which of these rows of checked data it has, and which others that are nearly the same."""
        known = {digest.tobytes() for digest in self.digests}
        exactly = np.array([digest.tobytes() in known for digest in dataset.checked_digests[rows, :_SHORT]], dtype=bool)
        nearly = np.zeros(len(rows), dtype=bool)
        if dataset.sketches is not None and dataset.sketches.shape[1] == self.sketches.shape[1]:
            others = np.flatnonzero(~exactly)
            nearly[others] = dataset.modality.near_to_any(dataset.sketches[rows[others]], self.sketches)
        return exactly, nearly

    def and_also(self, other: Learned) -> Learned:
        """Both together, of one modality."""
        pairs = (self.digests, other.digests), (self.sketches, other.sketches)
        digests, sketches = (np.concatenate(pair) if len(pair[0]) else pair[1] for pair in pairs)
        return Learned(digests, sketches, self.whose | other.whose)

    def of_known_groups(self, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
        """(n,) bool: which of these rows are of a group, as the user names it, that it learned from."""
        whose = _whose(dataset)
        return np.array([bool(whose[row]) and whose[row] in self.whose for row in rows.tolist()], dtype=bool)


def learned_of(dataset: Dataset, rows: np.ndarray) -> Learned:
    """These rows of checked data."""
    sketches = np.empty((0, 0), np.uint8) if dataset.sketches is None else dataset.sketches[rows]
    whose = _whose(dataset)
    groups = frozenset(whose[row] for row in rows.tolist() if whose[row])
    return Learned(dataset.checked_digests[rows, :_SHORT], sketches, groups)


def without_unused(dataset: Dataset, unlabelled: Mapping[str, Any] | None) -> Dataset:
    """The dataset, its examples without labels only where some were learned from, as JSON says it."""
    return dataset if unlabelled is not None and unlabelled["used"] else replace(dataset, pool=None)


class MadeOf(Protocol):
    """What a model was made of, while it is in memory; a pool is there only where it was learned from."""

    @property
    def dataset(self) -> Dataset: ...
    @property
    def parts(self) -> Split: ...


def learned_by(made: MadeOf | None, folder: Path | None) -> Learned | None:
    """What a model learned from, which is in memory, or saved in a folder; None: that is not known."""
    if made is not None:
        learned, pool = learned_of(made.dataset, made.parts.train), made.dataset.pool
        return learned if pool is None else learned.and_also(learned_of(pool, np.arange(len(pool))))
    return None if folder is None else learned_from(folder)


def written_columns(dataset: Dataset) -> Iterator[list[str]]:
    """The columns of the table, of all rows of checked data."""
    yield short_digests(dataset)
    yield [""] * len(dataset) if dataset.sketches is None else [sketch.tobytes().hex() for sketch in dataset.sketches]
    yield _whose(dataset)


def short_digests(dataset: Dataset) -> list[str]:
    """The beginning of the sha256 of each example, in hexadecimal."""
    return [digest.tobytes().hex() for digest in dataset.checked_digests[:, :_SHORT]]


def _whose(dataset: Dataset) -> list[str]:
    """A short hash of each row's group, as the user names it; empty: it is of none."""
    names = [plain_name(name) if name else "" for name in dataset.named_groups or [None] * len(dataset)]
    hashes = {name: hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest() for name in set(names) - {""}}
    return [hashes[name][: 2 * _SHORT] if name else "" for name in names]


def learned_from(folder: Path) -> Learned | None:
    """Those of a saved model; None where the folder does not say, or not as it was saved."""
    try:
        rows = _rows_in(folder)
        if not {"part", COLUMNS[0]} <= set(rows.fieldnames or ()):
            return None
        of = [[row.get(name) or "" for name in COLUMNS] for row in rows if row["part"] in ("train", BOTH, UNLABELLED)]
        digests = _as_rows([digest for digest, _, _ in of if digest])
        groups = frozenset(whose for _, _, whose in of if whose)
        return Learned(digests, _as_rows([sketch for _, sketch, _ in of if sketch]), groups)
    except (OSError, csv.Error, ValueError):  # not there, or not as headstart writes it
        return None


def examples_in(folder: Path, rows: np.ndarray, head: Any) -> tuple[list[str], list[Any], list[str]] | None:
    """Where the examples in these rows of a saved model's table are, their targets, and the beginnings of their sha256
    in hexadecimal; None where it does not say.

    Args:
        head: the model's, which knows whether targets are several labels, or numbers.
    """
    try:
        table = list(_rows_in(folder))
        some = [table[row] for row in rows.tolist()]
        targets = [_target(row["label"], head) for row in some]
        return [row["example"] for row in some], targets, [row.get(COLUMNS[0]) or "" for row in some]
    except (OSError, csv.Error, KeyError, IndexError, ValueError):
        return None


def examples_of_part(folder: Path, part: str) -> list[str]:
    """Where the examples of a part of a saved model's data were; none where its table does not say."""
    try:
        return [row["example"] for row in _rows_in(folder) if row["part"] == part]
    except (OSError, csv.Error, KeyError, ValueError):  # not there, or not as headstart writes it
        return []


def _rows_in(folder: Path) -> csv.DictReader[str]:
    """The rows of a saved model's table. Raises OSError where it cannot be read, ValueError where it was changed."""
    if was_changed(folder, FILE):
        raise ValueError(f"{FILE} was changed")
    return csv.DictReader(io.StringIO(read_file(folder / FILE, most=_MOST).decode("utf-8"), newline=""))


def still_there(where: Iterable[str], data: str, folder: Path) -> list[tuple[str, Path]]:
    """Those of a saved model's files that lie where they lay: below the current folder, the data's or the one beside
    the model.

    Args:
        where: as split.csv has them. data: what was fitted on, as its record says. folder: of the model.
    """
    beside = (Path(), Path(data), folder.parent, folder.parent / data)
    found = ((name, next((base / name for base in beside if (base / name).is_file()), None)) for name in where)
    return [(name, path) for name, path in found if path is not None]


def _target(cell: str, head: Any) -> Any:
    if head.thresholds is not None:
        return tuple(map(str, json.loads(cell)))
    return cell if head.width is None else float(cell)


def _as_rows(written: list[str]) -> np.ndarray:
    """(n, k) uint8. Raises ValueError where these are not hexadecimal and of one length."""
    if len({*map(len, written)}) > 1:
        raise ValueError("of several lengths")
    return np.frombuffer(bytes.fromhex("".join(written)), np.uint8).reshape(len(written), -1 if written else 0)
