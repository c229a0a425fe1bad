"""A linear head on frozen features: penalty by cross-validation, temperature from held-out logits, all folded in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.adapt.basis import Basis
from headstart.adapt.solver import Solution, solve_path
from headstart.backbone import Features, Head, Matrix
from headstart.evaluate.calibration import temperature
from headstart.evaluate.criterion import BY_LOSS, Criterion
from headstart.evaluate.metrics import log_losses
from headstart.evaluate.paired_test import HeldOut
from headstart.storage.matrix import blocks

PENALTIES = (
    1.0,
    0.3,
    0.1,
    0.03,
    0.01,
    0.003,
    0.001,
    0.0003,
    0.0001,
)  # strong to weak, for a mean variance of 1
UNBALANCED = 3.0  # largest class over smallest from which class weights are tried
_MANY = 2000  # examples from which the strongest penalties hardly ever win, and are tried only where it looks so
_STRONGEST_FOR_MANY = 0.03
_CLEAR_RISE = 1.01  # held-out log loss over the best so far that ends the search at once
_SEARCH_TOLERANCE = 1e-2  # enough to rank penalties
_TOLERANCE = 2e-6  # of the head itself: probabilities within 0.001 of the optimum, whatever the processor


@dataclass(frozen=True)
class _Trial:
    """One penalty, measured on each example by the fold that did not see it."""

    solution: Solution
    fared: HeldOut  # at its best temperature, since that is what the user gets
    macro_recall: float

    def row(self) -> dict[str, float]:
        told = {"log_loss": round(self.fared.log_loss, 6), "accuracy": round(self.fared.accuracy, 6)}
        told |= {} if self.fared.other is None else {"cost": round(self.fared.cost, 6)}
        return {"penalty": self.solution.penalty, **told}


@dataclass(frozen=True)
class _Search:
    """The training part, cut into folds, in the basis that the solver works in."""

    x: Matrix
    y: np.ndarray
    fold: np.ndarray
    basis: Basis
    n_classes: int
    by: Criterion
    advance: Callable[[int], None]

    @property
    def weights(self) -> np.ndarray:
        """(n,) of the examples, classes counting alike."""
        return np.ones(len(self.y), dtype=np.float32) if self.by.weights is None else self.by.weights

    def path(self, penalties: Sequence[float], weights: np.ndarray, start: Solution | None = None) -> Iterator[_Trial]:
        """Try penalty after penalty with these example weights."""
        numbers = np.unique(self.fold)
        held_out = np.stack([self.fold != k for k in numbers]).astype(np.float32) * weights
        for solution in solve_path(
            self.x,
            self.y,
            example_weights=held_out,
            basis=self.basis,
            n_classes=self.n_classes,
            penalties=penalties,
            tolerance=_SEARCH_TOLERANCE,
            start=start,
        ):
            logits = held_out_logits(self.x, np.searchsorted(numbers, self.fold), solution)
            self.advance(1)
            t = temperature(logits, self.y, self.by.weights)
            logits /= np.float32(t)
            losses, right = log_losses(logits, self.y), logits.argmax(axis=1) == self.y
            fared = HeldOut(losses, right, t, self.by.weights, self.by.cost(logits, self.y))
            yield _Trial(solution, fared, _macro_recall(self.y, right, self.by.weights))

    def solve(self, weights: np.ndarray, penalty: float, start: Solution) -> Solution:
        """All examples, to the end."""
        path = solve_path(
            self.x,
            self.y,
            example_weights=weights[None],
            basis=self.basis,
            n_classes=self.n_classes,
            penalties=[penalty],
            tolerance=_TOLERANCE,
            start=start,
        )
        return next(path)


def probe(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    names: tuple[str, ...],
    fold: np.ndarray,
    by: Criterion = BY_LOSS,
    advance: Callable[[int], None] = lambda _: None,
) -> Head:
    """Multinomial logistic regression, chosen on the training part only.

    The penalty with the lowest held-out log loss, at its best temperature, wins. Where the largest class has over
    three times the examples of the smallest, class weights (inverse square root of the class's share) are tried too,
    and taken if the held-out mean recall rises by more than the held-out accuracy falls. Where the user chooses by
    something else, that decides both; what is equally good goes to the stronger penalty, and to equal weights.

    Args:
        features: (n, d), of the training part.
        y: (n,) class indices.
        basis: of these features.
        names: of the classes, by index.
        fold: (n,) which fold each row is held out in.
        by: what is chosen by; its weights count in the fit, too.
        advance: told 1 for each penalty tried.
    """
    search, _ = _search(basis.transform(features.matrix), y, fold, basis, len(names), by, advance)
    y, weights, per_class = search.y, search.weights, None
    best, rows = _best_penalty(search, weights)
    counts = np.bincount(y, weights=search.by.weights, minlength=len(names))
    if counts.max() > UNBALANCED * counts[counts > 0].min():
        tried = np.sqrt(counts.sum() / (len(names) * np.where(counts > 0, counts, 1))).astype(np.float32)
        other = next(search.path([best.solution.penalty], weights * tried[y], best.solution))
        if _weights_pay(best, other):
            best, weights, per_class = other, weights * tried[y], tried
    solution = search.solve(weights, best.solution.penalty, best.solution.mean())
    weight, bias = basis.fold_in(solution.at[0])
    named = None if per_class is None else dict(zip(names, np.round(per_class, 4).tolist(), strict=True))
    return Head(
        classes=names,
        weight=(weight / best.fared.temperature).astype(np.float32),
        bias=(bias / best.fared.temperature).astype(np.float32),
        features_key=features.key,
        penalty=solution.penalty,
        temperature=best.fared.temperature,
        cross_validation=tuple(rows),
        class_weights=named,
    )


def _weights_pay(equal: _Trial, weighted: _Trial) -> bool:
    """Whether class weights do better than none at the same penalty."""
    if equal.fared.other is not None:
        return weighted.fared.cost < equal.fared.cost
    return weighted.macro_recall - equal.macro_recall > max(0.0, equal.fared.accuracy - weighted.fared.accuracy)


def refit(features: Features, y: np.ndarray, *, basis: Basis, like: Head, weights: np.ndarray | None = None) -> Head:
    """A head learned from these rows by what `like`, learned from most of them, was found to need: its penalty, class
    weights and temperature. Arguments as in `probe`."""
    per_class = class_weights(like)
    each = np.ones(len(y), dtype=np.float32) if per_class is None else per_class[y]
    path = solve_path(
        basis.transform(features.matrix),
        y,
        example_weights=(each if weights is None else each * weights)[None],
        basis=basis,
        n_classes=len(like.classes),
        penalties=[like.penalty],
        tolerance=_TOLERANCE,
    )
    weight, bias = basis.fold_in(next(path).at[0])
    return replace(
        like,
        weight=(weight / like.temperature).astype(np.float32),
        bias=(bias / like.temperature).astype(np.float32),
        features_key=features.key,
        cross_validation=(),
    )


def class_weights(head: Head) -> np.ndarray | None:
    """(c,) float32, in the order of its classes; None where they are not weighted."""
    if head.class_weights is None:
        return None
    return np.array([head.class_weights[name] for name in head.classes], dtype=np.float32)


def cross_validate(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    n_outputs: int,
    fold: np.ndarray,
    by: Criterion = BY_LOSS,
) -> HeldOut:
    """Only the search of `probe`, for its verdict on the features: no head is made. Arguments as there."""
    search, order = _search(basis.transform(features.matrix), y, fold, basis, n_outputs, by, lambda _: None)
    best, _ = _best_penalty(search, search.weights)
    return best.fared.of(np.argsort(order))


def _search(
    x: Matrix,
    y: np.ndarray,
    fold: np.ndarray,
    basis: Basis,
    n_classes: int,
    by: Criterion,
    advance: Callable[[int], None],
) -> tuple[_Search, np.ndarray]:
    """The search, and the order in which it has the rows."""
    x, order = by_fold(x, fold)
    return _Search(x, y[order], fold[order], basis, n_classes, by.of(order), advance), order


def _best_penalty(search: _Search, weights: np.ndarray) -> tuple[_Trial, list[dict[str, float]]]:
    """Go from strong to weak until the held-out log loss has clearly risen, or risen twice. Other costs may rise by
    chance and fall again: then to the end. Where the strongest that many examples begin with is the best, go up too.
    """
    strongest = PENALTIES[0] if len(search.y) < _MANY else _STRONGEST_FOR_MANY
    trials = search.path([p for p in PENALTIES if p <= strongest], weights)
    best = last = next(trials)
    rows, rises = [best.row()], 0
    for trial in trials:
        rows.append(trial.row())
        rises = rises + 1 if trial.fared.log_loss > last.fared.log_loss else 0
        if search.by.costs is None and (trial.fared.log_loss > _CLEAR_RISE * best.fared.log_loss or rises == 2):
            break
        best, last = min(best, trial, key=lambda t: t.fared.cost), trial
    stronger = [p for p in reversed(PENALTIES) if p > strongest]
    if best.solution.penalty == strongest and stronger:
        for trial in search.path(stronger, weights, best.solution):
            rows.insert(0, trial.row())
            if trial.fared.cost <= best.fared.cost:
                best = trial
            elif search.by.costs is None:
                break
    return best, rows


def by_fold(x: Matrix, fold: np.ndarray) -> tuple[Matrix, np.ndarray]:
    """The rows of each fold together, so that a problem skips the slices that it leaves out; and the order they are in.

    Rows on disk stay where they are.
    """
    if not isinstance(x, np.ndarray):
        return x, np.arange(len(fold))
    order = np.argsort(fold, kind="stable")
    return x[order], order


def held_out_logits(x: Matrix, number: np.ndarray, solution: Solution) -> np.ndarray:
    """(n, c): each example's logits from the problem that left it out."""
    k, c, _ = solution.at.shape
    logits = np.empty((len(number), c), dtype=np.float32)
    for rows, block in blocks(x):
        for fold in range(k):
            mine = number[rows] == fold
            logits[rows][mine] = block[mine] @ solution.at[fold].T
    return logits


def _macro_recall(y: np.ndarray, right: np.ndarray, weights: np.ndarray | None) -> float:
    """The mean recall of the classes that there are."""
    counts = np.bincount(y, weights=weights)
    hits = np.bincount(y, weights=right if weights is None else right * weights)
    return float((hits[counts > 0] / counts[counts > 0]).mean())
