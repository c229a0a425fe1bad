"""Shortcuts: facts that tell the class and have nothing to do with it, so that a model may learn them instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.data.split import folds
from headstart.evaluate.shortcuts import Telling, cells_of, telling
from headstart.inputs.modality import Fact
from headstart.task import rounded
from headstart.values import Dataset, Interval

_FOLDS = 5


@dataclass(frozen=True)
class Shortcut:
    """A fact that tells the class of examples, alone and held out, far better than the commonest class does."""

    kind: str  # "file-size", "camera", ...
    accuracy: float
    majority: float
    interval: Interval  # 95 %, of the accuracy
    reason: str  # a sentence, with a value of the fact and the class that it tells
    example: str  # where one of that value is

    def to_json(self) -> dict[str, Any]:
        """As `shortcuts` of `check --json`."""
        figures = {"accuracy": rounded(self.accuracy), "majority": rounded(self.majority)}
        interval = [rounded(self.interval.low), rounded(self.interval.high)]
        return {"kind": self.kind, **figures, "interval": interval, "reason": self.reason, "example": self.example}


def shortcuts(dataset: Dataset, facts: Sequence[Fact]) -> list[Shortcut]:
    """Of checked examples with one class each, those that tell most first."""
    groups = dataset.checked_groups
    fold = folds(dataset.strata, groups, dataset.checked_digests, k=_FOLDS)
    found = []
    for fact in facts:
        tells = telling(cells_of(fact.values), dataset.y, fold, groups)
        if tells.clearly:
            found.append(_shortcut(dataset, fact, tells))
    return sorted(found, key=lambda one: -one.accuracy)


def _shortcut(dataset: Dataset, fact: Fact, tells: Telling) -> Shortcut:
    known = fact.values != "" if fact.values.dtype == object else ~np.isnan(fact.values)
    gained = np.bincount(tells.cells, weights=known * (tells.hits - tells.majority))
    here = np.flatnonzero(tells.cells == gained.argmax())  # the value that tells most, where one is known
    label = int(np.bincount(dataset.y[here]).argmax())
    hits = here[dataset.y[here] == label]
    reason = (
        f"{fact.name} alone tells {tells.accuracy:.0%} of the classes of examples held out, "
        f"always saying the commonest {tells.majority:.0%}: "
        f"of {len(here):,} with {_said(fact, here)}, {len(hits):,} are {dataset.classes[label]!r}"
    )
    return Shortcut(fact.name, tells.accuracy, tells.majority, tells.interval, reason, dataset.where[hits[0]])


def _said(fact: Fact, rows: np.ndarray) -> str:
    """The value that these rows have, or from where to where it goes, in words."""
    if fact.values.dtype == object:
        return repr(fact.values[rows[0]]) if fact.values[rows[0]] else f"no {fact.name}"
    if np.isnan(fact.values[rows]).any():
        return f"no {fact.name}"
    low, high = (fact.says(float(end)) for end in (fact.values[rows].min(), fact.values[rows].max()))
    return low if low == high else f"{low} to {high}"
