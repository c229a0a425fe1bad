"""Some of a training part, where all of it is too much: each class by its share, the same whatever the split was."""

from __future__ import annotations

import numpy as np

from headstart.data.split import groups_by_class
from headstart.values import Dataset

_FEWEST_OF_A_CLASS = 5  # examples in a sample: one a fold
_SAMPLING = 2**64  # a seed that no split has, or what the split left would decide what is sampled


def sample(dataset: Dataset, rows: np.ndarray, *, most: int = 600) -> Dataset:
    """About `most` of the examples in `rows`, all of them where they are few: each class by its share, at least five.

    Groups come whole, as far as a class has room. Which ones, a hash of their bytes says that is the same whatever the
    seed of the split: so another split samples mostly what was encoded before.

    Args:
        dataset: checked.
        rows: (n,) of the training part.
    """
    if len(rows) <= most:
        return dataset.take(rows)
    share, counts = most / len(rows), np.bincount(dataset.strata[rows])
    taken = [
        places[: max(_FEWEST_OF_A_CLASS, round(share * int(counts[label])))]
        for label, places in _places_by_class(dataset, rows).items()
    ]
    return dataset.take(rows[np.sort(np.concatenate(taken))])


def drawn(dataset: Dataset, rows: np.ndarray, *, seed: int = _SAMPLING, first: int = _FEWEST_OF_A_CLASS) -> np.ndarray:
    """`rows` in an order of which every beginning is a sample: each class by its share, but five of each come first.

    A group comes at once, and which one first, says the hash that `sample` goes by; or one of another seed.

    Args:
        dataset: checked.
        rows: (n,) of the training part.
        seed: of the hash. first: how many of each class come first.
    """
    through = np.zeros(len(rows))  # how far through its class each row comes
    for places in _places_by_class(dataset, rows, seed).values():
        through[places[first:]] = np.arange(first, len(places)) / len(places)
    return rows[np.argsort(through, kind="stable")]


def _places_by_class(dataset: Dataset, rows: np.ndarray, seed: int = _SAMPLING) -> dict[int, np.ndarray]:
    """Where in `rows` the examples of each class are, in the order in which a sample takes them: group after group."""
    y, digests = dataset.strata[rows], dataset.checked_digests[rows]
    found = groups_by_class(y, dataset.checked_groups[rows], digests, seed)
    return {label: members.rows for label, members in found.items()}
