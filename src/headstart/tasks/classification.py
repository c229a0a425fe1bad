"""Classification: each example is of one class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.adapt.from_names import names_lesson
from headstart.adapt.softmax import SOFTMAX
from headstart.backbone import Head
from headstart.data.labels.targets import as_class
from headstart.errors import DataError, some_of
from headstart.evaluate.classification import METRICS, evaluate
from headstart.evaluate.metrics import softmax
from headstart.evaluate.two_classes import positive_class
from headstart.inputs.text import whole_characters
from headstart.pretrained.schema import COUNT, NAME, Wrong, listing, mapping, maybe, number, record
from headstart.report import terminal
from headstart.report.card_classification import classification_card
from headstart.report.classification import MATRIX_CLASSES, advice, cautions_of, sections
from headstart.storage.columns import Coded, coded
from headstart.task import Scorer, Scores, Space, Task, Words
from headstart.tasks import curves, decision, linear
from headstart.tasks.certainty import OF_CLASSES
from headstart.tasks.directions import of_class
from headstart.tasks.doubts import doubtful_classes
from headstart.tasks.modalities import IMAGE, PAIR, TEXT
from headstart.values import Dataset, Finding

_TITLES = {
    "image": "image-classification",
    "text": "text-classification",
    "pair": "text-pair-classification",
}
_MOST = 1_000_000  # classes
_TOLD = record(
    {
        "majority_class": NAME,
        "majority_accuracy": number(),
        "per_class": listing(record(linear.FIGURES), most=_MOST),
        "confusion": record(
            {"classes": listing(NAME, most=_MOST)},
            {
                "rows": listing(listing(COUNT, most=_MOST), most=_MOST),
                "cells": listing(listing(COUNT, least=3, most=3), most=100_000_000),
            },
        ),
    },
    {**curves.OF_CLASSES, "accuracy_of_the_likeliest": number(0, 1)},  # which folders from before have not
)


def _details(value: Any, name: str) -> dict[str, Any]:
    """What of a saved summary is `Scores.details`: its tables are of the same classes.

    Raises:
        Wrong: a field is missing, of another type, or does not fit the others.
    """
    result: dict[str, Any] = _TOLD(value, name)
    confusion, n = result["confusion"], len(result["confusion"]["classes"])
    if len(result["per_class"]) != n:
        raise Wrong(f"{name}.per_class has {len(result['per_class']):,} entries, and there are {n:,} classes")
    if "cells" not in confusion or n <= MATRIX_CLASSES:
        listing(listing(COUNT, least=n, most=n), least=n, most=n)(confusion.get("rows"), f"{name}.confusion.rows")
    for true, other, _ in confusion.get("cells", ()):
        if max(true, other) >= n:
            raise Wrong(f"{name}.confusion.cells names a class {max(true, other):,}, and there are {n:,}")
    return result


_FACTS = record(
    linear.NAMED_FACTS,
    {"class_weights": maybe(mapping(number(), most=_MOST)), "threshold": decision.FACT, **linear.TRAIN_COUNTS},
)
_MISTAKE = record({"where": NAME, "true": NAME, "predicted": NAME, "probability": number()})


@dataclass(frozen=True)
class Prediction:
    """One input's most probable class, and the next ones.

    Example:
        >>> found = hs.load("questions.headstart").predict("What is the exchange rate?", top=2)[0]
        >>> found.label, found.probability > 0.5, len(found.top)
        ('exchange rate', True, 2)
    """

    label: str
    probability: float
    input: str = ""
    top: tuple[tuple[str, float], ...] = ()
    error: str = ""  # why this input has no prediction; label is then ""
    unsure: bool | None = None  # whether it should not be relied on; None: nobody asked (`abstain=`)
    set: tuple[str, ...] | None = None  # classes, the likeliest first; None: nobody asked (`coverage=`)
    out_of_scope: bool | None = None  # whether it is like nothing that was learned from; None: not known
    scope_score: float | None = None  # how unlike; the larger, the stranger


def _complaint(label: str | None) -> tuple[str, str] | None:
    if label is None or not label.strip():
        return "missing-label", "no label"
    if label != whole_characters(label):  # it could not be written down
        return "damaged-label", f"half a character in its label {label!a}"
    return None


def _lone(labels: Sequence[str]) -> dict[int, tuple[str, str]]:
    """Classes with one example: it cannot be both learned from and tested on."""
    known = coded(labels)
    return {
        row: ("tiny-class", f"the only usable example of class {labels[row]!r}; a class needs at least two")
        for row in np.flatnonzero(known.counts[known.codes] < 2).tolist()
    }


def _refuse(dataset: Dataset, seen: str) -> None:
    if len(dataset.classes) < 2:
        raise DataError(
            f"one class {dataset.classes[0]!r}, and a classifier needs at least two.{seen}",
            where=dataset.name,
            fix="add examples of another class (a folder or a label of its own)",
        )
    decision.refuse(dataset)


def _refuse_parts(dataset: Dataset, train: np.ndarray, test: np.ndarray) -> None:
    learned, tested = dataset.counts(np.flatnonzero(train)), dataset.counts(np.flatnonzero(test))
    missing = [name for name, n in zip(dataset.classes, learned.tolist(), strict=True) if not n]
    if missing:
        asked = {name for name, n in zip(dataset.classes, tested.tolist(), strict=True) if n}
        fix = "add it to train; or leave its cells empty, if it says that the label is not known"
        if asked <= set(missing):
            fix = "give a test with the classes of train; or train alone, if its labels are not known: some is held out"
        raise DataError(f"class {missing[0]!r} is in the test part only", where=dataset.name, fix=fix)


def _space(labels: Sequence[str | None]) -> Space:
    there = labels.present if isinstance(labels, Coded) else set(labels)
    return Space(tuple(sorted(label for label in there if label is not None)))


def _encode(labels: Sequence[str | None], space: Space) -> np.ndarray:
    """(n,) int64 index of each label among the names; -1 where it is none of them."""
    index: dict[str | None, int] = {name: i for i, name in enumerate(space.names)}
    known = coded(labels)
    return np.array([index.get(label, -1) for label in known.values], dtype=np.int64)[known.codes]


def _reference(labels: Sequence[str]) -> dict[str, Any]:
    counts = Counter(labels)
    names = sorted(counts)
    if not names:
        return {}
    result = {"majority_class": str(min(names, key=lambda name: -counts[name]))}
    if len(names) == 2:
        result["positive"] = positive_class([counts[name] for name in names], names)
    return result


def _score(
    head: Head, logits: np.ndarray, dataset: Dataset, rows: np.ndarray, reference: Mapping[str, Any] | None
) -> Scores:
    y = _encode([dataset.targets[row] for row in rows.tolist()], Space(head.classes))
    majority = head.classes[int(np.bincount(np.maximum(y, 0)).argmax())] if len(y) else head.classes[0]
    result = reference or {}  # of a training part, or the details of the score that a model was saved with
    if result.get("majority_class") in head.classes:
        majority = result["majority_class"]
    return evaluate(
        logits,
        y,
        classes=head.classes,
        majority_class=majority,
        answered=None if "threshold" not in head.more else decision.answered_classes(head, softmax(logits)),
        positive=decision.positive(head) or result.get("positive", result.get("precision_recall", {}).get("positive")),
        where=[dataset.where[row] for row in rows.tolist()],
        groups=None if dataset.clusters is None else dataset.clusters[rows],
        metrics=dataset.task.scorer.metrics,
    )


def known(dataset: Dataset, classes: Sequence[str]) -> tuple[np.ndarray, list[Finding]]:
    """Rows of the classes that a model knows, and findings on the others.

    Raises:
        DataError: it knows none of them.
    """
    mine = set(classes)
    rows = [row for row, label in enumerate(dataset.targets) if label in mine]
    if not rows:
        extra = sorted(set(dataset.classes) - mine)
        raise DataError(
            f"none of its classes ({some_of(extra) or 'none'}) is known to the model",
            where=dataset.name,
            fix=f"the model knows {some_of(classes)}",
        )
    unknown = [
        Finding("unknown-class", dataset.where[row], f"class {label!r} is unknown to the model", rejected=True)
        for row, label in enumerate(dataset.targets)
        if label not in mine
    ]
    return np.array(rows, dtype=np.int64), unknown


def _predictions(
    head: Head, logits: np.ndarray, names: Sequence[str], errors: Mapping[int, str], top: int
) -> list[Prediction]:
    def one(name: str, probabilities: np.ndarray) -> Prediction:
        order = np.argsort(-probabilities, kind="stable")[: max(1, top)]
        best = tuple((head.classes[c], float(probabilities[c])) for c in order)
        given = int(decision.answered_classes(head, probabilities[None])[0])
        return Prediction(head.classes[given], float(probabilities[given]), name, best)

    def failed(name: str, why: str) -> Prediction:
        return Prediction("", 0.0, name, error=why)

    return linear.predictions(softmax(logits), names, errors, one=one, failed=failed)


def _row(p: Prediction) -> dict[str, Any]:
    if p.error:
        return {"input": p.input, "error": p.error}
    top = [{"label": name, "probability": round(value, 6)} for name, value in p.top]
    result = {"input": p.input, "label": p.label, "probability": round(p.probability, 6), "top": top}
    return result | linear.sureness_row(p)


def _facts(head: Head, dataset: Dataset, rows: np.ndarray) -> dict[str, Any]:
    return {
        "classes": list(head.classes),
        "penalty": head.penalty,
        "temperature": round(head.temperature, 6),
        "class_weights": head.class_weights,
        "train_counts": dict(zip(dataset.classes, dataset.counts(rows).tolist(), strict=True)),
        **decision.fact(head),
        "cross_validation": list(head.cross_validation),
    }


CLASSIFICATION = Task(
    name="classification",
    modalities={"image": IMAGE, "text": TEXT, "pair": PAIR},
    titles=_TITLES,
    fits=lambda examples: True,
    parse=linear.cells(as_class),
    complaint=_complaint,
    lone=_lone,
    refuse=_refuse,
    space=_space,
    encode=_encode,
    strata=lambda y: y,
    refuse_parts=_refuse_parts,
    unsplit=("no class has two distinct examples, so nothing can be tested", "add examples that differ"),
    learner=linear.learner(SOFTMAX, decided=decision.with_threshold, from_names=names_lesson),
    scorer=Scorer(
        metrics=METRICS,
        details=_details,
        mistake=_MISTAKE,
        reference=_reference,
        score=_score,
        suspects=doubtful_classes,
        known=known,
        cautions=cautions_of,
    ),
    words=Words(
        predictions=_predictions,
        row=_row,
        assured=linear.assured,
        line=terminal.class_line,
        facts=_facts,
        facts_saved=_FACTS,
        fitted=terminal.fit,
        scored=terminal.scores,
        sections=sections,
        advice=advice,
        how_made=lambda record: [("Temperature", f"{record.facts['temperature']:.3f}")],
        card=classification_card,
        right="Accuracy",
    ),
    keeper=linear.keeper(unnamed=True, refuse=decision.refuse_damaged),
    certainty=OF_CLASSES,
    predictor=linear.LinearPredictor,
    direction=of_class,
    probabilities=softmax,
)
