"""Whether a model is so far behind the best one on a part of the sample that the rest of it would change nothing.

Source: Maron and Moore, Hoeffding Races, NIPS 1993 (what is clearly worse is dropped before all was seen); the test
here is a paired one.
"""

from __future__ import annotations

import numpy as np

from headstart.backbone import Features
from headstart.data.sampling import drawn
from headstart.evaluate.paired_test import error_of_mean
from headstart.values import Dataset

_PART = 150  # examples
_ERRORS = 2.5  # standard errors that the difference must have: six in a thousand models as good as the best are dropped


def part_of(sample: Dataset) -> np.ndarray | None:
    """(n,) rows to race on, some of each class; None where they would be half of the sample or more."""
    n = max(_PART, 5 * len(sample.classes))
    return np.sort(drawn(sample, np.arange(len(sample)))[:n]) if 2 * n < len(sample) else None


def clearly_behind(part: Dataset, best: Features, other: Features) -> str:
    """Why the other model need not be tried on all of the sample; empty: it must be.

    Args:
        part: of the sample. best, other: (n, width) features of it by the best model so far, and by the other one.
    """
    judge = part.task.learner.judge
    if judge is None:
        raise TypeError(f"models are not ranked for {part.task.name}")
    leading, found = (judge(part, features) for features in (best, other))
    behind = found.costs.astype(np.float64) - leading.costs
    if behind.mean() <= _ERRORS * error_of_mean(behind, found.groups):
        return ""
    by = part.task.chosen_by
    what = part.task.words.loss if by is None else by.in_words
    said = [f"{one.cost if by is None else by.figure(one.cost):.3f}" for one in (found, leading)]
    return f"clearly behind on the first {len(part)} examples: {what} {said[0]} against {said[1]}"
