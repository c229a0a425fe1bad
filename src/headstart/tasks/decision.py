"""From which probability on one of two classes is answered, as the user asked: chosen, kept in the head, and told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.adapt.lesson import Adapted
from headstart.backbone import Head
from headstart.errors import DataError, ModelError, UserError, some_of
from headstart.evaluate.conformal import at_most, promised
from headstart.evaluate.metrics import softmax
from headstart.evaluate.two_classes import Found, decided, found_from, positive_class, threshold_of_recall
from headstart.pretrained.description import FILE
from headstart.pretrained.schema import NAME, listing, maybe, number, record
from headstart.values import Dataset

_SHARE = number(0, 1)
_MEASURED = ("recall_held_out", "recall_low", "recall_high", "precision_held_out")
FACT = record(
    {"class": NAME, "value": _SHARE, "recall": maybe(_SHARE), "recall_held_out": maybe(_SHARE)},
    {"recall_interval": listing(_SHARE, least=2, most=2), "precision_held_out": maybe(_SHARE)},
)


def refuse(dataset: Dataset) -> None:
    """Raises UserError where a threshold was asked for and there are not two classes, or the one looked for is none."""
    decision, names = dataset.task.decision, dataset.classes
    if decision is None:
        return
    if len(names) != 2:
        fix = "leave it out: of several classes the likeliest is answered; predict --abstain says when it is unsure"
        raise UserError(f"it tells two classes apart, and there are {len(names):,}", where=decision.option, fix=fix)
    if decision.positive is not None and decision.positive not in names:
        raise DataError(f"no class {decision.positive!r}", where="--positive", fix=f"one of: {some_of(names)}")


def with_threshold(dataset: Dataset, adapted: Adapted) -> Adapted:
    """What was adapted, its head with the threshold that was asked for, and what it came to on held-out examples.

    Raises:
        UserError: a recall was asked for, and no example of the class was held out.
    """
    decision, held, names = dataset.task.decision, adapted.calibration, dataset.classes
    if decision is None or held is None:
        return adapted
    name = decision.positive or positive_class(dataset.counts(adapted.rows), names)
    which, rows = names.index(name), held.rows
    p, there = softmax(held.outputs)[:, which], dataset.y[rows] == which
    notes = () if decision.positive else (f"the threshold is of class {name!r}; --positive names the other one",)
    threshold = decision.threshold
    if threshold is None:
        wanted = float(decision.recall or 0)
        if not there.any():
            what = f"no example of {name!r} was held out, to choose a threshold by"
            raise UserError(what, where="--recall", fix="give more of them, or --threshold")
        threshold, can = threshold_of_recall(p, there, wanted), promised(int(there.sum()), level=wanted)
        if can < wanted:
            few = f"{int(there.sum()):,} held-out examples of {name!r}"
            notes = (*notes, f"{few} can promise a recall of {at_most(can)}, and {wanted:g} was asked for")
    found = found_from(p, there, threshold, None if dataset.clusters is None else dataset.clusters[rows])
    more = {**adapted.head.more, **_numbers(found, which, decision.recall)}
    return replace(adapted, head=replace(adapted.head, more=more), notes=(*adapted.notes, *notes))


def _numbers(found: Found, which: int, recall: float | None) -> dict[str, float]:
    """As a head keeps them."""
    summary = {"threshold": found.threshold, "positive": which, "recall": recall, "precision_held_out": found.precision}
    ends = {"recall_low": found.interval.low, "recall_high": found.interval.high, "recall_held_out": found.recall}
    return {name: float(value) for name, value in (summary | ends).items() if value is not None}


def answered_classes(head: Head, probabilities: np.ndarray) -> np.ndarray:
    """(n,) int64: the class that each row of (n, c) probabilities is answered with."""
    if "threshold" not in head.more:
        return np.asarray(probabilities.argmax(axis=1))
    return decided(probabilities, positive=int(head.more["positive"]), threshold=head.more["threshold"])


def positive(head: Head) -> str | None:
    """The class that the threshold is of; None: there is no threshold."""
    return head.classes[int(head.more["positive"])] if "threshold" in head.more else None


def fact(head: Head) -> dict[str, Any]:
    """What JSON says of the threshold; nothing where there is none."""
    more = head.more
    if "threshold" not in more:
        return {}
    measured = {name: None if name not in more else round(more[name], 6) for name in _MEASURED}
    ends = [measured.pop("recall_low"), measured.pop("recall_high")]
    summary = {"class": head.classes[int(more["positive"])], "value": round(more["threshold"], 6)}
    return {"threshold": {**summary, "recall": more.get("recall"), **measured, "recall_interval": ends}}


def refuse_damaged(head: Head, folder: Path) -> None:
    """Raises ModelError where a head that was opened has a threshold of another form."""
    if "threshold" not in head.more:
        return
    shares = [head.more.get(name, 0.0) for name in ("threshold", "recall", *_MEASURED)]
    wrong = len(head.classes) != 2 or head.more.get("positive") not in (0, 1)
    if wrong or not all(isinstance(value, float | int) and 0 <= value <= 1 for value in shares):
        what = "damaged: head.more has a threshold that is none of two classes"
        raise ModelError(what, where=str(folder / FILE), fix="save or copy it again")
