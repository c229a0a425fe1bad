"""Heads for numbers: ridge regression in closed form, its penalty by cross-validation.

The features are gone through once: each fold's Gram matrix (r + 2 squared, with the column of ones and the target) says
all that is needed of it. All of them less one fold's are what the heads without that fold are made from; one
eigendecomposition of that serves every penalty, and the fold's own Gram matrix says how far off each of them is there,
so that no example is predicted before the penalty is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.basis import Basis
from headstart.adapt.family import Family, Probed
from headstart.backbone import Features, Head, Matrix
from headstart.clock import UNLIMITED, Budget
from headstart.evaluate.conformal import LEVEL, half_width, promised
from headstart.evaluate.criterion import BY_LOSS, Criterion, mean_cost
from headstart.evaluate.paired_test import HeldOut
from headstart.storage.matrix import blocks, take
from headstart.task import rounded

if TYPE_CHECKING:
    from headstart.adapt.loop import Loss

# Strong to weak, for a target of variance 1 and features of a mean variance of 1; another one costs next to nothing.
PENALTIES = tuple(float(f"{digit}e{power}") for power in range(3, -6, -1) for digit in (3, 1))
_NEAR = 0.25  # of the targets' deviation: a prediction within it counts as right


@dataclass(frozen=True)
class Search:
    """The penalty that was found, and what is known of the examples at it."""

    penalty: float  # of a target of variance 1
    predicted: np.ndarray  # (n,) float64: each example's prediction by a head of that penalty that left its fold out
    rows: tuple[dict[str, float], ...]  # one a penalty: penalty, rmse, r2 (none where the target is constant)
    gram: np.ndarray  # (r + 2, r + 2) of all examples, with the standardised target as the last column


def probe(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    names: tuple[str, ...],
    fold: np.ndarray,
    by: Criterion = BY_LOSS,
    within: Budget = UNLIMITED,
    advance: Callable[[int], None] = lambda _: None,
) -> Probed:
    """Ridge regression, with the penalty of the least held-out squared error; of equal ones, the strongest.

    It minimises the (weighted) mean of (y - f(x))^2 + penalty * |W|^2, the bias not penalised, where y has variance 1
    and W are the weights on the transformed features. Exact, also where there are more features than examples; float64
    throughout, so that the order of the rows changes the last digits only. The width of its intervals is from the
    held-out errors.

    Args:
        features: (n, d), of the training part. y: (n,) numbers, finite. basis: of these features. names: none.
        fold: (n,) which fold each row is held out in; at least two of them.
        by: what the penalty is chosen by; its weights count in the fit, too.
        within: not asked: each fold is gone through once.
        advance: told 1 for each fold.

    Raises:
        ValueError: fewer than two folds, shapes that do not fit together, or a y that is not finite.

    Source: Hoerl and Kennard, Ridge Regression, Technometrics 12, 1970; Hastie, Tibshirani and Friedman, The Elements
    of Statistical Learning, 2nd edition, 2009, sections 3.4.1 and 7.10.
    """
    found = search(basis.transform(features.matrix), y, fold=fold, by=by, advance=advance)
    head = _head(found.gram, _scale(y, by.weights), features.key, basis=basis, penalty=found.penalty)
    outputs = found.predicted[:, None]
    head = calibrated(replace(head, cross_validation=found.rows), outputs, y, by.weights)
    return Probed(head, outputs, np.arange(len(y)))


def refit(features: Features, y: np.ndarray, *, basis: Basis, like: Head, weights: np.ndarray | None = None) -> Head:
    """A head learned from these rows with the penalty and the width of another."""
    y = np.asarray(y, dtype=np.float64)
    mean, deviation = _scale(y, weights)
    everything = np.zeros(len(y), dtype=np.int64)
    (gram,) = _grams(basis.transform(features.matrix), (y - mean) / deviation, everything, weights)
    head = _head(gram, (mean, deviation), features.key, basis=basis, penalty=like.penalty)
    return replace(head, width=like.width)


def by_parts(
    features: Features, y: np.ndarray, *, basis: Basis, like: Head, counted: np.ndarray, asked: Matrix
) -> Iterator[np.ndarray]:
    """As `Family.by_parts`: one head after the other, each solved when it is asked for."""
    x, others, y = basis.transform(features.matrix), basis.transform(asked), np.asarray(y, dtype=np.float64)
    for weights in counted:
        rows = np.flatnonzero(weights)
        mean, deviation = _scale(y[rows], weights[rows])
        scaled, place = (y[rows] - mean) / deviation, np.zeros(len(rows), dtype=np.int64)
        (gram,) = _grams(take(x, rows), scaled, place, weights[rows])
        at, outputs = _solve_one(gram, like.penalty), np.empty((len(others), 1), dtype=np.float32)
        for some, block in blocks(others):
            outputs[some, 0] = mean + deviation * (block @ at)
        yield outputs


def held_out(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    n_outputs: int,
    fold: np.ndarray,
    by: Criterion = BY_LOSS,
) -> HeldOut:
    """How each example fared at the best penalty, by a head that did not learn from its fold."""
    found = search(basis.transform(features.matrix), y, fold=fold, by=by)
    return judged(found.predicted[:, None], y, by)


def judged(outputs: np.ndarray, y: np.ndarray, by: Criterion = BY_LOSS) -> HeldOut:
    """(n, 1) predictions and (n,) numbers: the log loss of a Gaussian with the targets' own deviation, but for a
    constant; right is what lies within a quarter of that."""
    _, deviation = _scale(y, by.weights)
    errors = (outputs[:, 0].astype(np.float64) - y) / deviation
    right, other = np.abs(errors) <= _NEAR, by.cost(outputs, y)
    return HeldOut(errors**2 / 2, right, weights=by.weights, other=other, groups=by.groups)


def calibrated(head: Head, outputs: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Head:
    """The head with the width of its intervals, from (n, 1) predictions for examples that it has not learned from.

    It is never below what float32 can tell apart: nothing is certain.
    """
    width = half_width(outputs[:, 0].astype(np.float64) - y, weights=weights)
    return replace(head, width=max(width, float(np.finfo(np.float32).eps) * head.deviation))


def search(
    x: Matrix,
    y: np.ndarray,
    *,
    fold: np.ndarray,
    by: Criterion = BY_LOSS,
    advance: Callable[[int], None] = lambda _: None,
) -> Search:
    """The best penalty, all of them tried on each example by the fold that left it out.

    Args:
        x: (n, r + 1), transformed. y: (n,). fold: (n,). by: as in `probe`. advance: told 1 for each fold.

    Raises:
        ValueError: as in `probe`.
    """
    y, place = np.asarray(y, dtype=np.float64), np.unique(fold, return_inverse=True)[1]
    _check(x, y, place)
    weights = by.weights
    mean, deviation = _scale(y, weights)
    grams = _grams(x, (y - mean) / deviation, place, weights)
    total = grams.sum(axis=0)
    held_out, errors = [], np.zeros(len(PENALTIES))
    for number, gram in enumerate(grams):
        # of a fold with nearly all weight a subtraction would leave nothing but rounding
        others = total - gram if weights is None else np.delete(grams, number, axis=0).sum(axis=0)
        held_out.append(_solve(others, PENALTIES))
        errors += _squared_errors(gram, held_out[-1])
        advance(1)
    errors /= len(y) if weights is None else weights.sum()
    rows = _rows(errors.tolist(), deviation, varies=float(total[-1, -1]) > 0)

    def predicted(penalty: int) -> np.ndarray:
        return mean + deviation * _by_fold(x, np.stack([at[penalty] for at in held_out]), place)

    if by.costs is not None:  # of each example: no sum of squares says them
        costs = [by.costs(predicted(penalty)[:, None], y, weights) for penalty in range(len(PENALTIES))]
        errors = np.array([mean_cost(each, weights) for each in costs])
        rows = [row | {"cost": rounded(error)} for row, error in zip(rows, errors.tolist(), strict=True)]
    best = int(np.argmin(errors))
    return Search(PENALTIES[best], predicted(best), tuple(rows), total)


def _check(x: Matrix, y: np.ndarray, place: np.ndarray) -> None:
    if y.ndim != 1 or not len(y) == len(place) == len(x):
        raise ValueError(f"features {x.shape}, y {y.shape} and fold {place.shape} do not fit together")
    if not np.isfinite(y).all():
        raise ValueError("y must be finite")
    if len(y) == 0 or place.max() < 1:
        raise ValueError("cross-validation needs at least two folds")


def _scale(y: np.ndarray, weights: np.ndarray | None) -> tuple[float, float]:
    """Mean and standard deviation; of a constant exactly that and 1, where rounding would make a deviation of it."""
    if np.all(y == y[0]):
        return float(y[0]), 1.0
    if weights is not None:
        middle = float(np.average(y, weights=weights))
        return middle, sqrt(float(np.average((y - middle) ** 2, weights=weights))) or 1.0
    return float(np.mean(y, dtype=np.float64)), float(np.std(y, dtype=np.float64)) or 1.0


def _grams(x: Matrix, y: np.ndarray, place: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """(k, r + 2, r + 2) float64: of each fold's rows, weighted, with the target as the last column."""
    k, side = int(place.max()) + 1, x.shape[1] + 1
    grams = np.zeros((k, side, side))
    for rows, block in blocks(x):
        whole = np.column_stack([block.astype(np.float64), y[rows]])
        for fold in np.unique(place[rows]):
            mine = place[rows] == fold
            part = whole[mine]
            grams[fold] += part.T @ (part if weights is None else weights[rows][mine, None] * part)
    return grams


def _solve(gram: np.ndarray, penalties: tuple[float, ...]) -> np.ndarray:
    """(p, r + 1): the weights and, last, the bias that are best for these examples at each penalty."""
    mass, means = gram[-2, -2], gram[-2] / gram[-2, -2]
    covariance = gram / mass - np.outer(means, means)
    values, vectors = np.linalg.eigh(covariance[:-2, :-2])
    along = vectors.T @ covariance[:-2, -1]
    weights = (along / (np.maximum(values, 0) + np.array(penalties)[:, None])) @ vectors.T
    return np.column_stack([weights, means[-1] - weights @ means[:-2]])


def _solve_one(gram: np.ndarray, penalty: float) -> np.ndarray:
    """(r + 1,) as a row of `_solve`, of one penalty, for which no eigenvectors are needed."""
    mass, means = gram[-2, -2], gram[-2] / gram[-2, -2]
    covariance = gram / mass - np.outer(means, means)
    side = len(covariance) - 2
    weights = np.linalg.solve(covariance[:side, :side] + penalty * np.eye(side), covariance[:side, -1])
    return np.append(weights, means[-1] - weights @ means[:side])


def _squared_errors(gram: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(p,) sum over a fold of squared errors, from its Gram matrix: the target's row is the prediction's."""
    difference = np.column_stack([at, np.full(len(at), -1.0)])
    return np.maximum(np.vecdot(difference @ gram, difference), 0)


def _by_fold(x: Matrix, at: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(n,) float64 from (k, r + 1): each example's prediction by the head that left its fold out."""
    predicted = np.empty(len(place))
    for rows, block in blocks(x):
        for fold in np.unique(place[rows]):
            mine = place[rows] == fold
            predicted[rows][mine] = block[mine].astype(np.float64) @ at[fold]
    return predicted


def _rows(errors: list[float], deviation: float, *, varies: bool) -> list[dict[str, float]]:
    """A row a penalty; `errors` are mean squares of a target of variance 1, unless it is constant."""
    told = zip(PENALTIES, errors, strict=True)
    rows = [{"penalty": p, "rmse": rounded(deviation * sqrt(e)), "r2": round(1 - e, 6)} for p, e in told]
    return rows if varies else [{key: row[key] for key in ("penalty", "rmse")} for row in rows]


def _head(gram: np.ndarray, scale: tuple[float, float], features_key: str, *, basis: Basis, penalty: float) -> Head:
    """The head that all examples, of this Gram matrix, give with one penalty; scale: the target's mean, deviation."""
    mean, deviation = scale
    weight, bias = basis.fold_in(_solve(gram, (penalty,)))
    return Head(
        classes=("value",),
        weight=(deviation * weight).astype(np.float32),
        bias=(mean + deviation * bias).astype(np.float32),
        features_key=features_key,
        penalty=penalty,
        temperature=1.0,
        mean=mean,
        deviation=deviation,
    )


def _loss(y: np.ndarray, head: Head, device: str) -> Loss:
    """Half the squared error, in deviations of the targets."""
    import torch

    wanted = torch.from_numpy(y)

    def loss(outputs: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        return ((outputs[:, 0] - wanted[rows].to(outputs.device)) / head.deviation).square() / 2

    return loss


def _how_many_folds(n: int, n_outputs: int) -> int:
    return 5


def _constant(y: np.ndarray, n_outputs: int) -> np.ndarray:
    """The mean."""
    return np.array([np.mean(y, dtype=np.float64)])


def _uncertainty(outputs: np.ndarray) -> np.ndarray:
    """A prediction says nothing of how sure it is: all alike."""
    return np.zeros(len(outputs))


def _remarks(n: int) -> tuple[str, ...]:
    share = promised(n)
    if share >= LEVEL:
        return ()
    return (
        f"the {100 * LEVEL:.0f} % intervals promise {100 * share:.0f} % at most: they are from {n} examples that were "
        "held out, and nine at least are needed",
    )


GAUSSIAN = Family(
    link="identity",
    probe=probe,
    refit=refit,
    by_parts=by_parts,
    held_out=held_out,
    how_many_folds=_how_many_folds,
    loss=_loss,
    judged=judged,
    constant=_constant,
    uncertainty=_uncertainty,
    by_words=None,
    smoothing=False,
    calibrated=calibrated,
    remarks=_remarks,
)
