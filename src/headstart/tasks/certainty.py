"""How each kind of target says how sure a prediction is: by classes that were right, or by the errors of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from headstart.backbone import Head
from headstart.confidence.confidence import OPTIONS
from headstart.errors import UserError
from headstart.evaluate.abstain import most_accurate, promised_part
from headstart.evaluate.conformal import at_most, half_width, promised
from headstart.evaluate.metrics import softmax
from headstart.evaluate.prediction_sets import FEWEST, Bar, bar, bars, chances, nonconformity, sets
from headstart.task import Certainty, Column, Rule, Sureness
from headstart.tasks.decision import answered_classes
from headstart.values import Wanted

Held = Mapping[str, np.ndarray]
_ASKED = (0.9, 0.95, 0.99)  # accuracies of which a fit says what share is answered
_COVERAGE = 0.9  # of which it says how large sets are
_ROWS = 4096  # at once


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + _ROWS) for start in range(0, n, _ROWS))


def _held_classes(
    head: Head,
    outputs: np.ndarray,
    y: np.ndarray,
    digests: np.ndarray,
    groups: np.ndarray | None,
    weights: np.ndarray | None,
) -> dict[str, np.ndarray]:
    chance, score, confidence = (np.empty(len(y), dtype=np.float32) for _ in range(3))
    right, size = np.empty(len(y), dtype=np.uint8), np.arange(len(y))
    chance[:] = chances(digests)
    for rows in _blocks(len(y)):
        p, true = softmax(outputs[rows]), y[rows]
        at = np.arange(len(true))
        given = answered_classes(head, p)
        score[rows], confidence[rows] = nonconformity(p, chance[rows])[at, true], p[at, given]
        right[rows] = given == true
    named = size if groups is None else np.unique(groups, return_inverse=True)[1]
    numbers: dict[str, np.ndarray] = {"class": y.astype(np.int32), "group": named.astype(np.int32), "right": right}
    return {**numbers, "score": score, "chance": chance, "confidence": confidence}


def _summary_of_classes(head: Head, held: Held, outputs: np.ndarray) -> dict[str, Any]:
    parts = {f"{asked:g}": promised_part(*_judged(held), asked, groups=held["group"]) for asked in _ASKED}
    limit, n = [bar(held["score"], held["chance"], _COVERAGE)], len(outputs)
    size = sum(int(sets(softmax(outputs[rows]), held["chance"][rows], limit).sum()) for rows in _blocks(n)) / n
    shares = {asked: None if part is None else round(part.share, 6) for asked, part in parts.items()}
    return {"answered": shares, "set_size": round(size, 6)}


def _judged(held: Held) -> tuple[np.ndarray, np.ndarray]:
    return held["confidence"], held["right"].astype(bool)


def _rule_of_classes(head: Head, held: Held, wanted: Wanted) -> Rule:
    """Raises UserError where held-out examples promise no such accuracy, or coverage."""
    least, notes = None, list[str]()
    if wanted.accuracy is not None:
        part = promised_part(*_judged(held), wanted.accuracy, groups=held["group"])
        if part is None:
            raise UserError(
                f"no part can be answered with an accuracy of {wanted.accuracy:g}: {_reach(held)}",
                where="--abstain",
                fix="ask for less, or fit with more examples",
            )
        least = part.threshold
        notes.append(
            f"for an accuracy of {wanted.accuracy:g} it is unsure below a probability of {least:.3f}: "
            f"{part.share:.0%} of {len(held['right']):,} held-out training examples were answered, "
            f"{part.accuracy:.1%} of these rightly"
        )
    limits = None
    if wanted.coverage is not None:
        limits, said = _limits(head, held, wanted.coverage, wanted.per_class)
        notes += said

    def judge(outputs: np.ndarray, digests: np.ndarray) -> list[Sureness]:
        found = list[Sureness]()
        for rows in _blocks(len(outputs)):
            p = softmax(outputs[rows])
            at, given = np.arange(len(p)), answered_classes(head, p)
            sure = p[at, given].astype(np.float32)
            inside = None if limits is None else sets(p, chances(digests[rows]), limits)
            if inside is not None:
                inside[at, given] = True  # by a threshold it may be the less likely one
            for i, row in enumerate(p):
                names = None
                if inside is not None:
                    likely = np.argsort(-row, kind="stable")
                    names = tuple(head.classes[c] for c in likely[inside[i][likely]])
                found.append(Sureness(None if least is None else bool(sure[i] < least), names, wanted.coverage))
        return found

    return Rule(judge, tuple(notes))


def _reach(held: Held) -> str:
    most, n = most_accurate(*_judged(held), groups=held["group"]), len(held["right"])
    if most is None:
        return f"{n:,} held-out examples promise none at all"
    return f"with {n:,} held-out examples {most:g} can be promised"


def _limits(head: Head, held: Held, level: float, per_class: bool) -> tuple[list[Bar], list[str]]:
    """The bars of sets, and what holds of some classes only."""
    score, chance, y = held["score"], held["chance"], held["class"]
    if not per_class:
        _refuse_few(len(score), level, "held-out examples")
        return [bar(score, chance, level)], []
    limits, own = bars(score, chance, y, n_classes=len(head.classes), level=level)
    least = int(np.bincount(y, minlength=len(head.classes))[own].min(initial=len(y)))
    _refuse_few(least, level, "held-out examples of a class")
    if own.all():
        return limits, []
    what = f"{int((~own).sum()):,} of {len(own):,} classes have under {FEWEST} held-out examples"
    return limits, [f"{what}: their sets reach {level:g} taken together, not each by itself"]


def _refuse_few(n: int, level: float, what: str) -> None:
    """Raises UserError where so many cannot promise a coverage: only a set of everything would."""
    can = promised(n, level=level)
    if can < level:
        said = f"{n:,} {what} can promise {at_most(can)}, and {level:g} was asked for"
        raise UserError(said, where="--coverage", fix="ask for less, or fit with more examples")


def _held_numbers(
    head: Head,
    outputs: np.ndarray,
    y: np.ndarray,
    digests: np.ndarray,
    groups: np.ndarray | None,
    weights: np.ndarray | None,
) -> dict[str, np.ndarray]:
    errors = {"error": np.abs(outputs[:, 0].astype(np.float64) - y).astype(np.float32)}
    return errors if weights is None else {**errors, "weight": weights.astype(np.float32)}


def _rule_of_numbers(head: Head, held: Held, wanted: Wanted) -> Rule:
    level, errors = wanted.coverage, held["error"]
    if level is None:
        return Rule(lambda outputs, digests: [Sureness()] * len(outputs))
    weights = held["weight"].astype(np.float64) if "weight" in held else None
    width = half_width(errors, level=level, weights=weights)
    counted = len(errors) if weights is None else int(weights.sum())

    _refuse_few(counted, level, "held-out examples")

    def judge(outputs: np.ndarray, digests: np.ndarray) -> list[Sureness]:
        return [Sureness(set=(value - width, value + width), coverage=level) for value in outputs[:, 0].tolist()]

    return Rule(judge)


def _one(head: Head) -> float:
    return 1.0


OF_CLASSES = Certainty(
    one_class=True,
    columns={
        "class": Column("I32", lambda head: len(head.classes) - 1),
        "group": Column("I32"),
        "right": Column("U8", _one),
        "score": Column("F32"),
        "chance": Column("F32", _one),
        "confidence": Column("F32", _one),
    },
    held=_held_classes,
    summary=_summary_of_classes,
    rule=_rule_of_classes,
)
OF_NUMBERS = Certainty(
    columns={"error": Column("F32"), "weight": Column("F32", always=False)},  # none: all count alike
    held=_held_numbers,
    rule=_rule_of_numbers,
    without={
        "abstain": ("a number is not right or wrong", "--coverage 0.9 gives an interval that holds it"),
        "per-class": ("numbers are of no class", "leave it out"),
    },
)
OF_LABELS = Certainty(
    without=dict.fromkeys(
        OPTIONS, ("an example has any number of labels, some of them right", "read the probability of each label")
    )
)
OF_ANSWERS = Certainty(
    without=dict.fromkeys(OPTIONS, ("an answer is a piece of a text, not one of some classes", "read its confidence"))
)
