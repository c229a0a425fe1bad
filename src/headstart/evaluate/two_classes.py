"""Tasks of two classes, of which one is looked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


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
