"""Heads for examples with any number of labels: a logistic regression a label, with one penalty, trained together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.basis import Basis
from headstart.adapt.family import Family, Probed
from headstart.adapt.penalty_path import (
    alike,
    best_penalty,
    by_fold,
    held_out_path,
    of_parts,
    relearned,
    solved,
)
from headstart.adapt.policy import MANY
from headstart.adapt.solver import Solution
from headstart.backbone import Features, Head, Matrix
from headstart.clock import UNLIMITED, Budget
from headstart.evaluate.calibration import sigmoid_temperature
from headstart.evaluate.criterion import BY_LOSS, Criterion, mean_cost
from headstart.evaluate.metrics import mean
from headstart.evaluate.multilabel import label_losses, macro_f1, sigmoid
from headstart.evaluate.paired_test import HeldOut
from headstart.evaluate.thresholds import best_thresholds

if TYPE_CHECKING:
    from headstart.adapt.loop import Loss

# Strong to weak, for a mean variance of 1. Stronger ones than for classes: a rare label's loss has little curvature.
PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
_STRONGEST_FOR_MANY = 1.0
_MANY_CELLS = 400_000  # examples x labels from which three folds are as good as five


@dataclass(frozen=True)
class Trial:
    """One penalty, measured on each example by the fold that did not see it."""

    solution: Solution
    logits: np.ndarray  # (n, c) float32, at that temperature
    temperature: float
    log_loss: float  # mean over labels and examples
    macro_f1: float  # at probability 0.5; nan where no label is there and none is given
    other: float | None = None  # the mean of what the user chooses by; None: the log loss

    @property
    def cost(self) -> float:
        """What is chosen by."""
        return self.log_loss if self.other is None else self.other

    def row(self) -> dict[str, float]:
        """As `Head.cross_validation` has it; without an F1 that is no number, for which JSON has no word."""
        told = {"log_loss": self.log_loss} | ({} if np.isnan(self.macro_f1) else {"macro_f1": self.macro_f1})
        told |= {} if self.other is None else {"cost": self.other}
        return {"penalty": self.solution.penalty} | {key: round(value, 6) for key, value in told.items()}


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
    """Independent L2-penalised logistic regressions, one a label, chosen on the training part only (binary relevance).

    The penalty, one for all labels, with the lowest held-out log loss wins, at its best temperature; so a label that is
    rare everywhere, or missing from a fold, borrows it from the others. A label that all examples have, or none, gets
    no weights and, nearly, the bias of half an example more each way. A threshold a label is fitted to what its fold
    did not see of each example. The order of the rows makes no difference but for rounding (probabilities within
    0.001).

    Args:
        features: (n, d). y: (n, c) of 0 and 1. basis: of these features. names: of the labels.
        fold: (n,) which fold each row is held out in; below 0: it is not judged, and comes last.
        by: what the penalty is chosen by, of equal ones the strongest; its weights count in the fit, too.
        within: after which the head is as good as it is then.
        advance: told 1 for each penalty tried.

    Raises:
        ValueError: fewer than two folds, unless there are rows in none, or shapes that do not fit together.

    Source: Tsoumakas and Katakis, Multi-Label Classification: An Overview, IJDWM 3, 2007 (binary relevance); Platt,
    Probabilistic Outputs for Support Vector Machines, 1999, and Guo et al., On Calibration of Modern Neural Networks,
    ICML 2017 (temperature).
    """
    x = basis.transform(features.matrix)
    best, rows = search(x, y, basis=basis, fold=fold, by=by, advance=advance)
    temperature, penalty = best.temperature, best.solution.penalty
    weights = alike(len(y)) if by.weights is None else by.weights
    start = best.solution.mean()
    weight, bias = solved(
        x, y, basis=basis, n_outputs=y.shape[1], weights=weights, penalty=penalty, start=start, within=within
    )
    head = Head(
        classes=names,
        weight=(weight / temperature).astype(np.float32),
        bias=(bias / temperature).astype(np.float32),
        features_key=features.key,
        penalty=penalty,
        temperature=temperature,
        cross_validation=rows,
    )
    judged = np.flatnonzero(fold >= 0)
    return Probed(calibrated(head, best.logits, y[judged], by.of(judged).weights), best.logits, judged)


def refit(features: Features, y: np.ndarray, *, basis: Basis, like: Head, weights: np.ndarray | None = None) -> Head:
    """A head learned from these rows with the penalty, temperature and thresholds of another."""
    weight, bias = solved(
        basis.transform(features.matrix),
        y,
        basis=basis,
        n_outputs=y.shape[1],
        weights=alike(len(y)) if weights is None else weights,
        penalty=like.penalty,
    )
    return relearned(like, weight, bias, features.key)


def by_parts(
    features: Features, y: np.ndarray, *, basis: Basis, like: Head, counted: np.ndarray, asked: Matrix
) -> Iterator[np.ndarray]:
    """As `Family.by_parts`: heads of parts of the rows, by the penalty and temperature of `like`."""
    return of_parts(basis.transform(features.matrix), y, basis=basis, like=like, counted=counted, asked=asked)


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
    best, _ = search(basis.transform(features.matrix), y, basis=basis, fold=fold, by=by)
    return _fared(best.logits, y, by)


def judged(logits: np.ndarray, y: np.ndarray, by: Criterion = BY_LOSS) -> HeldOut:
    """(n, c) logits and (n, c) labels, at the temperature that suits them best; right is the exact set."""
    temperature = sigmoid_temperature(logits, y, by.weights)
    return replace(_fared(logits.astype(np.float64) / temperature, y, by), temperature=temperature)


def _fared(logits: np.ndarray, y: np.ndarray, by: Criterion) -> HeldOut:
    losses, right = label_losses(logits, y).mean(axis=1), ((logits > 0) == (y > 0)).all(axis=1)
    return HeldOut(losses, right, weights=by.weights, other=by.cost(logits, y), groups=by.groups)


def calibrated(head: Head, logits: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Head:
    """The head with a threshold a label, from (n, c) logits of examples that it has not learned from."""
    return replace(head, thresholds=tuple(best_thresholds(sigmoid(logits), y, weights).tolist()))


def search(
    x: Matrix,
    y: np.ndarray,
    *,
    basis: Basis,
    fold: np.ndarray,
    by: Criterion = BY_LOSS,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Trial, tuple[dict[str, float], ...]]:
    """The best penalty, and a row a penalty that was tried, as `penalty_path.best_penalty` has them.

    Args:
        x: (n, r + 1), transformed. y: (n, c) of 0 and 1. fold, by: as in `probe`.
        advance: told 1 for each penalty tried.

    Raises:
        ValueError: as in `probe`.
    """
    if y.ndim != 2 or not len(y) == len(fold) == len(x):
        raise ValueError(f"features {x.shape}, y {y.shape} and fold {fold.shape} do not fit together")
    if len(np.unique(fold[fold >= 0])) < (1 if (fold < 0).any() else 2):
        raise ValueError("cross-validation needs at least two folds, or rows that are in none")
    x, order = by_fold(x, fold)
    y_ordered = y[order] if isinstance(x, np.ndarray) else y  # of very many a copy is dear
    judged = order[fold[order] >= 0]
    best, rows = best_penalty(
        partial(_trials, x, y_ordered, fold[order], basis, by.of(order), advance),
        penalties=PENALTIES,
        strongest_for_many=_STRONGEST_FOR_MANY,
        n=len(judged),
        to_the_end=by.costs is not None,
    )
    return replace(best, logits=best.logits[np.argsort(judged)]), tuple(rows)


def _trials(
    x: Matrix,
    y: np.ndarray,
    fold: np.ndarray,
    basis: Basis,
    by: Criterion,
    advance: Callable[[int], None],
    penalties: Sequence[float],
    start: Solution | None,
) -> Iterator[Trial]:
    """Penalty after penalty."""
    path = held_out_path(
        x,
        y,
        fold,
        basis=basis,
        n_outputs=y.shape[1],
        weights=alike(len(y)) if by.weights is None else by.weights,
        penalties=penalties,
        start=start,
    )
    judged = np.flatnonzero(fold >= 0)
    y, by = y[judged], by.of(judged)
    weights = by.weights
    for solution, logits in path:
        advance(1)
        t = sigmoid_temperature(logits, y, weights)
        logits /= np.float32(t)
        losses, costs = label_losses(logits, y), by.cost(logits, y)
        log_loss = mean(losses if weights is None else losses.mean(axis=1), weights)
        other = None if costs is None else mean_cost(costs, weights)
        yield Trial(solution, logits, t, log_loss, macro_f1(y, logits >= 0, weights), other)


def _how_many_folds(n: int, n_labels: int) -> int:
    if n > MANY.rows:
        return 1
    return 3 if n * n_labels > _MANY_CELLS else 5


def _loss(y: np.ndarray, head: Head, device: str) -> Loss:
    """The sum over the labels of the binary cross-entropy, so that a rate means the same for few and many labels."""
    import torch
    from torch import nn

    wanted = torch.from_numpy(y)

    def loss(logits: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        true = wanted[rows].to(logits.device)
        true = true * (1 - smoothing) + smoothing / 2
        each = nn.functional.binary_cross_entropy_with_logits(logits, true, reduction="none")
        return each.sum(dim=1)

    return loss


def _constant(y: np.ndarray, n_labels: int) -> np.ndarray:
    """The log odds of the labels' shares, with half an example more each way."""
    there = y.sum(axis=0, dtype=np.float64) + 0.5
    return np.asarray(np.log(there) - np.log(len(y) + 1 - there))


def _uncertainty(logits: np.ndarray) -> np.ndarray:
    """How near the least sure label is to even odds."""
    return np.asarray(-np.abs(logits).min(axis=1))


SIGMOID = Family(
    link="logistic",
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
    smoothing=True,
    calibrated=calibrated,
)
