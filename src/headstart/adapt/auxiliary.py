"""What a head learns from beside its labelled examples: names of classes, other views, and examples without a label.

A class's name is a text like any other, so its features say where about its examples are. Names stand elsewhere than
examples do (they are short, and no sentences), so they are moved together: less their mean, plus that of the examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from headstart.adapt.penalty_path import IN_ALL, unjudged
from headstart.adapt.policy import MANY
from headstart.backbone import Features, Matrix
from headstart.data.labels.class_names import ClassWords
from headstart.evaluate.criterion import Criterion
from headstart.storage.matrix import blocks
from headstart.values import Dataset


@dataclass(frozen=True)
class Auxiliary:
    """Features of what stands beside labelled examples; of nothing, where there is nothing."""

    words: ClassWords = field(default_factory=ClassWords)
    features: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))  # (m, d) of the words
    pool: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))  # (p, d) of examples without a label
    views: Mapping[bytes, np.ndarray] = field(default_factory=dict)  # (v, d) of crops of an example, by its sha256

    @property
    def labelled(self) -> bool:
        """Whether there is anything whose label is known: names, or views."""
        return len(self.words) > 0 or len(self.views) > 0

    def placed(self, features: Matrix) -> np.ndarray:
        """(m, d) float32: the words' features, moved to where those of the examples are, (n, d)."""
        middle = sum(block.sum(axis=0, dtype=np.float64) for _, block in blocks(features)) / len(features)
        return np.asarray(self.features - self.features.mean(axis=0) + middle, dtype=np.float32)

    def y(self, y: np.ndarray, n_classes: int) -> np.ndarray:
        """(m,) class indices, or (m, n_classes) of 0 and 1, as those of the examples are."""
        return np.eye(n_classes, dtype=y.dtype)[self.words.classes] if y.ndim == 2 else self.words.classes

    def weights(self, y: np.ndarray, n_classes: int) -> np.ndarray:
        """(m,) how much the words count beside so many labels of each class."""
        return self.words.weights(y.sum(axis=0) if y.ndim == 2 else np.bincount(y, minlength=n_classes))


NOTHING = Auxiliary()


@dataclass(frozen=True)
class Joined:
    """Labelled examples, and behind them what stands beside them, as one training set."""

    features: Features  # (n + m, d)
    y: np.ndarray
    weights: np.ndarray | None  # (n + m,); None: all alike
    of: np.ndarray  # (m,) which example each of the others is a view of; -1: of none

    def fold(self, fold: np.ndarray) -> np.ndarray:
        """(n + m,) from those of the examples, (n,): views go with theirs, and none of the others is judged."""
        return np.concatenate([fold, np.where(self.of < 0, IN_ALL, unjudged(fold)[self.of])])

    def criterion(self, by: Criterion) -> Criterion:
        """What is chosen by on the examples, with the weights that all rows have in the fit."""
        groups = None if by.groups is None else np.concatenate([by.groups, np.full(len(self.of), -1)])
        return replace(by, weights=self.weights, groups=groups)


def joined(dataset: Dataset, rows: np.ndarray, features: Features, auxiliary: Auxiliary) -> Joined:
    """Labelled examples with their views, and with the names that still count beside so many of them.

    Args:
        rows: (n,) of a checked dataset. features: (n, d), of these.
    """
    y, weights = dataset.y[rows], dataset.weights_of(rows)
    if len(rows) > MANY.rows:  # a handful of names or views more would say nothing beside them
        return Joined(features, y, weights, np.empty(0, np.int64))
    names = _names_behind(auxiliary, features.matrix, y, len(dataset.classes))
    keys = [digest.tobytes() for digest in dataset.checked_digests[rows]] if auxiliary.views else []
    views = _views_behind(auxiliary, keys, y, weights)
    more = [behind for behind in (names, views) if behind is not None and len(behind.of)]
    if not more:
        return Joined(features, y, weights, np.empty(0, np.int64))
    counted = np.ones(len(rows)) if weights is None else weights
    return Joined(
        replace(features, matrix=np.concatenate([features.matrix[: len(rows)], *(some.matrix for some in more)])),
        np.concatenate([y, *(some.y for some in more)]),
        np.concatenate([counted, *(some.weights for some in more)]),
        np.concatenate([some.of for some in more]),
    )


@dataclass(frozen=True)
class _Behind:
    """Rows that stand behind labelled examples."""

    matrix: np.ndarray  # (m, d)
    y: np.ndarray
    weights: np.ndarray  # (m,)
    of: np.ndarray  # (m,) as in `Joined`


def _names_behind(auxiliary: Auxiliary, matrix: Matrix, y: np.ndarray, n_classes: int) -> _Behind | None:
    """The names that count beside so many labels of their class; None: there are no names."""
    if not len(auxiliary.words):
        return None
    weights = auxiliary.weights(y, n_classes)
    there = np.flatnonzero(weights > 0)
    of_none = np.full(len(there), -1)
    return _Behind(auxiliary.placed(matrix)[there], auxiliary.y(y, n_classes)[there], weights[there], of_none)


def _views_behind(
    auxiliary: Auxiliary, keys: Sequence[bytes], y: np.ndarray, weights: np.ndarray | None
) -> _Behind | None:
    """The views of the examples with these keys, each with the class and the weight of its example."""
    places = [place for place, key in enumerate(keys) if key in auxiliary.views]
    if not places:
        return None
    made = [auxiliary.views[keys[place]] for place in places]
    of = np.repeat(places, [len(some) for some in made])
    return _Behind(np.concatenate(made), y[of], np.ones(len(of)) if weights is None else weights[of], of)
