"""The plan of a fit: which pre-trained model is adapted, how, and from which rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headstart.adapt.checkpoint import Checkpoint
from headstart.backbone import Backbone
from headstart.values import Method, Split


@dataclass(frozen=True)
class Plan:
    """The pre-trained model, the method, and the rows of the training part that there is time to encode."""

    backbone: Backbone
    method: Method
    why: str  # this model
    train: np.ndarray  # (n,) int64, ascending
    encodes: bool = True  # whether anything is learned from frozen features
    ranking: Mapping[str, Any] | None = None  # as JSON has it; None: there was nothing to choose from
    cached: int = 0  # how many of the rows that are encoded this fit has stored by now: it must not count them as known
    notes: tuple[str, ...] = ()  # what was found on the way
    checkpoint: Checkpoint | None = field(default=None, repr=False)  # where the rows are written down

    def to_encode(self, parts: Split) -> np.ndarray:
        """The rows whose features are needed."""
        if not self.encodes:
            return self.train[:0]
        return self.train if parts.out_of_fold else np.union1d(self.train, parts.test)
