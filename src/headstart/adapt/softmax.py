"""Heads for examples with one class each: multinomial logistic regression, trained by cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.adapt.family import Family
from headstart.adapt.policy import MANY
from headstart.adapt.probe import by_parts, class_weights, cross_validate, probe, refit
from headstart.backbone import Head
from headstart.evaluate.metrics import softmax
from headstart.evaluate.paired_test import judged

if TYPE_CHECKING:
    from headstart.adapt.loop import Loss

_MANY = 200_000  # examples x classes from which three folds are as good as five


def _how_many_folds(n: int, n_classes: int) -> int:
    if n > MANY.rows:
        return 1
    return 3 if n * n_classes > _MANY else 5


def _loss(y: np.ndarray, head: Head, device: str) -> Loss:
    """Cross-entropy, classes weighted as the probe's were."""
    import torch
    from torch import nn

    wanted, per_class = torch.from_numpy(y), class_weights(head)
    weights = None if per_class is None else torch.from_numpy(per_class).to(device)

    def loss(logits: torch.Tensor, rows: torch.Tensor, smoothing: float) -> torch.Tensor:
        true = wanted[rows].to(logits.device)
        return nn.functional.cross_entropy(logits, true, weights, reduction="none", label_smoothing=smoothing)

    return loss


def _constant(y: np.ndarray, n_classes: int) -> np.ndarray:
    """The log of the class shares, where a class that nobody has counts for half an example."""
    return np.asarray(np.log(np.maximum(np.bincount(y, minlength=n_classes), 0.5) / len(y)))


def _uncertainty(logits: np.ndarray) -> np.ndarray:
    """How little probability goes to the most probable class."""
    return np.asarray(-softmax(logits).max(axis=1))


def _surest(logits: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """As `Family.surest`: of each class by its estimated share, so that no class is lost to those that are easier."""
    probabilities = softmax(logits)
    labels, wanted = probabilities.argmax(axis=1), np.rint(share * probabilities.sum(axis=0)).astype(np.int64)
    sure = []
    for number, most in enumerate(wanted.tolist()):
        mine = np.flatnonzero(labels == number)
        sure.append(mine[np.argsort(-probabilities[mine, number], kind="stable")[:most]])
    rows = np.concatenate(sure)
    return rows, labels[rows]


def _by_words(*arguments: Any, n_classes: int, seed: int) -> np.ndarray:
    from headstart.adapt.word_uncertainty import doubt_by_words  # loads torch

    return doubt_by_words(*arguments, n_classes=n_classes, seed=seed)


SOFTMAX = Family(
    link="softmax",
    probe=probe,
    refit=refit,
    by_parts=by_parts,
    held_out=cross_validate,
    how_many_folds=_how_many_folds,
    loss=_loss,
    judged=judged,
    constant=_constant,
    uncertainty=_uncertainty,
    surest=_surest,
    by_words=_by_words,
    smoothing=True,
    calibrated=lambda head, logits, y, weights: head,  # the temperature is folded in already
)
