"""The training examples that are most like an input: by the cosine of their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headstart.backbone import Matrix
from headstart.evaluate.neighbours import nearest, of_length_one


@dataclass(frozen=True)
class Neighbour:
    """A training example, and how much it is like the input."""

    where: str  # file path, or "table.csv row 12"
    label: Any  # as its task has targets
    similarity: float  # cosine of the features, at most 1
    place: int = field(default=0, compare=False)  # among those that are known
    shown: str | bytes = field(default="", compare=False)  # its text, or a small picture; empty: it is not at hand

    @property
    def named(self) -> str:
        """The label in words."""
        if isinstance(self.label, tuple):
            return ", ".join(self.label) or "no label"
        return f"{self.label:g}" if isinstance(self.label, float) else str(self.label)

    def to_json(self) -> dict[str, Any]:
        """As `neighbours` of `explain --json`."""
        label = list(self.label) if isinstance(self.label, tuple) else self.label
        return {"where": self.where, "label": label, "similarity": round(self.similarity, 6)}


@dataclass(frozen=True, eq=False)
class Reference:
    """Training examples whose features are known."""

    features: Matrix  # (m, width)
    where: Sequence[str]  # of each
    labels: Sequence[Any]


def neighbours(features: np.ndarray, reference: Reference, k: int) -> tuple[Neighbour, ...]:
    """The k training examples that are most like an input, the nearest first.

    Args:
        features: (width,) of the input.
    """
    asked, known = of_length_one(features[None]), of_length_one(reference.features[:])
    near = nearest(asked, known, k)
    places = zip(near.rows[0].tolist(), near.cosines[0].tolist(), strict=True)
    return tuple(
        Neighbour(reference.where[row], reference.labels[row], min(1.0, cosine), row) for row, cosine in places
    )
