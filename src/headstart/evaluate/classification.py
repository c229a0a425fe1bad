"""Logits of examples with one class each, to scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from headstart.errors import DataError, ModelError
from headstart.evaluate import curves, metrics
from headstart.evaluate.bootstrap import TIMES, centred_interval, draws, numbered
from headstart.evaluate.exhibits import of_classes
from headstart.evaluate.intervals import mean_of_shares, share_interval
from headstart.evaluate.metrics import confused, confusion
from headstart.evaluate.pseudo_values import balanced_costs, class_f1_values
from headstart.evaluate.test_examples import MOST_MISTAKES, refuse_none
from headstart.evaluate.two_classes import positive_class
from headstart.task import Metric, Scores
from headstart.values import Interval

_DRAWN = 20_000_000  # examples, in all draws of an interval together
MOST_ROWS = 200  # classes, beyond which most of a confusion matrix is zeros, and only the others are written


@dataclass(frozen=True)
class Predicted:
    """Predictions beside the truth: what the metrics are computed from."""

    logits: np.ndarray  # (n, n_classes), temperature already applied
    y: np.ndarray  # (n,) class indices
    names: tuple[str, ...]
    groups: np.ndarray | None = None  # (n,) whose each example is; None: each by itself
    answered: np.ndarray | None = None  # (n,) indices of the classes that were answered; None: the likeliest

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(n, n_classes) float64."""
        return metrics.softmax(self.logits)

    @cached_property
    def classes(self) -> np.ndarray:
        """(n,) indices of the classes that were answered."""
        return np.asarray(self.probabilities.argmax(axis=1)) if self.answered is None else self.answered

    @cached_property
    def confidence(self) -> np.ndarray:
        """(n,) probability of the class that was answered."""
        return np.asarray(self.probabilities[np.arange(len(self.y)), self.classes])


def _accuracy_interval(p: Predicted) -> Interval:
    return share_interval(p.y == p.classes, p.groups)


def _macro_f1_interval(p: Predicted) -> Interval:
    """From draws of the examples, fewer of them where these are very many."""
    of = numbered(p.groups, len(p.y))
    times = int(np.clip(_DRAWN // len(of), 200, TIMES))
    values = [metrics.macro_f1_of_draws(p.y, p.classes, drawn, len(p.names)) for drawn in draws(of, times=times)]
    figure = metrics.macro_f1(p.y, p.classes, len(p.names))
    return centred_interval(np.concatenate(values), figure, units=int(of.max()) + 1)


METRICS = (
    Metric(
        "accuracy",
        "Accuracy",
        "share of examples whose class is the one that was answered",
        lambda p: metrics.accuracy(p.y, p.classes),
        _accuracy_interval,
        costs=lambda logits, y, weights: (logits.argmax(axis=1) != y).astype(np.float64),
    ),
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        "mean recall of the classes, each counting alike",
        lambda p: metrics.balanced_accuracy(p.y, p.classes, len(p.names)),
        lambda p: mean_of_shares(p.y == p.classes, p.y, len(p.names), p.groups),
        costs=lambda logits, y, weights: balanced_costs(y, logits.argmax(axis=1), logits.shape[1], weights),
    ),
    Metric(
        "macro_f1",
        "Macro F1",
        "every class counts alike",
        lambda p: metrics.macro_f1(p.y, p.classes, len(p.names)),
        _macro_f1_interval,
        costs=lambda logits, y, weights: 1 - class_f1_values(y, logits.argmax(axis=1), logits.shape[1], weights),
    ),
    Metric(
        "log_loss",
        "Log loss",
        "nats; 0 is ideal",
        lambda p: metrics.log_loss(p.y, p.probabilities),
        unit="nats",
        better="lower",
    ),
    Metric(
        "ece",
        "Calibration error",
        "confidence against accuracy; 0 is ideal",
        lambda p: metrics.expected_calibration_error(p.y, p.probabilities),
        better="lower",
    ),
)


def evaluate(
    logits: np.ndarray,
    y: np.ndarray,
    *,
    classes: Sequence[str],
    majority_class: str,
    answered: np.ndarray | None = None,
    positive: str | None = None,
    where: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
    metrics: Sequence[Metric] = METRICS,
) -> Scores:
    """Score logits against the true classes.

    Args:
        logits: (n, n_classes), temperature already applied.
        y: (n,) index of the true class of each row in `classes`.
        classes: names, in the order of the columns.
        majority_class: the most common class of the training part.
        answered: (n,) index of the class that was answered to each row, where that is not the likeliest; None: it is.
        positive: of two classes, the one that precision and recall are told of by threshold; None: the rarer one.
        where: (n,) how to point the user at each example; None: "row 1", "row 2", ...
        groups: (n,) int, equal for examples that belong together, as the user says; None: each by itself.
        metrics: what is measured.

    Raises:
        DataError: no test examples, or an example without a known class.
        ModelError: a logit that is not a number.
        ValueError: shapes that do not fit together, or an unknown majority class.
    """
    logits, y, names = np.asarray(logits), np.asarray(y), tuple(classes)
    _check(logits, y, names, where)
    if majority_class not in names:
        raise ValueError(f"majority class {majority_class!r} is not among the classes")
    predicted = Predicted(logits, y, names, groups, answered)
    return Scores.measured(
        predicted,
        metrics,
        n=len(y),
        details={
            "majority_class": majority_class,
            "majority_accuracy": round(float(np.mean(y == names.index(majority_class))), 6),
            "per_class": _per_class(predicted),
            "confusion": {"classes": list(names), **_confusion(y, predicted.classes, len(names))},
            **_curves(predicted, positive),
            **({} if answered is None else {"accuracy_of_the_likeliest": _of_the_likeliest(predicted)}),
        },
        mistakes=_mistakes(predicted, where),
        exhibits=of_classes(y, predicted.classes, predicted.confidence, names),
    )


def _of_the_likeliest(p: Predicted) -> float:
    """The accuracy, had no threshold decided."""
    return round(metrics.accuracy(p.y, p.probabilities.argmax(axis=1)), 6)


def _confusion(y: np.ndarray, predicted: np.ndarray, n: int) -> dict[str, Any]:
    """Counts as `rows` of a matrix; of many classes as `cells` (true class, predicted class, count), without zeros."""
    if n <= MOST_ROWS:
        return {"rows": confusion(y, predicted, n).tolist()}
    return {"cells": confused(y, predicted, n).tolist()}


def _curves(p: Predicted, positive: str | None) -> dict[str, Any]:
    right = p.classes == p.y
    result: dict[str, Any] = {
        "reliability": curves.reliability(p.confidence, right),
        "risk_coverage": curves.risk_coverage(p.confidence, right),
    }
    if len(p.names) == 2:
        positive = positive_class(np.bincount(p.y, minlength=2), p.names) if positive not in p.names else positive
        which = p.names.index(positive)
        points = curves.precision_recall(p.probabilities[:, which], p.y == which)
        result["precision_recall"] = {"positive": positive, "points": points}
    return result


def _per_class(p: Predicted) -> list[dict[str, Any]]:
    precision, recall, f1, count = metrics.per_class(p.y, p.classes, len(p.names))
    return [
        {
            "name": name,
            "precision": round(float(precision[i]), 6),
            "recall": round(float(recall[i]), 6),
            "f1": round(float(f1[i]), 6),
            "count": int(count[i]),
        }
        for i, name in enumerate(p.names)
    ]


def _check(logits: np.ndarray, y: np.ndarray, names: tuple[str, ...], where: Sequence[str] | None) -> None:
    refuse_none(len(y))
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


def _mistakes(p: Predicted, where: Sequence[str] | None) -> tuple[Mapping[str, Any], ...]:
    found = [
        {
            "where": _point(where, i),
            "true": p.names[p.y[i]],
            "predicted": p.names[p.classes[i]],
            "probability": float(p.confidence[i]),
        }
        for i in np.flatnonzero(p.classes != p.y).tolist()
    ]
    return tuple(sorted(found, key=lambda m: (-m["probability"], m["where"], m["true"]))[:MOST_MISTAKES])


def _point(where: Sequence[str] | None, row: int) -> str:
    return f"row {row + 1}" if where is None else where[row]
