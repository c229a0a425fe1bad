"""Logits of examples with any number of labels, to scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from headstart.errors import DataError, ModelError
from headstart.evaluate.bootstrap import intervals
from headstart.evaluate.intervals import wilson
from headstart.task import Metric, Scores
from headstart.values import Interval

DETAILS = ("per_label", "baseline")
_MOST_MISTAKES = 200
_LOWEST, _HIGHEST = 0.05, 20.0  # temperatures
_STEPS = 30


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """(n, c) float64 probabilities of each label."""
    z = np.clip(np.asarray(logits, dtype=np.float64), -60, 60)
    return np.asarray(1 / (1 + np.exp(-z)))


def label_losses(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, c) log loss of each label of each example, nats."""
    z = np.where(np.asarray(y) > 0, logits, -np.asarray(logits)).astype(np.float64)
    return np.asarray(np.logaddexp(0, -z))


def sigmoid_temperature(logits: np.ndarray, y: np.ndarray) -> float:
    """The T in [0.05, 20] for which sigmoid(logits / T) has the least log loss; 1 where T makes no difference.

    In 1 / T the loss is convex, so its slope is halved in on. One example more is counted whose labels nobody knows, as
    in `calibration.temperature`.
    """
    z, y = np.asarray(logits, dtype=np.float32), np.asarray(y, dtype=np.float32)
    if not z.size or not np.abs(z).max() > 0:
        return 1.0
    y = y + (0.5 - y) / (1 + len(z))
    low, high = 1 / _HIGHEST, 1 / _LOWEST
    for _ in range(_STEPS):
        middle = float(np.sqrt(low * high))
        slope = float(((1 / (1 + np.exp(-np.clip(middle * z, -60, 60))) - y) * z).sum(dtype=np.float64))
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 1 / float(np.sqrt(low * high))


def average_precision(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the steps of precision over recall; nan where nothing is positive.

    Examples of equal scores are one step (as in scikit-learn). Source: Manning, Raghavan and Schütze, Introduction to
    Information Retrieval, 2008, section 8.4.
    """
    y = np.asarray(y) > 0
    if not y.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], np.cumsum(y[order])
    ends = np.append(np.flatnonzero(ranked[1:] < ranked[:-1]), len(ranked) - 1)
    precision, recall = hits[ends] / (ends + 1), hits[ends] / hits[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


@dataclass(frozen=True)
class Predicted:
    """Labels that were given beside the true ones: what the metrics are computed from."""

    probabilities: np.ndarray  # (n, c)
    given: np.ndarray  # (n, c) bool
    y: np.ndarray  # (n, c) bool
    groups: np.ndarray  # (n,)

    @cached_property
    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(c,) each: labels rightly given, given, and true."""
        return (self.given & self.y).sum(axis=0), self.given.sum(axis=0), self.y.sum(axis=0)

    @cached_property
    def drawn(self) -> dict[str, Interval]:
        """Intervals of micro and macro F1, from the same draws."""
        parts = [self.given & self.y, self.given, self.y]
        c = self.y.shape[1]

        def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
            hits, given, true = (sums[:, i * c : (i + 1) * c] for i in range(3))
            return {"micro_f1": _micro(hits, given, true), "macro_f1": _macro(hits, given, true)}

        return intervals(np.concatenate(parts, axis=1), self.groups, figures)


def _micro(hits: np.ndarray, given: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.asarray(2 * hits.sum(axis=-1) / np.maximum(given.sum(axis=-1) + true.sum(axis=-1), 1))


def _macro(hits: np.ndarray, given: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Over the labels that occur among the true ones or those given."""
    occurs = (given + true) > 0
    f1 = 2 * hits / np.maximum(given + true, 1)
    return np.asarray(f1.sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1))


def _map(p: Predicted) -> float:
    each = [average_precision(p.y[:, c], p.probabilities[:, c]) for c in range(p.y.shape[1])]
    known = [value for value in each if value == value]
    return float(np.mean(known)) if known else float("nan")


def _exact(p: Predicted) -> np.ndarray:
    return np.asarray((p.given == p.y).all(axis=1))


METRICS = (
    Metric(
        "macro_f1",
        "Macro F1",
        "every label counts alike",
        lambda p: float(_macro(*p.counts)),
        lambda p: p.drawn["macro_f1"],
    ),
    Metric(
        "micro_f1",
        "Micro F1",
        "every label given counts alike",
        lambda p: float(_micro(*p.counts)),
        lambda p: p.drawn["micro_f1"],
    ),
    Metric("map", "Mean average precision", "how well examples are ranked for each label", _map),
    Metric(
        "exact_match",
        "Exact set",
        "share of examples with just the right labels",
        lambda p: float(_exact(p).mean()),
        lambda p: wilson(int(_exact(p).sum()), len(p.y)),
    ),
)


def evaluate(
    logits: np.ndarray,
    y: np.ndarray,
    *,
    names: Sequence[str],
    thresholds: np.ndarray,
    commonest: Sequence[str] = (),
    groups: np.ndarray | None = None,
    where: Sequence[str] | None = None,
) -> Scores:
    """Score logits against the true labels.

    Args:
        logits: (n, c), temperature applied. y: (n, c) of 0 and 1. names: of the labels.
        thresholds: (c,) probabilities from which labels are given.
        commonest: labels that the baseline gives to every example.
        groups: (n,) int, equal for examples that belong together. where: (n,) how to point at each example.

    Raises:
        DataError: no test examples. ModelError: a logit that is not a number.
    """
    if not len(y):
        raise DataError("there are no test examples to score on", where="test part", fix="give more examples")
    if not np.isfinite(logits).all():
        raise ModelError("the model gave a score that is not a number", fix="fit again, or choose another --model")
    probabilities, true = sigmoid(logits), np.asarray(y) > 0
    own = np.arange(len(y)) if groups is None else groups
    predicted = Predicted(probabilities, probabilities >= thresholds, true, own)
    always = np.broadcast_to(np.isin(np.array(names), list(commonest)), true.shape)
    places = [f"row {row + 1}" for row in range(len(y))] if where is None else where
    return Scores(
        n=len(y),
        values={metric.key: metric.compute(predicted) for metric in METRICS},
        intervals={metric.key: metric.interval(predicted) for metric in METRICS if metric.interval},
        details={
            "per_label": _per_label(predicted, names, thresholds),
            "baseline": {"labels": list(commonest), **_figures(Predicted(probabilities, always, true, own))},
        },
        mistakes=_mistakes(predicted, names, places),
    )


def _figures(p: Predicted) -> dict[str, float]:
    return {"micro_f1": round(float(_micro(*p.counts)), 6), "macro_f1": round(float(_macro(*p.counts)), 6)}


def _per_label(p: Predicted, names: Sequence[str], thresholds: np.ndarray) -> list[dict[str, Any]]:
    hits, given, true = p.counts
    rows = []
    for c, name in enumerate(names):
        precision = average_precision(p.y[:, c], p.probabilities[:, c])
        rows.append(
            {
                "name": name,
                "precision": round(float(hits[c] / max(1, given[c])), 6),
                "recall": round(float(hits[c] / max(1, true[c])), 6),
                "f1": round(float(2 * hits[c] / max(1, given[c] + true[c])), 6),
                "average_precision": None if precision != precision else round(precision, 6),
                "threshold": round(float(thresholds[c]), 6),
                "count": int(true[c]),
            }
        )
    return rows


def _mistakes(p: Predicted, names: Sequence[str], where: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
    """Examples with wrong labels, those first whose true labels are least probable."""
    clipped = np.clip(np.where(p.y, p.probabilities, 1 - p.probabilities), 1e-12, 1)
    loss = -np.log(clipped).sum(axis=1)
    wrong = np.flatnonzero((p.given != p.y).any(axis=1))
    ordered = wrong[np.argsort(-loss[wrong], kind="stable")][:_MOST_MISTAKES]
    return tuple(
        {
            "where": where[row],
            "true": [names[c] for c in np.flatnonzero(p.y[row]).tolist()],
            "predicted": [names[c] for c in np.flatnonzero(p.given[row]).tolist()],
        }
        for row in ordered.tolist()
    )
