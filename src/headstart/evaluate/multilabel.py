"""Logits of examples with any number of labels, to scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from headstart.backbone import Head
from headstart.errors import ModelError
from headstart.evaluate.bootstrap import TIMES, centred_interval, draws, numbered
from headstart.evaluate.exhibits import of_labels
from headstart.evaluate.intervals import share_interval
from headstart.evaluate.pseudo_values import macro_f1_values, micro_f1_values, precision_values
from headstart.evaluate.test_examples import MOST_MISTAKES, refuse_none
from headstart.evaluate.thresholds import best_thresholds
from headstart.task import Metric, Scores
from headstart.values import Interval

_FEWEST_DRAWS = 200
_MOST_CELLS = 400_000_000  # examples x labels x draws: about a second


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """(n, c) float64 probabilities of each label."""
    z = np.clip(np.asarray(logits, dtype=np.float64), -60, 60)
    return np.asarray(1 / (1 + np.exp(-z)))


def label_losses(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, c) log loss of each label of each example, nats, in float64 and without a bound."""
    z = np.where(np.asarray(y) > 0, logits, -np.asarray(logits)).astype(np.float64)
    return np.asarray(np.logaddexp(0, -z))


def micro_f1(y: np.ndarray, predicted: np.ndarray) -> float:
    """F1 of all decisions in one pot; nan where no label is there and none is predicted."""
    return float(_f1s(_tallies(y, predicted).sum(axis=0)[None])[0][0])


def macro_f1(y: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean F1 over the labels that occur in `y` or in `predicted`, each counting alike; nan where none occurs.

    Args:
        weights: (n,) how much each example counts; None: all alike.
    """
    tallies = _tallies(y, predicted)
    counted = tallies if weights is None else tallies * weights[:, None, None]
    return float(_f1s(counted.sum(axis=0)[None])[1][0])


def average_precision(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(c,) mean precision over the examples that have a label, each at its place in the ranking; nan where none has it.

    Examples of one score share a place. Nothing is interpolated: it is scikit-learn's `average_precision_score`.

    Args:
        y: (n, c). scores: (n, c), higher where the label is likelier.
    """
    return _average_precisions(_rankings(y, scores), np.ones((1, len(y)), dtype=np.float32))[0]


@dataclass(frozen=True)
class _Ranking:
    """Examples from the highest score of a label to the lowest that has it, in pieces that end at places with hits."""

    examples: np.ndarray  # which, down to the end of the last piece
    pieces: np.ndarray  # where each piece begins
    hits: np.ndarray  # those examples that have the label
    hit_pieces: np.ndarray  # where each piece's own begin among them


def _rankings(y: np.ndarray, scores: np.ndarray) -> list[_Ranking | None]:
    """Of each label; None of one that no example has."""
    there = np.asarray(y) > 0
    return [_ranking(there[:, label], scores[:, label]) for label in range(there.shape[1])]


def _ranking(there: np.ndarray, scores: np.ndarray) -> _Ranking | None:
    order = np.argsort(-scores, kind="stable")
    ranked, hit = scores[order], np.flatnonzero(there[order])
    if len(hit) == 0:
        return None
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, len(ranked))  # of each place, exclusive
    ends, hit_pieces = np.unique(ends[np.searchsorted(ends, hit, side="right")], return_index=True)
    return _Ranking(order[: ends[-1]], np.append(0, ends[:-1]), order[hit], hit_pieces)


def _average_precisions(rankings: list[_Ranking | None], weights: np.ndarray) -> np.ndarray:
    """(b, c) from weights (b, n) float32, how often each example counts."""
    undefined = np.full(len(weights), np.nan)
    return np.stack([undefined if r is None else _precision_at(r, weights) for r in rankings], axis=1)


def _precision_at(ranking: _Ranking, weights: np.ndarray) -> np.ndarray:
    """(b,) average precision with each row of weights."""
    seen = np.add.reduceat(np.take(weights, ranking.examples, axis=1), ranking.pieces, axis=1).cumsum(axis=1)
    hits = np.add.reduceat(np.take(weights, ranking.hits, axis=1), ranking.hit_pieces, axis=1)
    precision = _ratio(hits.cumsum(axis=1), seen, 0.0)
    return _ratio(np.vecdot(hits, precision), hits.sum(axis=1), np.nan)


@dataclass(frozen=True)
class Predicted:
    """Labels that were given beside the true ones: what the metrics are computed from."""

    probabilities: np.ndarray  # (n, c)
    given: np.ndarray  # (n, c) bool
    y: np.ndarray  # (n, c) bool
    groups: np.ndarray | None  # (n,); None: each example by itself
    seed: int = 0  # of the draws
    times: int = TIMES  # that many draws at most

    @cached_property
    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(c,) each: labels rightly given, given, and true."""
        return (self.given & self.y).sum(axis=0), self.given.sum(axis=0), self.y.sum(axis=0)

    @cached_property
    def average_precisions(self) -> np.ndarray:
        """(c,), nan of labels that no example has."""
        return average_precision(self.y, self.probabilities)

    @property
    def exact(self) -> np.ndarray:
        """(n,) bool: examples all of whose labels are right."""
        return np.asarray((self.given == self.y).all(axis=1))

    @cached_property
    def drawn(self) -> dict[str, Interval]:
        """Intervals of micro F1, macro F1 and mean average precision, from the same draws.

        There are fewer draws of a large test part, where they would take minutes.
        """
        of, rankings = numbered(self.groups, len(self.y)), _rankings(self.y, self.probabilities)
        times = int(np.clip(_MOST_CELLS // self.y.size, min(self.times, _FEWEST_DRAWS), self.times))
        tallies = _tallies(self.y, self.given).reshape(len(self.y), -1)

        def figures(weights: np.ndarray) -> np.ndarray:
            micro, macro = _f1s((weights @ tallies).reshape(len(weights), 3, -1))
            return np.stack([micro, macro, _mean(_average_precisions(rankings, weights))])

        whole = figures(np.ones((1, len(self.y)), dtype=np.float32))[:, 0].tolist()
        found = np.concatenate([figures(weights) for weights in draws(of, seed=self.seed, times=times)], axis=1)
        named = zip(("micro_f1", "macro_f1", "map"), found, whole, strict=True)
        return {key: centred_interval(values, figure, units=int(of.max()) + 1) for key, values, figure in named}


def _tallies(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(n, 3, c) float32: hits, what is predicted, what is there."""
    there, called = np.asarray(y) > 0, np.asarray(predicted) > 0
    return np.stack([there & called, called, there], axis=1).astype(np.float32)


def _f1s(tallies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(b, 3, c) -> micro and macro F1, (b,) each; F1 is 2 hits / (predicted + there)."""
    twice, both = 2 * tallies[:, 0].astype(np.float64), (tallies[:, 1] + tallies[:, 2]).astype(np.float64)
    return _ratio(twice.sum(axis=1), both.sum(axis=1), np.nan), _mean(_ratio(twice, both, np.nan))


def _mean(values: np.ndarray) -> np.ndarray:
    """(b, c) -> (b,) mean of those that are numbers; nan where none is."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0).sum(axis=1), known.sum(axis=1), np.nan)


def _ratio(part: np.ndarray, whole: np.ndarray, otherwise: float) -> np.ndarray:
    """part / whole in float64, and `otherwise` where the whole is 0."""
    wholes = np.asarray(whole, dtype=np.float64)
    return np.where(wholes > 0, np.asarray(part, dtype=np.float64) / np.where(wholes > 0, wholes, 1), otherwise)


def _given(logits: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """(n, c) bool: labels at the thresholds that suit these very examples best, which flatters whatever is compared
    alike."""
    probabilities = sigmoid(logits)
    return np.asarray(probabilities >= best_thresholds(probabilities, y, weights))


def _decided(head: Head, logits: np.ndarray) -> np.ndarray:
    """(n, c) bool: labels at the head's own thresholds."""
    return np.asarray(sigmoid(logits) >= np.array(head.thresholds))


METRICS = (
    Metric(
        "macro_f1",
        "Macro F1",
        "every label counts alike",
        lambda p: macro_f1(p.y, p.given),
        lambda p: p.drawn["macro_f1"],
        costs=lambda logits, y, weights: 1 - macro_f1_values(y > 0, _given(logits, y, weights), weights),
        decided_costs=lambda head, logits, y: 1 - macro_f1_values(y > 0, _decided(head, logits)),
    ),
    Metric(
        "micro_f1",
        "Micro F1",
        "every label given counts alike",
        lambda p: micro_f1(p.y, p.given),
        lambda p: p.drawn["micro_f1"],
        costs=lambda logits, y, weights: 1 - micro_f1_values(y > 0, _given(logits, y, weights), weights),
        decided_costs=lambda head, logits, y: 1 - micro_f1_values(y > 0, _decided(head, logits)),
    ),
    Metric(
        "map",
        "Mean average precision",
        "how well examples are ranked for each label",
        lambda p: float(_mean(p.average_precisions[None])[0]),
        lambda p: p.drawn["map"],
        costs=lambda logits, y, weights: 1 - precision_values(y > 0, logits, weights),
    ),
    Metric(
        "exact_match",
        "Exact set",
        "share of examples with just the right labels",
        lambda p: float(p.exact.mean()),
        lambda p: share_interval(p.exact, p.groups),
        costs=lambda logits, y, weights: (_given(logits, y, weights) != (y > 0)).any(axis=1).astype(np.float64),
        decided_costs=lambda head, logits, y: (_decided(head, logits) != (y > 0)).any(axis=1).astype(np.float64),
    ),
)


def evaluate(  # noqa: PLR0913 - keywords, most of which only tests and tasks set
    logits: np.ndarray,
    y: np.ndarray,
    *,
    names: Sequence[str],
    thresholds: np.ndarray,
    commonest: Sequence[str] = (),
    groups: np.ndarray | None = None,
    where: Sequence[str] | None = None,
    seed: int = 0,
    times: int = TIMES,
    metrics: Sequence[Metric] = METRICS,
) -> Scores:
    """Score logits against the true labels.

    Args:
        logits: (n, c), temperature applied. y: (n, c) of 0 and 1. names: of the labels.
        thresholds: (c,) probabilities from which labels are given.
        commonest: labels that the baseline gives to every example.
        groups: (n,) int, equal for examples that belong together: they are drawn together.
        where: (n,) how to point at each example.
        seed: of the draws that intervals are made of. times: how many.
        metrics: what is measured.

    Raises:
        DataError: no test examples. ModelError: a logit that is not a number. ValueError: shapes that do not fit
            together, or a truth that is neither 0 nor 1.

    Source: exact match's interval is a share's; those of F1 and average precision are centred ones of the bootstrap.
    """
    refuse_none(len(y))
    _check(logits, y, len(names), thresholds)
    if not np.isfinite(logits).all():
        raise ModelError("the model gave a score that is not a number", fix="fit again, or choose another --model")
    probabilities, true = sigmoid(logits), np.asarray(y) > 0
    predicted = Predicted(probabilities, probabilities >= thresholds, true, groups, seed, times)
    always = np.broadcast_to(np.isin(np.array(names), list(commonest)), true.shape)
    places = [f"row {row + 1}" for row in range(len(y))] if where is None else where
    furthest = _furthest(predicted)
    return Scores.measured(
        predicted,
        metrics,
        n=len(y),
        details={
            "per_label": _per_label(predicted, names, thresholds),
            "baseline": {"labels": list(commonest), **_figures(true, always)},
        },
        mistakes=_mistakes(predicted, names, places, furthest[:MOST_MISTAKES]),
        exhibits=of_labels(probabilities, predicted.given, true, names, furthest),
    )


def _check(logits: np.ndarray, y: np.ndarray, c: int, thresholds: np.ndarray) -> None:
    if logits.ndim != 2 or logits.shape != y.shape or logits.shape[1] != c or np.shape(thresholds) != (c,) or c == 0:
        shapes = f"logits {logits.shape}, truths {y.shape}, {c} labels and thresholds {np.shape(thresholds)}"
        raise ValueError(f"{shapes} do not fit together, or are empty")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("a truth is neither 0 nor 1")


def _figures(y: np.ndarray, given: np.ndarray) -> dict[str, float]:
    """Of the baseline; 0 where nothing is there and nothing is given, for JSON has no word for what is no number."""
    micro, macro = (np.nan_to_num(figure(y, given)) for figure in (micro_f1, macro_f1))
    return {"micro_f1": round(float(micro), 6), "macro_f1": round(float(macro), 6)}


def _per_label(p: Predicted, names: Sequence[str], thresholds: np.ndarray) -> list[dict[str, Any]]:
    hits, given, true = p.counts
    rows = []
    for c, name in enumerate(names):
        precision = float(p.average_precisions[c])
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


def _furthest(p: Predicted) -> np.ndarray:
    """(m,) rows of examples with wrong labels, those first whose true labels are least probable."""
    clipped = np.clip(np.where(p.y, p.probabilities, 1 - p.probabilities), 1e-12, 1)
    loss = -np.log(clipped).sum(axis=1)
    wrong = np.flatnonzero((p.given != p.y).any(axis=1))
    return np.asarray(wrong[np.argsort(-loss[wrong], kind="stable")])


def _mistakes(
    p: Predicted, names: Sequence[str], where: Sequence[str], furthest: np.ndarray
) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            "where": where[row],
            "true": [names[c] for c in np.flatnonzero(p.y[row]).tolist()],
            "predicted": [names[c] for c in np.flatnonzero(p.given[row]).tolist()],
        }
        for row in furthest.tolist()
    )
