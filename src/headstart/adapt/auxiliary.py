"""What a head learns from beside its labelled examples: what its classes are called, and examples without a label.

A class's name is a text like any other, so its features say where about its examples are. Names stand elsewhere than
examples do (they are short, and no sentences), so they are moved together: less their mean, plus that of the examples.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from headstart.adapt.penalty_path import IN_ALL
from headstart.backbone import Features, Matrix
from headstart.data.labels.class_names import ClassWords
from headstart.evaluate.criterion import Criterion
from headstart.storage.matrix import blocks


@dataclass(frozen=True)
class Auxiliary:
    """Features of what stands beside labelled examples; of nothing, where there is nothing."""

    words: ClassWords = field(default_factory=ClassWords)
    features: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))  # (m, d) of the words
    pool: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))  # (p, d) of examples without a label

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
    beside: int  # m

    def fold(self, fold: np.ndarray) -> np.ndarray:
        """(n + m,) from those of the examples, (n,): the others are in all."""
        return np.concatenate([fold, np.full(self.beside, IN_ALL, fold.dtype)])

    def criterion(self, by: Criterion) -> Criterion:
        """What is chosen by on the examples, with the weights that all rows have in the fit."""
        none = np.full(self.beside, -1)
        return replace(
            by, weights=self.weights, groups=None if by.groups is None else np.concatenate([by.groups, none])
        )


def joined(
    features: Features, y: np.ndarray, weights: np.ndarray | None, auxiliary: Auxiliary, *, n_classes: int
) -> Joined:
    """Labelled examples with the names that still count beside so many of them.

    Args:
        features: (n, d). y: (n,) class indices, or (n, n_classes) of 0 and 1. weights: (n,), or None.
    """
    if not len(auxiliary.words):
        return Joined(features, y, weights, 0)
    each, n = auxiliary.weights(y, n_classes), len(features.matrix)
    there = np.flatnonzero(each > 0)
    if not len(there):
        return Joined(features, y, weights, 0)
    matrix = np.concatenate([features.matrix[:n], auxiliary.placed(features.matrix)[there]])
    labels = np.concatenate([y, auxiliary.y(y, n_classes)[there]])
    counted = np.concatenate([np.ones(n) if weights is None else weights, each[there]])
    return Joined(Features(matrix, features.key, 0), labels, counted, len(there))
