"""Predicted numbers, to scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from headstart.errors import DataError, ModelError
from headstart.evaluate.bootstrap import intervals
from headstart.evaluate.conformal import coverage
from headstart.evaluate.intervals import wilson
from headstart.task import Metric, Scores
from headstart.values import Interval

DETAILS = ("baseline", "bins")
_MOST_MISTAKES = 200
_BINS = 10


@dataclass(frozen=True)
class Predicted:
    """Predictions beside the true values: what the metrics are computed from."""

    values: np.ndarray  # (n,) float64
    y: np.ndarray  # (n,) float64
    width: float  # half of a prediction's interval
    groups: np.ndarray  # (n,)

    @property
    def errors(self) -> np.ndarray:
        """(n,) predicted less true."""
        return self.values - self.y

    @cached_property
    def figures(self) -> dict[str, float]:
        """All figures that are made of sums, by the keys of their metrics."""
        found = _figures(self._sums().sum(axis=0, keepdims=True))
        return {key: float(value[0]) for key, value in found.items()}

    @cached_property
    def drawn(self) -> dict[str, Interval]:
        """Their intervals, from the same draws. Spearman's ranks are those of the whole in each draw."""
        return intervals(self._sums(), self.groups, _figures)

    def _sums(self) -> np.ndarray:
        """(n, 14) what each example adds. Values are centred, so that squares of large numbers lose nothing."""
        y, p, e = self.y - self.y.mean(), self.values - self.y.mean(), self.errors
        ry, rp = (_ranks(v) - (len(v) - 1) / 2 for v in (self.y, self.values))
        columns = (np.ones_like(y), np.abs(e), e**2, y, y**2, p, p**2, y * p, ry, ry**2, rp, rp**2, ry * rp)
        return np.stack(columns, axis=1)


def _figures(s: np.ndarray) -> dict[str, np.ndarray]:
    """(draws, 13) sums -> each figure; no number where nothing varies."""
    n = s[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = s[:, 4] - s[:, 3] ** 2 / n
        return {
            "mae": s[:, 1] / n,
            "rmse": np.sqrt(s[:, 2] / n),
            "r2": np.where(spread > 0, 1 - s[:, 2] / spread, np.nan),
            "pearson": _correlation(n, s[:, 3], s[:, 4], s[:, 5], s[:, 6], s[:, 7]),
            "spearman": _correlation(n, s[:, 8], s[:, 9], s[:, 10], s[:, 11], s[:, 12]),
        }


def _correlation(
    n: np.ndarray, a: np.ndarray, aa: np.ndarray, b: np.ndarray, bb: np.ndarray, ab: np.ndarray
) -> np.ndarray:
    """Of two columns, from their sums, sums of squares and of products."""
    va, vb = aa - a**2 / n, bb - b**2 / n
    return np.where((va > 1e-12 * aa) & (vb > 1e-12 * bb), (ab - a * b / n) / np.sqrt(va * vb), np.nan)


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) from 0; equal values share the mean of theirs."""
    _, of, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts + 1) / 2)[of])


def _made_of_sums(key: str, title: str, meaning: str, **about: Any) -> Metric:
    return Metric(key, title, meaning, lambda p: p.figures[key], lambda p: p.drawn[key], **about)


METRICS = (
    _made_of_sums("mae", "Mean absolute error", "in the target's unit", unit="target", better="lower"),
    _made_of_sums("rmse", "Root mean squared error", "large errors count more", unit="target", better="lower"),
    _made_of_sums("r2", "R²", "share of the variance that is explained"),
    _made_of_sums("pearson", "Pearson", "correlation with the target; 1 is ideal", unit="target"),
    _made_of_sums("spearman", "Spearman", "correlation of ranks; 1 is ideal", unit="target"),
    Metric(
        "coverage",
        "Coverage",
        "of the 90 % intervals",
        lambda p: coverage(p.errors, p.width),
        lambda p: wilson(int((np.abs(p.errors) <= p.width).sum()), len(p.y)),
    ),
)


def evaluate(
    values: np.ndarray,
    y: np.ndarray,
    *,
    mean: float,
    width: float,
    groups: np.ndarray | None = None,
    where: Sequence[str] | None = None,
) -> Scores:
    """Score predicted numbers against the true ones.

    Args:
        values: (n,). y: (n,). mean: of the training targets, which the baseline always gives.
        width: half of a prediction's 90 % interval.
        groups: (n,) int, equal for examples that belong together. where: (n,) how to point at each example.

    Raises:
        DataError: no test examples. ModelError: a prediction that is not a number.
    """
    values, y = np.asarray(values, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not len(y):
        raise DataError("there are no test examples to score on", where="test part", fix="give more examples")
    if not np.isfinite(values).all():
        raise ModelError("the model gave a value that is not a number", fix="fit again, or choose another --model")
    predicted = Predicted(values, y, width, np.arange(len(y)) if groups is None else groups)
    always = mean - y
    return Scores(
        n=len(y),
        values={metric.key: metric.compute(predicted) for metric in METRICS},
        intervals={metric.key: metric.interval(predicted) for metric in METRICS if metric.interval},
        details={
            "baseline": {
                "mean": round(mean, 6),
                "mae": round(float(np.abs(always).mean()), 6),
                "rmse": round(float(np.sqrt((always**2).mean())), 6),
            },
            "bins": _bins(predicted),
        },
        mistakes=_mistakes(predicted, where),
    )


def _bins(p: Predicted) -> list[dict[str, Any]]:
    """Errors by size of the target: at most ten bins with about as many examples each."""
    edges = np.unique(np.quantile(p.y, np.linspace(0, 1, _BINS + 1)))
    which = np.searchsorted(edges[1:-1], p.y, side="right")
    rows = []
    for number in np.unique(which):
        mine = which == number
        rows.append(
            {
                "low": round(float(p.y[mine].min()), 6),
                "high": round(float(p.y[mine].max()), 6),
                "count": int(mine.sum()),
                "mae": round(float(np.abs(p.errors[mine]).mean()), 6),
                "bias": round(float(p.errors[mine].mean()), 6),
            }
        )
    return rows


def _mistakes(p: Predicted, where: Sequence[str] | None) -> tuple[Mapping[str, Any], ...]:
    """The largest errors first."""
    order = np.argsort(-np.abs(p.errors), kind="stable")[:_MOST_MISTAKES]
    return tuple(
        {
            "where": f"row {row + 1}" if where is None else where[row],
            "true": round(float(p.y[row]), 6),
            "predicted": round(float(p.values[row]), 6),
        }
        for row in order.tolist()
    )
