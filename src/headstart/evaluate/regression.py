"""Predicted numbers, to scores.

What is not defined is nan: a correlation of a constant or of one example, R2 of a constant target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from headstart.errors import ModelError
from headstart.evaluate.bootstrap import FEWEST, TIMES, draws, numbered, percentile_interval
from headstart.evaluate.conformal import coverage
from headstart.evaluate.exhibits import of_numbers
from headstart.evaluate.intervals import share_interval
from headstart.evaluate.test_examples import MOST_MISTAKES, refuse_none
from headstart.task import Metric, Scores, rounded
from headstart.values import Interval

_MOST_BINS = 10
_FEWEST_IN_A_BIN = 5
_MOST = 1e100  # squares of numbers up to here are numbers
_CONSTANT = 1e-12  # variance over the mean square, below which values differ by rounding only
_KEYS = ("mae", "rmse", "r2", "pearson", "spearman")


@dataclass(frozen=True)
class Predicted:
    """Predictions beside the true values: what the metrics are computed from."""

    values: np.ndarray  # (n,) float64
    y: np.ndarray  # (n,) float64
    width: float  # half of a prediction's interval
    groups: np.ndarray | None  # (n,); None: each example by itself
    seed: int = 0  # of the draws
    times: int = TIMES
    clusters: np.ndarray | None = None  # (n,) the groups, where the user names any

    @property
    def errors(self) -> np.ndarray:
        """(n,) predicted less true."""
        return self.values - self.y

    @cached_property
    def figures(self) -> dict[str, float]:
        """All figures but coverage, by the keys of their metrics."""
        found = self._figures.of(np.ones((1, len(self.y))))[:, 0]
        return dict(zip(_KEYS, found.tolist(), strict=True))

    @cached_property
    def drawn(self) -> dict[str, Interval]:
        """Their intervals, from the same draws; no numbers where there are few examples.

        Ranks are taken anew in each draw: with those among all examples the interval of Spearman's correlation came out
        an eighth too narrow (STS benchmark, 5,749 pairs in groups of three).
        """
        of = numbered(self.groups, len(self.y))
        units = int(of.max()) + 1
        if units < FEWEST:
            return dict.fromkeys(_KEYS, Interval(float("nan"), float("nan")))
        found = [self._figures.of(weights) for weights in draws(of, seed=self.seed, times=self.times)]
        named = zip(_KEYS, np.concatenate(found, axis=1), strict=True)
        return {key: percentile_interval(values, units=units) for key, values in named}

    @cached_property
    def _figures(self) -> _Figures:
        return _Figures(_moments(self.values, self.y), _order(self.values), _order(self.y))


def _moments(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, 8): what each example adds to the sums that every figure is made of; centred, so that nothing cancels."""
    error, p, y = p - y, p - p.mean(), y - y.mean()
    return np.column_stack([np.ones(len(y)), np.abs(error), error**2, p, y, p * p, y * y, p * y])


@dataclass(frozen=True)
class _Order:
    """The examples from the smallest value to the largest, equal values in one place."""

    examples: np.ndarray  # (n,) which
    firsts: np.ndarray  # where each place begins
    place: np.ndarray  # (n,) of each example

    def ranks(self, weights: np.ndarray) -> np.ndarray:
        """(b, n) ranks where each example counts as often as (b, n) says, less their mean; equal values share one."""
        counts = np.add.reduceat(np.take(weights, self.examples, axis=1), self.firsts, axis=1, dtype=np.float64)
        until = counts.cumsum(axis=1)
        return np.take(until - counts / 2 - until[:, -1:] / 2, self.place, axis=1)


def _order(values: np.ndarray) -> _Order:
    _, place = np.unique(values, return_inverse=True)
    examples = np.argsort(place, kind="stable")
    return _Order(examples, np.flatnonzero(np.diff(place[examples], prepend=-1)), place)


@dataclass(frozen=True)
class _Figures:
    """All that is needed for the figures of many draws."""

    moments: np.ndarray  # (n, 8)
    by_predicted: _Order
    by_target: _Order

    def of(self, weights: np.ndarray) -> np.ndarray:
        """(5, b) MAE, RMSE, R2, Pearson, Spearman, where each example counts as often as (b, n) says."""
        n, absolute, squares, p, y, pp, yy, py = (weights @ self.moments).T
        spreads = _spread(p, pp, n), _spread(y, yy, n)
        r2 = np.where(spreads[1] > 0, 1 - squares / np.where(spreads[1] > 0, spreads[1], 1), np.nan)
        first, second = self.by_predicted.ranks(weights), self.by_target.ranks(weights)
        spearman = [np.vecdot(weights * a, b) for a, b in ((first, second), (first, first), (second, second))]
        pearson = _correlation(py - p * y / n, *spreads)
        return np.stack([absolute / n, np.sqrt(squares / n), r2, pearson, _correlation(*spearman)])


def _correlation(product: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(b,) from the sums of products and of squares of deviations; nan where either is constant."""
    size = np.sqrt(one) * np.sqrt(other)
    return np.where(size > 0, np.clip(product / np.where(size > 0, size, 1), -1, 1), np.nan)


def _spread(sums: np.ndarray, squares: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Sum of squared deviations from the mean; exactly 0 where it is nothing but rounding."""
    spread = squares - sums * sums / n
    return np.where(spread > _CONSTANT * squares, spread, 0)


def _made_of_sums(key: str, title: str, meaning: str, **about: Any) -> Metric:
    return Metric(key, title, meaning, lambda p: p.figures[key], lambda p: p.drawn[key], **about)


METRICS = (
    _made_of_sums("r2", "R²", "share of the variance that is explained"),
    _made_of_sums(
        "mae",
        "Mean absolute error",
        "in the target's unit",
        unit="target",
        better="lower",
        costs=lambda outputs, y, weights: np.abs(outputs[:, 0].astype(np.float64) - y),
    ),
    _made_of_sums("rmse", "Root mean squared error", "large errors count more", unit="target", better="lower"),
    _made_of_sums("pearson", "Pearson", "correlation with the target; 1 is ideal", unit="target"),
    _made_of_sums("spearman", "Spearman", "correlation of ranks; 1 is ideal", unit="target"),
    Metric(
        "coverage",
        "Coverage",
        "of the 90 % intervals",
        lambda p: coverage(p.errors, p.width),
        lambda p: share_interval(np.abs(p.errors) <= p.width, p.clusters),
    ),
)


def evaluate(
    values: np.ndarray,
    y: np.ndarray,
    *,
    mean: float,
    width: float,
    groups: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    where: Sequence[str] | None = None,
    times: int = TIMES,
    metrics: Sequence[Metric] = METRICS,
) -> Scores:
    """Score predicted numbers against the true ones.

    Args:
        values: (n,). y: (n,). mean: of the training targets, which the baseline always gives.
        width: half of a prediction's 90 % interval.
        groups: (n,) int, equal for examples that belong together: they are drawn together.
        clusters: (n,) the same, where the user names such; None: only what is nearly the same belongs together.
        where: (n,) how to point at each example.
        times: how many draws intervals are made of.
        metrics: what is measured.

    Raises:
        DataError: no test examples. ModelError: a prediction that is not a number. ValueError: shapes that do not fit
            together, or a number that is not finite or beyond 1e100.
    """
    values, y = np.asarray(values, dtype=np.float64), np.asarray(y, dtype=np.float64)
    refuse_none(len(y))
    if y.ndim != 1 or values.shape != y.shape:
        raise ValueError(f"predicted {values.shape} and true numbers {y.shape} do not fit together")
    if not np.isfinite(values).all():
        raise ModelError("the model gave a value that is not a number", fix="fit again, or choose another --model")
    if not max(float(np.abs(numbers).max()) for numbers in (values, y, np.array([mean]))) <= _MOST:  # nor if nan
        raise ValueError(f"a number is not finite, or beyond {_MOST:g}")
    predicted, which = Predicted(values, y, width, groups, times=times, clusters=clusters), _sizes(y)
    always, spread = mean - y, float(np.square(y - y.mean()).sum())
    return Scores.measured(
        predicted,
        metrics,
        n=len(y),
        details={
            "baseline": {
                "mean": rounded(mean),
                "mae": rounded(np.abs(always).mean()),
                "rmse": rounded(np.sqrt((always**2).mean())),
                "r2": rounded(1 - np.square(always).sum() / spread) if spread else 0.0,
            },
            "bins": _bins(predicted, which),
        },
        mistakes=_mistakes(predicted, where),
        exhibits=of_numbers(values, y, which),
    )


def _sizes(y: np.ndarray) -> np.ndarray:
    """(n,) which bin of targets each is in: at most ten of at least five examples, and equal targets are in one."""
    ordered, n = np.sort(y), len(y)
    bins = min(_MOST_BINS, max(1, n // _FEWEST_IN_A_BIN))
    firsts = np.unique(ordered[[n * b // bins for b in range(bins)]])  # the smallest target of each bin
    return np.searchsorted(firsts, y, side="right") - 1


def _bins(p: Predicted, which: np.ndarray) -> list[dict[str, Any]]:
    """Errors by size of the target."""
    rows = []
    for number in range(int(which.max()) + 1):
        mine = which == number
        rows.append(
            {
                "low": rounded(p.y[mine].min()),
                "high": rounded(p.y[mine].max()),
                "count": int(mine.sum()),
                "mae": rounded(np.abs(p.errors[mine]).mean()),
                "bias": rounded(p.errors[mine].mean()),
            }
        )
    return rows


def _mistakes(p: Predicted, where: Sequence[str] | None) -> tuple[Mapping[str, Any], ...]:
    """The largest errors first."""
    order = np.argsort(-np.abs(p.errors), kind="stable")[:MOST_MISTAKES]
    return tuple(
        {
            "where": f"row {row + 1}" if where is None else where[row],
            "true": rounded(p.y[row]),
            "predicted": rounded(p.values[row]),
        }
        for row in order.tolist()
    )
