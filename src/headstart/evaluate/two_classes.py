"""Tasks of two classes, of which one is looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.evaluate.conformal import rank_of
from headstart.evaluate.intervals import share_interval
from headstart.values import Interval


def positive_class(counts: Sequence[int] | np.ndarray, names: Sequence[str]) -> str:
    """The class that precision, recall and a threshold are of, where nobody has said which: the rarer one in training;
    of two that are as frequent the last by name, as where classes are called 0 and 1, or no and yes.

    Args:
        counts: of the training examples of each class. names: of the two classes, sorted.

    Raises:
        ValueError: not two classes.
    """
    if len(counts) != 2 or len(names) != 2:
        raise ValueError(f"{len(counts)} counts and {len(names)} names, and one of two classes is looked for")
    return names[0] if counts[0] < counts[1] else names[1]


@dataclass(frozen=True)
class Found:
    """How many of the positive examples are found from a probability on, and how many of what is found are positive."""

    threshold: float
    recall: float
    interval: Interval  # 95 %, of the recall
    precision: float | None  # None: nothing is found


def threshold_of_recall(probabilities: np.ndarray, there: np.ndarray, recall: float) -> float:
    """The highest threshold from which a new positive example is found with a probability of `recall` at least.

    It is the floor((n + 1) * (1 - recall))-th smallest probability of the n positive examples (split conformal, of one
    class). Fewer than recall / (1 - recall) of them cannot promise that much: then it is the smallest, see `promised`.

    Args:
        probabilities: (n,) of the positive class, of examples that the model had not learned from. there: (n,) bool.

    Raises:
        ValueError: no positive example.

    Source: Vovk, Conditional Validity of Inductive Conformal Predictors, ACML 2012.
    """
    ranked = np.sort(np.asarray(probabilities)[there])[::-1]
    if not len(ranked):
        raise ValueError("a recall needs a positive example")
    return float(ranked[rank_of(len(ranked), recall) - 1])


def found_from(
    probabilities: np.ndarray, there: np.ndarray, threshold: float, groups: np.ndarray | None = None
) -> Found:
    """What is found of held-out examples from a threshold on. Arguments as of `threshold_of_recall`; groups: as of
    `intervals.share_interval`."""
    hits = np.asarray(probabilities) >= threshold
    positive = None if groups is None else groups[there]
    precision = float(there[hits].mean()) if hits.any() else None
    recall = float(hits[there].mean()) if there.any() else 0.0
    return Found(threshold, recall, share_interval(hits[there], positive), precision)


def decided(probabilities: np.ndarray, *, positive: int, threshold: float) -> np.ndarray:
    """(n,) int64 of (n, 2) probabilities: the positive class from its threshold on, else the other one."""
    return np.where(np.asarray(probabilities)[:, positive] >= threshold, positive, 1 - positive).astype(np.int64)
