"""What somebody else's model is opened as, besides a Backbone: to be trained further, or with its own classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


@dataclass(frozen=True)
class Trainable:
    """A backbone's module, opened to be trained further."""

    module: nn.Module  # as Backbone.module builds it, in eval mode
    groups: tuple[tuple[str, ...], ...]  # names of its parameters, from the input up: stem, stages; embeddings, layers
    head: tuple[str, ...] = ()  # names of the parameters of a head that is part of the module: a reader's


@dataclass(frozen=True)
class Classifier:
    """The linear layer that weights came with: what the model answered before anybody adapted it."""

    classes: tuple[str, ...]
    weight: np.ndarray  # (n_classes, width) float32
    bias: np.ndarray  # (n_classes,) float32
