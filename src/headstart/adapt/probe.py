"""A linear head on frozen features: penalty by cross-validation, temperature from held-out logits, all folded in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headstart.adapt.solver import Basis, Solution, basis, solve_path
from headstart.values import Features, Head

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)  # strong to weak, on standardised features
UNBALANCED = 3.0  # largest class over smallest from which class weights are tried
_MANY = 2000  # examples from which the strongest penalties never win and are not tried
_STRONGEST_FOR_MANY = 0.1
_SEARCH_TOLERANCE = 1e-3  # enough to rank penalties; the head itself is solved to the tolerance below
_FINAL_TOLERANCE = 1e-5


@dataclass(frozen=True)
class _Search:
    penalty: float
    logits: np.ndarray  # (n, c) held-out
    rows: tuple[dict[str, float], ...]
    macro_recall: float
    accuracy: float


def probe(
    features: Features,
    y: np.ndarray,
    *,
    classes: tuple[str, ...],
    fold: np.ndarray,
    temperature: Callable[[np.ndarray, np.ndarray], float],
    advance: Callable[[int], None] = lambda _: None,
) -> Head:
    """Multinomial logistic regression, chosen on the training part only.

    The penalty with the lowest held-out log loss wins. Where the largest class has over three times the examples of
    the smallest, class weights (inverse square root of the class's share) are tried too, and taken if the held-out
    mean recall rises by more than the held-out accuracy falls.

    Args:
        features: (n, d), of the training part.
        y: (n,) class indices.
        classes: names, by index.
        fold: (n,) which fold each row is held out in.
        temperature: held-out logits and y to a scalar; handed in, so that this room needs no other.
        advance: told 1 for each penalty tried.
    """
    x_basis = basis(features.array)
    x = x_basis.transform(features.array)
    counts = np.bincount(y, minlength=len(classes))
    even = np.ones(len(y), dtype=np.float32)
    path = PENALTIES if len(y) < _MANY else tuple(p for p in PENALTIES if p <= _STRONGEST_FOR_MANY)
    best, weights = _search(x, y, fold, even, x_basis, path, advance), None
    if counts.max() > UNBALANCED * counts[counts > 0].min():
        per_class = np.sqrt(len(y) / (len(classes) * np.maximum(counts, 1))).astype(np.float32)
        near = PENALTIES.index(best.penalty)  # weighting moves the best penalty little: look beside it only
        beside = PENALTIES[max(0, near - 1) : near + 2]
        other = _search(x, y, fold, per_class[y], x_basis, beside, advance)
        if other.macro_recall - best.macro_recall > max(0.0, best.accuracy - other.accuracy):
            best, weights = other, per_class
    example_weights = even if weights is None else weights[y]
    solution = _solve(x, y, example_weights, x_basis, len(classes), best.penalty)
    weight, bias = x_basis.fold_in(solution.weight[0].astype(np.float64), solution.bias[0].astype(np.float64))
    t = temperature(best.logits, y)
    return Head(
        classes=classes,
        weight=(weight / t).astype(np.float32),
        bias=(bias / t).astype(np.float32),
        features_key=features.key,
        penalty=best.penalty,
        temperature=t,
        cross_validation=best.rows,
        class_weights=None
        if weights is None
        else {c: round(float(w), 4) for c, w in zip(classes, weights, strict=True)},
    )


def _search(
    x: np.ndarray,
    y: np.ndarray,
    fold: np.ndarray,
    example_weights: np.ndarray,
    x_basis: Basis,
    penalties: tuple[float, ...],
    advance: Callable[[int], None],
) -> _Search:
    """Go down the penalties until the held-out log loss has risen twice."""
    n_classes = int(y.max()) + 1
    held_out = np.stack([fold != k for k in np.unique(fold)]).astype(np.float32) * example_weights
    number = np.searchsorted(np.unique(fold), fold)
    rows: list[dict[str, float]] = []
    best: _Search | None = None
    path = solve_path(
        x,
        y,
        example_weights=held_out,
        variance=x_basis.variance,
        n_classes=n_classes,
        penalties=penalties,
        tolerance=_SEARCH_TOLERANCE,
    )
    for solution in path:
        logits = np.empty((len(y), n_classes), dtype=np.float32)
        for k in range(len(held_out)):
            mine = number == k
            logits[mine] = x[mine] @ solution.weight[k] + solution.bias[k]
        loss, accuracy, recall = _held_out_scores(logits, y, n_classes)
        rows.append({"penalty": solution.penalty, "log_loss": round(loss, 6), "accuracy": round(accuracy, 6)})
        advance(1)
        if best is None or loss < min(row["log_loss"] for row in rows[:-1]):
            best = _Search(solution.penalty, logits, (), recall, accuracy)
        elif len(rows) > 2 and rows[-1]["log_loss"] > rows[-2]["log_loss"] > rows[-3]["log_loss"]:
            break
    if best is None:
        raise ValueError("no penalty was tried")
    return _Search(best.penalty, best.logits, tuple(rows), best.macro_recall, best.accuracy)


def _held_out_scores(logits: np.ndarray, y: np.ndarray, n_classes: int) -> tuple[float, float, float]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    loss = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    right = logits.argmax(axis=1) == y
    counts = np.bincount(y, minlength=n_classes)
    recall = np.bincount(y, weights=right, minlength=n_classes)[counts > 0] / counts[counts > 0]
    return float(loss.mean()), float(right.mean()), float(recall.mean())


def _solve(
    x: np.ndarray, y: np.ndarray, example_weights: np.ndarray, x_basis: Basis, n_classes: int, penalty: float
) -> Solution:
    path = solve_path(
        x,
        y,
        example_weights=example_weights[None],
        variance=x_basis.variance,
        n_classes=n_classes,
        penalties=[penalty],
        tolerance=_FINAL_TOLERANCE,
    )
    return next(iter(path))
