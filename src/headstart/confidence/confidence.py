"""What a model keeps to say how sure it is, and what it says of new inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from headstart.backbone import Features, Matrix
from headstart.encode.machine import algebra_of
from headstart.errors import UserError
from headstart.evaluate.out_of_scope import WAYS, Known, Scope, normalised
from headstart.storage.matrix import blocks
from headstart.task import Certainty, Head, Rule, Sureness
from headstart.values import Wanted

OPTIONS = ("abstain", "coverage", "per-class")


@dataclass(frozen=True)
class Reference:
    """Training examples that others are held beside."""

    features: np.ndarray  # (m, d) float16, of length 1
    rows: np.ndarray  # (m,) int64, ascending: which row of the folder's split.csv each one is
    classes: np.ndarray  # (m,) int32; of targets without classes, the part of them that each is in

    @cached_property
    def known(self) -> Known:
        """Them, to compute with."""
        return Known(self.features.astype(np.float32), self.classes)


@dataclass(frozen=True)
class Confidence:
    """How sure a model can say that it is: by held-out examples, and by what it learned from."""

    held: Mapping[str, np.ndarray] = field(default_factory=dict)  # columns as the task's Certainty has them
    scope: Scope | None = None  # None: strangers are not told; else there is a reference
    reference: Reference | None = None  # None: nothing was encoded
    summary: Mapping[str, Any] = field(default_factory=dict)  # what JSON says of it

    def __eq__(self, other: object) -> bool:
        """Whether another one keeps the same arrays to the byte, and tells strangers alike."""
        if not isinstance(other, Confidence) or self.scope != other.scope or self.held.keys() != other.held.keys():
            return False
        mine, theirs = self.arrays, other.arrays
        return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All of them by their names in a file: `features`, `rows` and `classes` of the reference, then `held.*`."""
        r = self.reference
        named = {} if r is None else {"features": r.features, "rows": r.rows, "classes": r.classes}
        return named | {f"held.{name}": column for name, column in self.held.items()}

    def strangeness(self, features: Matrix, unsure: np.ndarray) -> np.ndarray:
        """(n,) float32, the larger the stranger.

        Args:
            features: (n, d) of the model's own backbone. unsure: (n,) 1 - the probability of the likeliest class.

        Raises:
            ValueError: there is nothing to hold them beside.
        """
        if self.scope is None or self.reference is None:
            raise ValueError("nothing is known of what it learned from")
        out, way = np.empty(len(features), dtype=np.float32), WAYS[self.scope.method]
        for rows, block in blocks(features):
            distance = way.distance(self.reference.known, normalised(block))
            out[rows] = self.scope.scores(distance, unsure[rows])
        return out


def with_scope(
    found: Sequence[Sureness],
    confidence: Confidence | None,
    features: Features | None,
    probabilities: np.ndarray | None,
) -> list[Sureness]:
    """With whether each input is like what was learned from, where that is known.

    Args:
        features: of the inputs; None: there are none. probabilities: (n, c) of classes; None: there are none.
    """
    if confidence is None or confidence.scope is None or features is None:
        return list(found)
    unsure = np.zeros(len(found)) if probabilities is None else 1 - probabilities.max(axis=1)
    limit = confidence.scope.threshold
    with algebra_of(len(found)):
        scores = confidence.strangeness(features.matrix, unsure)
    return [
        replace(sureness, out_of_scope=bool(score > limit), scope_score=round(float(score), 6))
        for sureness, score in zip(found, scores, strict=True)
    ]


def wanted_of(abstain: Any, coverage: Any, per_class: bool, certainty: Certainty) -> Wanted:
    """What `predict` was asked for.

    Raises:
        UserError: no shares, or what the task has no meaning for.
    """
    asked = dict(zip(OPTIONS, (abstain is not None, coverage is not None, per_class), strict=True))
    for option in OPTIONS:
        if asked[option] and option in certainty.without:
            what, fix = certainty.without[option]
            raise UserError(what, where=f"--{option}", fix=fix)
    if per_class and coverage is None:
        raise UserError(
            "it says how sets reach a coverage, and none is asked for",
            where="--per-class",
            fix=("--coverage 0.9 --per-class"),
        )
    return Wanted(share_of(abstain, "--abstain", "0.95"), share_of(coverage, "--coverage", "0.9"), per_class)


def share_of(value: Any, option: str, say: str) -> float | None:
    """A share between 0 and 1, without the ends; raises UserError where the value is none. say: one that would do."""
    if value is None:
        return None
    try:
        share = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        share = math.nan
    if not 0 < share < 1:
        raise UserError(f"{str(value)[:60]!r} is no share between 0 and 1", where=option, fix=f"{option} {say}, say")
    return share


def rule_of(
    confidence: Confidence | None, wanted: Wanted, head: Head, certainty: Certainty, *, method: str | None
) -> Rule:
    """How predictions are judged.

    Args:
        method: of the fit; None: nobody has fitted the model.

    Raises:
        UserError: what was asked for cannot be promised, or the model keeps no held-out examples.
    """
    nothing = Rule(lambda outputs, digests: [Sureness()] * len(digests))
    if wanted == Wanted():
        return nothing
    if confidence is None or not confidence.held or certainty.rule is None:
        what = "nobody has fitted this model, so no examples were held out to go by"
        if method is not None:
            what = "the model has none of the held-out examples: it was saved before headstart kept them"
        if confidence is not None and confidence.summary.get("held_out") == 0:
            what = "no example was held out when it was fitted, so there is nothing to go by"
        where = "--abstain" if wanted.accuracy is not None else "--coverage"
        raise UserError(what, where=where, fix="fit it again with labelled examples: a new fit keeps what it takes")
    rule = certainty.rule(head, confidence.held, wanted)
    if method == "probe":
        return rule
    n = len(next(iter(confidence.held.values())))
    what = (
        f"the {n:,} held-out examples that this goes by also chose how it was tuned: new ones may reach a little less"
    )
    return replace(rule, notes=(*rule.notes, what))
