"""A linear head on frozen features: penalty by cross-validation, temperature from held-out logits, all folded in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from headstart.adapt.basis import Basis
from headstart.adapt.family import Probed
from headstart.adapt.penalty_path import (
    alike,
    best_penalty,
    by_fold,
    held_out_path,
    of_parts,
    relearned,
    solved,
)
from headstart.adapt.solver import Solution
from headstart.backbone import Features, Head, Matrix
from headstart.clock import UNLIMITED, Budget
from headstart.evaluate.calibration import temperature
from headstart.evaluate.criterion import BY_LOSS, Criterion
from headstart.evaluate.metrics import log_losses
from headstart.evaluate.paired_test import HeldOut

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
_STRONGEST_FOR_MANY = 0.03
_SEARCHING = 0.5  # of the time


@dataclass(frozen=True)
class _Trial:
    """One penalty, measured on each example by the fold that did not see it."""

    solution: Solution
    logits: np.ndarray  # (m, c) float32, at its best temperature, since that is what the user gets
    fared: HeldOut  # at that
    macro_recall: float

    @property
    def log_loss(self) -> float:
        return self.fared.log_loss

    @property
    def cost(self) -> float:
        """What is chosen by."""
        return self.fared.cost

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
    by: Criterion  # of all rows
    judged: np.ndarray  # (m,) rows that are held out in some fold
    advance: Callable[[int], None]
    within: Budget = UNLIMITED

    @property
    def weights(self) -> np.ndarray:
        """(n,) of the examples, classes counting alike."""
        return alike(len(self.y)) if self.by.weights is None else self.by.weights

    def path(self, weights: np.ndarray, penalties: Sequence[float], start: Solution | None) -> Iterator[_Trial]:
        """Try penalty after penalty with these example weights."""
        y, by = self.y[self.judged], self.by.of(self.judged)
        for solution, logits in held_out_path(
            self.x,
            self.y,
            self.fold,
            basis=self.basis,
            n_outputs=self.n_classes,
            weights=weights,
            penalties=penalties,
            start=start,
            within=self.within,
        ):
            self.advance(1)
            t = temperature(logits, y, by.weights)
            logits /= np.float32(t)
            losses, right = log_losses(logits, y), logits.argmax(axis=1) == y
            fared = HeldOut(losses, right, t, by.weights, by.cost(logits, y), by.groups)
            yield _Trial(solution, logits, fared, _macro_recall(y, right, by.weights))

    def best(self) -> tuple[_Trial, list[dict[str, float]]]:
        """The best penalty where classes count alike, and what was tried."""
        return best_penalty(
            partial(self.path, self.weights),
            penalties=PENALTIES,
            strongest_for_many=_STRONGEST_FOR_MANY,
            n=len(self.judged),
            to_the_end=self.by.costs is not None,
        )


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
        fold: (n,) which fold each row is held out in; below 0: it is not judged, and comes last.
        by: what is chosen by; its weights count in the fit, too.
        within: half of it for the search, after which no further penalty is tried; of what there is then, a head is
            made in any case.
        advance: told 1 for each penalty tried.
    """
    search, order = _search(basis.transform(features.matrix), y, fold, basis, len(names), by, advance)
    search = replace(search, within=within.share(_SEARCHING))
    y, weights, per_class = search.y, search.weights, None
    best, rows = search.best()
    counts = np.bincount(y, weights=search.by.weights, minlength=len(names))
    if search.within.left > 0 and counts.max() > UNBALANCED * counts[counts > 0].min():
        tried = np.sqrt(counts.sum() / (len(names) * np.where(counts > 0, counts, 1))).astype(np.float32)
        other = next(search.path(weights * tried[y], [best.solution.penalty], best.solution))
        if _weights_pay(best, other):
            best, weights, per_class = other, weights * tried[y], tried
    penalty, start = best.solution.penalty, best.solution.mean()
    weight, bias = solved(
        search.x,
        y,
        basis=basis,
        n_outputs=len(names),
        weights=weights,
        penalty=penalty,
        start=start,
        within=within,
    )
    named = None if per_class is None else dict(zip(names, np.round(per_class, 4).tolist(), strict=True))
    head = Head(
        classes=names,
        weight=(weight / best.fared.temperature).astype(np.float32),
        bias=(bias / best.fared.temperature).astype(np.float32),
        features_key=features.key,
        penalty=penalty,
        temperature=best.fared.temperature,
        cross_validation=tuple(rows),
        class_weights=named,
    )
    judged = order[search.judged]
    return Probed(head, best.logits[np.argsort(judged)], np.sort(judged))


def _weights_pay(equal: _Trial, weighted: _Trial) -> bool:
    """Whether class weights do better than none at the same penalty."""
    if equal.fared.other is not None:
        return weighted.fared.cost < equal.fared.cost
    return weighted.macro_recall - equal.macro_recall > max(0.0, equal.fared.accuracy - weighted.fared.accuracy)


def refit(features: Features, y: np.ndarray, *, basis: Basis, like: Head, weights: np.ndarray | None = None) -> Head:
    """A head learned from these rows by what `like`, learned from most of them, was found to need: its penalty, class
    weights and temperature. Arguments as in `probe`."""
    per_class = class_weights(like)
    each = alike(len(y)) if per_class is None else per_class[y]
    weight, bias = solved(
        basis.transform(features.matrix),
        y,
        basis=basis,
        n_outputs=len(like.classes),
        weights=each if weights is None else each * weights,
        penalty=like.penalty,
    )
    return relearned(like, weight, bias, features.key)


def by_parts(
    features: Features, y: np.ndarray, *, basis: Basis, like: Head, counted: np.ndarray, asked: Matrix
) -> Iterator[np.ndarray]:
    """As `Family.by_parts`: heads of parts of the rows, by the penalty, class weights and temperature of `like`."""
    per_class = class_weights(like)
    counted = counted if per_class is None else counted * per_class[y]
    return of_parts(basis.transform(features.matrix), y, basis=basis, like=like, counted=counted, asked=asked)


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
    best, _ = search.best()
    return best.fared.of(np.argsort(order[search.judged]))


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
    judged = np.flatnonzero(fold[order] >= 0)
    return _Search(x, y[order], fold[order], basis, n_classes, by.of(order), judged, advance), order


def _macro_recall(y: np.ndarray, right: np.ndarray, weights: np.ndarray | None) -> float:
    """The mean recall of the classes that there are."""
    counts = np.bincount(y, weights=weights)
    hits = np.bincount(y, weights=right if weights is None else right * weights)
    return float((hits[counts > 0] / counts[counts > 0]).mean())
