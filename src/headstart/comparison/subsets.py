"""More and more labels of a training part: for each seed an order, of which every beginning has each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.comparison.policy import ComparingPolicy
from headstart.data.sampling import drawn
from headstart.values import Dataset


def orders(dataset: Dataset, train: np.ndarray, seeds: Sequence[int]) -> dict[int, np.ndarray]:
    """The rows of the training part in an order for each seed; what is learned from n labels is its first n.

    So points are nested: who has ten labels has the five of the point before, and each class by its share.
    """
    return {seed: drawn(dataset, train, seed=seed, first=1) for seed in seeds}


def points(dataset: Dataset, by_seed: dict[int, np.ndarray], policy: ComparingPolicy) -> tuple[list[int], list[int]]:
    """How many labels are learned from, ascending; and the numbers that are left out.

    Those are left out with which a class has no label for some seed: its accuracy would be decided beforehand.
    """
    n = len(next(iter(by_seed.values())))
    wanted = sorted({max(1, round(share * n)) for share in policy.shares})
    kept = [labels for labels in wanted if all(_covers(dataset, order[:labels], policy) for order in by_seed.values())]
    return kept, [labels for labels in wanted if labels not in kept]


def _covers(dataset: Dataset, rows: np.ndarray, policy: ComparingPolicy) -> bool:
    if not dataset.classes:
        return len(rows) >= policy.fewest_without_classes
    return len(rows) >= len(dataset.classes) and bool((dataset.counts(rows) > 0).all())
