"""What fine-tuning is given, and what comes of it. Nothing here loads torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from headstart.adapt.basis import Basis
from headstart.adapt.checkpoint import Journal
from headstart.evaluate.paired_test import FEWEST
from headstart.values import Backbone, Dataset, Features, Head, Way


@dataclass(frozen=True)
class Outcome:
    """A tuned model or, where `backbone` is None, why the probe is kept."""

    why: str
    how: Way  # "tune", "full", "lora", or "probe"
    backbone: Backbone | None = None
    head: Head | None = None  # its features_key is still the probe's
    told: dict[str, Any] = field(default_factory=dict)  # for the report and --json
    journal: Journal | None = None  # to be removed once the model is saved
    beyond: bool = False  # examples that were not encoded were learned from too


@dataclass(frozen=True)
class TrainingPart:
    """What `fit` knows when the probe is done."""

    dataset: Dataset  # the training rows, those first that were encoded: of texts there may be more
    features: Features  # of those
    basis: Basis
    head: Head
    backbone: Backbone
    seed: int

    @property
    def encoded(self) -> int:
        """How many rows have features."""
        return len(self.features.matrix)


def declined(how: Way, n: int, left: float, *, frozen_only: bool = False) -> Outcome | None:
    """Why nothing is tuned, where that is known beforehand; None: it is tried.

    Args:
        n: training examples. left: seconds of the budget. frozen_only: the model cannot be trained.
    """
    if how == "probe":
        return Outcome("asked for", "probe")
    if how == "auto" and frozen_only:
        return Outcome("an ONNX model can be used frozen only: the probe is kept", "probe")
    if how == "auto" and n < FEWEST:
        return Outcome(f"{n} training examples: too few to prove that tuning is better ({FEWEST})", "probe")
    if how == "auto" and left <= 0:
        return Outcome("no time was left to tune: give it more with --budget", "probe")
    return None
