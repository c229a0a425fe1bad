"""Photos of the same thing: crops, edits and neighbouring frames, whose bytes and perceptual hashes differ.

Cross-validation that learns from one crop and is asked about another measures memory: on five crops of each of 472
photos it saw no error at all, chose the weakest penalty, and the held-out log loss came out at 3.1 instead of 0.30
(docs/accuracy.md). Their features give them away: where a feature vector is made of equally wide directions, two photos
of a kind have a cosine near 0, two crops of one photo near 0.9.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from headstart.adapt.basis import Basis
from headstart.backbone import Matrix
from headstart.storage.matrix import blocks

_DIRECTIONS = 64  # the widest ones; narrower ones differ between two crops as they do between two photos
_ALIKE = 0.8  # cosine from which two examples of a class are held out together
_SAME = 0.9  # cosine from which a test example is reported
_TILE = 2048  # rows compared at once with as many others


def directions(basis: Basis, features: Matrix) -> np.ndarray:
    """(n, d) features -> (n, at most 64) float32 of length 1, in the widest directions, each as wide as the others."""
    r = min(_DIRECTIONS, len(basis.variance))
    rotation = basis.rotation[:, :r] / np.sqrt(np.maximum(basis.variance[:r], 1e-12))
    out = np.empty((len(features), r), dtype=np.float32)
    for rows, block in blocks(features):
        out[rows] = ((block - basis.mean) / basis.scale) @ rotation
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def join(z: np.ndarray, y: np.ndarray, groups: np.ndarray, *, at_least: int) -> np.ndarray:
    """Group numbers in which look-alikes of a class are one group, as are those that `groups` has together.

    A class that would be left with fewer than `at_least` groups (all of it one film, say) stays as it was: folds have
    to be made of something.

    Args:
        z: (n, r), from `directions`. y: (n,) class indices. groups: (n,) group numbers.
    """
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    label = first[number]
    for c in np.unique(y):
        mine = np.flatnonzero(y == c)
        joined = label.copy()
        for a, b in _alike(z[mine], _ALIKE):
            _merge(joined, mine[a], mine[b])
        if len(np.unique(joined[mine])) >= at_least:
            label = joined
    return label


def like_any(z: np.ndarray, y: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(n,) bool: rows that look like one of the `chosen` ones, (n,) bool, of their class; these, too."""
    alike = chosen.copy()
    for c in np.unique(y[chosen]):
        theirs, others = np.flatnonzero(chosen & (y == c)), np.flatnonzero(~chosen & (y == c))
        for rows in _slices(len(others)):
            for columns in _slices(len(theirs)):
                alike[others[rows]] |= (z[others[rows]] @ z[theirs[columns]].T >= _ALIKE).any(axis=1)
    return alike


def same_as(z: np.ndarray, y: np.ndarray, others: np.ndarray, others_y: np.ndarray) -> dict[int, int]:
    """Rows of `z` that look the same as a row of `others` with the same class, each with the one that is nearest."""
    nearest = np.full(len(z), _SAME, dtype=np.float32)
    found = np.full(len(z), -1)
    for c in np.unique(y):
        mine, theirs = np.flatnonzero(y == c), np.flatnonzero(others_y == c)
        for rows in _slices(len(mine)):
            for columns in _slices(len(theirs)):
                cosine = z[mine[rows]] @ others[theirs[columns]].T
                best = cosine.argmax(axis=1)
                value = cosine[np.arange(len(best)), best]
                nearer = value > nearest[mine[rows]]
                nearest[mine[rows][nearer]] = value[nearer]
                found[mine[rows][nearer]] = theirs[columns][best[nearer]]
    return {int(row): int(found[row]) for row in np.flatnonzero(found >= 0)}


def within(z: np.ndarray, y: np.ndarray) -> dict[int, int]:
    """Rows of `z` that look the same as an earlier row of their class, each with the first of these."""
    found: dict[int, int] = {}
    for c in np.unique(y):
        mine = np.flatnonzero(y == c)
        for later, earlier in _alike(z[mine], _SAME):
            for a, b in zip(mine[later].tolist(), mine[earlier].tolist(), strict=True):
                if b < a:
                    found[a] = min(b, found.get(a, b))
    return found


def _alike(z: np.ndarray, least: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for rows in _slices(len(z)):
        for columns in _slices(rows.stop):
            i, j = np.nonzero(z[rows] @ z[columns].T >= least)
            yield i + rows.start, j + columns.start


def _slices(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _TILE, n)) for start in range(0, n, _TILE))


def _merge(label: np.ndarray, i: np.ndarray, j: np.ndarray) -> None:
    """Let rows i[k] and j[k] share their lower label, and all that have those labels too; label[label] == label."""
    while len(i) and (label[i] != label[j]).any():
        low = np.minimum(label[i], label[j])
        np.minimum.at(label, label[i], low)
        np.minimum.at(label, label[j], low)
        while (label != label[label]).any():
            label[:] = label[label]
