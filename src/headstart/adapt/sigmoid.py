"""Heads for examples with any number of labels: a logistic regression a label, with one penalty, trained together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.adapt.basis import Basis
from headstart.adapt.family import Family
from headstart.adapt.probe import held_out_logits
from headstart.adapt.solver import solve_path
from headstart.evaluate.multilabel import label_losses, sigmoid, sigmoid_temperature
from headstart.evaluate.paired_test import HeldOut
from headstart.evaluate.thresholds import best_thresholds
from headstart.values import Features, Head, Matrix

if TYPE_CHECKING:
    from headstart.adapt.loop import Loss

_PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)  # strong to weak, for a mean variance of 1
_MANY, _STRONGEST_FOR_MANY = 2000, 0.03  # examples from which the strongest penalties never win and are not tried
_CLEAR_RISE = 1.01  # held-out log loss over the best so far that ends the search
_SEARCH, _DONE = 1e-2, 2e-6  # tolerances: to rank penalties, and of the head itself
_MANY_CELLS = 400_000  # examples x labels from which three folds are as good as five


def probe(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    names: tuple[str, ...],
    fold: np.ndarray,
    advance: Callable[[int], None] = lambda _: None,
) -> Head:
    """A head for labels, chosen on the training part only: the penalty with the lowest held-out log loss wins.

    One temperature for all labels and a threshold for each are fitted to what its fold did not see of each example.

    Args:
        features: (n, d). y: (n, c) of 0 and 1. basis: of these features. names: of the labels.
        fold: (n,) which fold each row is held out in.
        advance: told 1 for each penalty tried.
    """
    x = basis.transform(features.matrix)
    penalty, logits, rows = _search(x, y, basis=basis, fold=fold, advance=advance)
    temperature = sigmoid_temperature(logits, y)
    weight, bias = _solved(x, y, basis, penalty)
    head = Head(
        classes=names,
        weight=(weight / temperature).astype(np.float32),
        bias=(bias / temperature).astype(np.float32),
        features_key=features.key,
        penalty=penalty,
        temperature=temperature,
        cross_validation=tuple(rows),
    )
    return calibrated(head, logits / temperature, y)


def refit(features: Features, y: np.ndarray, *, basis: Basis, like: Head) -> Head:
    """A head learned from these rows with the penalty, temperature and thresholds of another."""
    weight, bias = _solved(basis.transform(features.matrix), y, basis, like.penalty)
    return replace(
        like,
        weight=(weight / like.temperature).astype(np.float32),
        bias=(bias / like.temperature).astype(np.float32),
        features_key=features.key,
        cross_validation=(),
    )


def held_out(features: Features, y: np.ndarray, *, basis: Basis, n_outputs: int, fold: np.ndarray) -> HeldOut:
    """How each example fared at the best penalty, by a head that did not learn from its fold."""
    x = basis.transform(features.matrix)
    _, logits, _ = _search(x, y, basis=basis, fold=fold, advance=lambda _: None)
    return judged(logits, y)


def judged(logits: np.ndarray, y: np.ndarray) -> HeldOut:
    """(n, c) logits and (n, c) labels, at the temperature that suits them best; right is the exact set."""
    temperature = sigmoid_temperature(logits, y)
    scaled = logits.astype(np.float64) / temperature
    return HeldOut(label_losses(scaled, y).mean(axis=1), ((scaled > 0) == (y > 0)).all(axis=1), temperature)


def calibrated(head: Head, logits: np.ndarray, y: np.ndarray) -> Head:
    """The head with a threshold a label, from (n, c) logits of examples that it has not learned from."""
    return replace(head, thresholds=tuple(best_thresholds(sigmoid(logits), y).tolist()))


def _search(
    x: Matrix, y: np.ndarray, *, basis: Basis, fold: np.ndarray, advance: Callable[[int], None]
) -> tuple[float, np.ndarray, list[dict[str, float]]]:
    """The best penalty, each example's logits from the fold that left it out, and a row a penalty that was tried."""
    numbers = np.unique(fold)
    weights = np.stack([fold != k for k in numbers]).astype(np.float32)
    place, rows, rises = np.searchsorted(numbers, fold), list[dict[str, float]](), 0
    best = last = np.inf
    chosen, found = _PENALTIES[-1], np.zeros(y.shape, dtype=np.float32)
    path = _path(len(y))
    for solution in solve_path(
        x, y, example_weights=weights, basis=basis, n_classes=y.shape[1], penalties=path, tolerance=_SEARCH
    ):
        logits = held_out_logits(x, place, solution)
        advance(1)
        loss = float(label_losses(logits / np.float32(sigmoid_temperature(logits, y)), y).mean())
        rows.append({"penalty": solution.penalty, "log_loss": round(loss, 6)})
        rises = rises + 1 if loss > last else 0
        if loss < best:
            best, chosen, found = loss, solution.penalty, logits
        if loss > _CLEAR_RISE * best or rises == 2:
            break
        last = loss
    return chosen, found, rows


def _path(n: int) -> Sequence[float]:
    return _PENALTIES if n < _MANY else [p for p in _PENALTIES if p <= _STRONGEST_FOR_MANY]


def _solved(x: Matrix, y: np.ndarray, basis: Basis, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (c, d) and biases (c,) on raw features, from all examples."""
    everything = np.ones((1, len(y)), dtype=np.float32)
    path = solve_path(
        x, y, example_weights=everything, basis=basis, n_classes=y.shape[1], penalties=[penalty], tolerance=_DONE
    )
    return basis.fold_in(next(path).at[0])


def _how_many_folds(n: int, n_labels: int) -> int:
    return 3 if n * n_labels > _MANY_CELLS else 5


def _loss(y: np.ndarray, head: Head, device: str) -> Loss:
    """The mean binary cross-entropy of the labels; what a rare one says is not drowned by the others."""
    import torch
    from torch import nn

    wanted = torch.from_numpy(y)

    def loss(logits: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        true = wanted[rows].to(logits.device)
        true = true * (1 - smoothing) + smoothing / 2
        each = nn.functional.binary_cross_entropy_with_logits(logits, true, reduction="none")
        return each.sum(dim=1)

    return loss


def _uncertainty(logits: np.ndarray) -> np.ndarray:
    """How near the least sure label is to even odds."""
    return np.asarray(-np.abs(logits).min(axis=1))


SIGMOID = Family(
    probe=probe,
    refit=refit,
    held_out=held_out,
    how_many_folds=_how_many_folds,
    loss=_loss,
    judged=judged,
    uncertainty=_uncertainty,
    by_words=None,
    smoothing=True,
    calibrated=calibrated,
)
