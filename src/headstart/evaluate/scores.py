"""Step 7: logits of the test part to Scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart.errors import DataError, ModelError
from headstart.evaluate import metrics
from headstart.evaluate.intervals import wilson
from headstart.values import ClassScore, Mistake, Scores

MOST_MISTAKES = 200


def evaluate(
    logits: np.ndarray,
    y: np.ndarray,
    *,
    classes: Sequence[str],
    majority_class: str,
    where: Sequence[str] | None = None,
) -> Scores:
    """Score logits against the true classes.

    Args:
        logits: (n, n_classes), temperature already applied.
        y: (n,) index of the true class of each row in `classes`.
        classes: names, in the order of the columns.
        majority_class: the most common class of the training part.
        where: (n,) how to point the user at each example; None: "row 1", "row 2", ...

    Raises:
        DataError: no test examples, or an example without a known class.
        ModelError: a logit that is not a number.
        ValueError: shapes that do not fit together, or an unknown majority class.
    """
    logits, y, names = np.asarray(logits), np.asarray(y), tuple(classes)
    _check(logits, y, names, where)
    if majority_class not in names:
        raise ValueError(f"majority class {majority_class!r} is not among the classes")
    probabilities = metrics.softmax(logits)
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, count = metrics.per_class(y, predicted, len(names))
    return Scores(
        classes=names,
        n=len(y),
        accuracy=metrics.accuracy(y, predicted),
        accuracy_interval=wilson(int((y == predicted).sum()), len(y)),
        macro_f1=metrics.macro_f1(y, predicted, len(names)),
        log_loss=metrics.log_loss(y, probabilities),
        ece=metrics.expected_calibration_error(y, probabilities),
        majority_class=majority_class,
        majority_accuracy=float(np.mean(y == names.index(majority_class))),
        per_class=tuple(
            ClassScore(name, float(precision[i]), float(recall[i]), float(f1[i]), int(count[i]))
            for i, name in enumerate(names)
        ),
        confusion=metrics.confusion(y, predicted, len(names)),
        mistakes=_mistakes(probabilities, y, names, where),
    )


def as_json(scores: Scores) -> dict[str, Any]:
    """Scores as plain Python values, figures rounded to 6 digits; mistakes are left out, the report has them."""
    interval = scores.accuracy_interval
    return {
        "accuracy": round(scores.accuracy, 6),
        "accuracy_interval": [round(interval.low, 6), round(interval.high, 6)],
        "macro_f1": round(scores.macro_f1, 6),
        "log_loss": round(scores.log_loss, 6),
        "ece": round(scores.ece, 6),
        "n_test": scores.n,
        "majority_class": scores.majority_class,
        "majority_accuracy": round(scores.majority_accuracy, 6),
        "per_class": [
            {
                "name": c.name,
                "precision": round(c.precision, 6),
                "recall": round(c.recall, 6),
                "f1": round(c.f1, 6),
                "count": c.count,
            }
            for c in scores.per_class
        ],
        "confusion": {"classes": list(scores.classes), "rows": scores.confusion.tolist()},
    }


def _check(logits: np.ndarray, y: np.ndarray, names: tuple[str, ...], where: Sequence[str] | None) -> None:
    if len(y) == 0:
        raise DataError(
            "there are no test examples to score on",
            where="test part",
            fix="Give more examples, or a larger --test fraction.",
        )
    if logits.shape != (len(y), len(names)) or (where is not None and len(where) != len(y)):
        raise ValueError(
            f"logits {logits.shape}, {len(y)} true classes and {len(names)} class names do not fit together"
        )
    outside = np.flatnonzero((y < 0) | (y >= len(names)))
    if len(outside):
        first = int(outside[0])
        raise DataError(
            f"{len(outside)} of {len(y)} test examples have no label that the model knows",
            where=_point(where, first),
            fix="Leave these examples out, or give each one of the model's classes.",
        )
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        raise ModelError(
            f"the model gave a score that is not a number for {len(bad)} of {len(y)} examples",
            where=_point(where, int(bad[0])),
            fix="The weights may be damaged: fit again, or choose another --model.",
        )


def _mistakes(
    probabilities: np.ndarray, y: np.ndarray, names: tuple[str, ...], where: Sequence[str] | None
) -> tuple[Mistake, ...]:
    predicted = probabilities.argmax(axis=1)
    found = [
        Mistake(_point(where, i), names[y[i]], names[predicted[i]], float(probabilities[i, predicted[i]]))
        for i in np.flatnonzero(predicted != y).tolist()
    ]
    return tuple(sorted(found, key=lambda m: (-m.probability, m.where, m.true))[:MOST_MISTAKES])


def _point(where: Sequence[str] | None, row: int) -> str:
    return f"row {row + 1}" if where is None else where[row]
