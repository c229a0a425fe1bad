"""Which of the training examples are held out to judge by, and which are learned from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from headstart.adapt.objective import Objective
from headstart.adapt.policy import TUNING


def validation_folds(fold_of: Callable[[int], np.ndarray], n: int) -> np.ndarray:
    """Folds of which one is the validation part.

    Args:
        fold_of: k to (n,) fold numbers below k.
    """
    fewest, most = TUNING.validation
    return fold_of(max(TUNING.folds, round(n / min(most, max(fewest, n / 10)))))


def worth_most(task: Objective, start: Any, learn: np.ndarray, examples: int, *, seed: int) -> np.ndarray:
    """Where there is no time to see each example once: of twice as many as there is time for, drawn, those that the
    start is least sure of. Of more than that they would be too hard to begin with (docs/tuning.md).

    Sources: Coleman et al., Selection via Proxy, ICLR 2020 (least confidence of a cheaper model, which is the probe);
    Sorscher et al., Beyond Neural Scaling Laws, NeurIPS 2022 (the fewer examples are kept, the easier they should be).
    """
    if examples >= len(learn):
        return learn
    some = np.sort(np.random.default_rng(seed).permutation(learn)[: TUNING.drawn * examples])
    doubt = task.doubt(start, some)
    return learn if doubt is None else np.sort(some[np.argsort(-doubt, kind="stable")[:examples]])
