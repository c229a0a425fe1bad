"""Heads for numbers: ridge regression in closed form, all folds from one pass over the features."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.basis import Basis
from headstart.adapt.family import Family
from headstart.evaluate.conformal import half_width
from headstart.evaluate.paired_test import HeldOut
from headstart.storage.matrix import blocks
from headstart.values import Features, Head, Matrix

if TYPE_CHECKING:
    from headstart.adapt.loop import Loss

_PENALTIES = tuple(float(p) for p in 10.0 ** np.arange(1, -5.5, -0.5))  # strong to weak, for a mean variance of 1
_NEAR = 0.25  # of the targets' deviation: a prediction within it counts as right


def probe(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    names: tuple[str, ...],
    fold: np.ndarray,
    advance: Callable[[int], None] = lambda _: None,
) -> Head:
    """Ridge regression, chosen on the training part only: the penalty with the least held-out squared error wins.

    The width of its intervals is from the held-out errors.

    Args:
        features: (n, d). y: (n,) numbers. basis: of these features. fold: (n,) which fold each row is held out in.
        names: none. advance: told 1 for each penalty tried.

    Source: Hoerl and Kennard, Ridge Regression: Biased Estimation for Nonorthogonal Problems, Technometrics 12, 1970.
    """
    penalty, predicted, rows = _search(basis.transform(features.matrix), y, fold=fold, advance=advance)
    head = _solved(features, y, basis=basis, penalty=penalty)
    return calibrated(replace(head, cross_validation=tuple(rows)), predicted[:, None], y)


def refit(features: Features, y: np.ndarray, *, basis: Basis, like: Head) -> Head:
    """A head learned from these rows with the penalty and the width of another."""
    return replace(_solved(features, y, basis=basis, penalty=like.penalty), width=like.width)


def held_out(features: Features, y: np.ndarray, *, basis: Basis, n_outputs: int, fold: np.ndarray) -> HeldOut:
    """How each example fared at the best penalty, by a head that did not learn from its fold."""
    _, predicted, _ = _search(basis.transform(features.matrix), y, fold=fold, advance=lambda _: None)
    return judged(predicted[:, None], y)


def judged(outputs: np.ndarray, y: np.ndarray) -> HeldOut:
    """(n, 1) predictions and (n,) numbers: the log loss of a Gaussian with the targets' own deviation, but for a
    constant; right is what lies within a quarter of that."""
    deviation = float(np.std(y, dtype=np.float64)) or 1.0
    errors = (outputs[:, 0].astype(np.float64) - y) / deviation
    return HeldOut(errors**2 / 2, np.abs(errors) <= _NEAR)


def calibrated(head: Head, outputs: np.ndarray, y: np.ndarray) -> Head:
    """The head with the width of its intervals, from (n, 1) predictions for examples that it has not learned from."""
    return replace(head, width=half_width(outputs[:, 0].astype(np.float64) - y))


def _search(
    x: Matrix, y: np.ndarray, *, fold: np.ndarray, advance: Callable[[int], None]
) -> tuple[float, np.ndarray, list[dict[str, float]]]:
    """The best penalty, each example's prediction by the fold that left it out, and a row a penalty that was tried.

    Without a fold, the sums of products are those of all examples less its own: one pass makes them all. Penalties go
    from strong to weak until the error has risen twice.
    """
    numbers = np.unique(fold)
    place, (mean, deviation) = np.searchsorted(numbers, fold), _scale(y)
    gram, with_y, counts = _sums(x, (y - mean) / deviation, place, len(numbers))
    others = [whole.sum(axis=0) - whole for whole in (gram, with_y, counts)]
    spread, best, last, rises = float(np.var(y, dtype=np.float64)) or 1.0, math.inf, math.inf, 0
    chosen, found, tried = _PENALTIES[0], np.zeros(len(y)), list[dict[str, float]]()
    for penalty in _PENALTIES:
        at = np.stack([_solution(a, b, int(n), penalty) for a, b, n in zip(*others, strict=True)])
        predicted = mean + deviation * _by_fold(x, at, place)
        squared = float(((predicted - y) ** 2).mean())
        advance(1)
        tried.append({"penalty": penalty, "rmse": round(math.sqrt(squared), 6), "r2": round(1 - squared / spread, 6)})
        rises = rises + 1 if squared > last else 0
        if squared < best:
            best, chosen, found = squared, penalty, predicted
        if rises == 2:
            break
        last = squared
    return chosen, found, tried


def _by_fold(x: Matrix, at: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(n,) each example's prediction by the weights (k, r) of its fold."""
    predicted = np.empty(len(place))
    for rows, block in blocks(x):
        predicted[rows] = np.einsum("nr,nr->n", block, at[place[rows]])
    return predicted


def _sums(x: Matrix, y: np.ndarray, place: np.ndarray, folds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each fold: x.T x (k, r, r), x.T y (k, r) and how many rows (k,), in float64."""
    r = x.shape[1]
    gram, with_y = np.zeros((folds, r, r)), np.zeros((folds, r))
    for rows, block in blocks(x):
        for k in range(folds):
            mine = block[place[rows] == k].astype(np.float64)
            gram[k] += mine.T @ mine
            with_y[k] += mine.T @ y[rows][place[rows] == k]
    return gram, with_y, np.bincount(place, minlength=folds)


def _solution(gram: np.ndarray, with_y: np.ndarray, n: int, penalty: float) -> np.ndarray:
    """(r,) weights; the last column of the features is one of ones, whose weight is not penalised.

    That column is taken out by centring, so that one penalty stands on the diagonal of what is left.
    """
    n = max(1, n)
    sums, sum_y = gram[-1, :-1], with_y[-1]
    centred = (gram[:-1, :-1] - np.outer(sums, sums) / n) / n
    centred[np.diag_indices_from(centred)] += penalty
    weights = np.linalg.solve(centred, (with_y[:-1] - sums * sum_y / n) / n)
    return np.append(weights, (sum_y - weights @ sums) / n)


def _solved(features: Features, y: np.ndarray, *, basis: Basis, penalty: float) -> Head:
    """The head that all examples give with one penalty."""
    mean, deviation = _scale(y)
    x = basis.transform(features.matrix)
    gram, with_y, counts = _sums(x, (y - mean) / deviation, np.zeros(len(y), dtype=np.int64), 1)
    weight, bias = basis.fold_in(_solution(gram[0], with_y[0], int(counts[0]), penalty)[None])
    return Head(
        classes=("value",),
        weight=(deviation * weight).astype(np.float32),
        bias=(mean + deviation * bias).astype(np.float32),
        features_key=features.key,
        penalty=penalty,
        temperature=1.0,
        mean=mean,
        deviation=deviation,
    )


def _scale(y: np.ndarray) -> tuple[float, float]:
    return float(np.mean(y, dtype=np.float64)), float(np.std(y, dtype=np.float64)) or 1.0


def _loss(y: np.ndarray, head: Head, device: str) -> Loss:
    """Half the squared error, in deviations of the targets."""
    import torch

    wanted = torch.from_numpy(y)

    def loss(outputs: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        return ((outputs[:, 0] - wanted[rows].to(outputs.device)) / head.deviation).square() / 2

    return loss


def _how_many_folds(n: int, n_outputs: int) -> int:
    return 5


def _uncertainty(outputs: np.ndarray) -> np.ndarray:
    """A prediction says nothing of how sure it is: all alike."""
    return np.zeros(len(outputs))


GAUSSIAN = Family(
    probe=probe,
    refit=refit,
    held_out=held_out,
    how_many_folds=_how_many_folds,
    loss=_loss,
    judged=judged,
    uncertainty=_uncertainty,
    by_words=None,
    smoothing=False,
    calibrated=calibrated,
)
