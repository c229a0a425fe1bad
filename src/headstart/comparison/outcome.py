"""What a way of learning comes to: a head, what it says of the test part, and what that took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.backbone import Head


@dataclass(frozen=True)
class Outcome:
    """A model that was made from some labels, before it is judged."""

    head: Head
    outputs: np.ndarray  # (m, c) of the test part
    seconds: float  # from labelled examples to the model
    epochs: float | None = None  # None: it is solved, not trained
    loss: float | None = None  # of the training examples, as last followed
    levelled_off: bool | None = None  # None: nobody followed it
