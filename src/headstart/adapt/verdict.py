"""Whether a tuned model is better than it was before (a probe), on the same examples that neither has learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.evaluate.calibrate import temperature as best_temperature

_NOISE = 1.64  # standard errors of the paired differences: one model in twenty that is no better passes for it


@dataclass(frozen=True)
class Judged:
    """How a model fared on examples that it had not seen."""

    losses: np.ndarray  # (n,) log loss, nats
    right: np.ndarray  # (n,) bool
    temperature: float

    @property
    def log_loss(self) -> float:
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


@dataclass(frozen=True)
class Verdict:
    """The model before tuning (a probe) against the tuned one, pairwise by example."""

    n: int
    untuned_log_loss: float
    tuned_log_loss: float
    untuned_accuracy: float
    tuned_accuracy: float
    gain_errors: float  # standard errors by which the mean log loss fell
    right_errors: float  # standard errors by which the accuracy rose
    tuned_is_better: bool


def judged(logits: np.ndarray, y: np.ndarray) -> Judged:
    """(n, c) logits and (n,) classes, at the temperature that suits them best.

    That is fitted on these very examples, which flatters a little: both sides of a verdict are judged alike.
    """
    t = best_temperature(logits, y)
    scaled = logits.astype(np.float64) / t
    shifted = scaled - scaled.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    return Judged(losses, scaled.argmax(axis=1) == y, t)


def verdict(untuned: Sequence[Judged], tuned: Sequence[Judged]) -> Verdict:
    """Over the folds together. Better means: the log loss is lower beyond noise and no more is wrong than before; or
    more is right beyond noise.

    Noise is that of the differences by example (a paired test): both models find the same examples hard.
    """
    p, t = (np.concatenate([fold.losses for fold in side]) for side in (untuned, tuned))
    pr, tr = (np.concatenate([fold.right for fold in side]).astype(np.float64) for side in (untuned, tuned))
    gain, right = _errors(p - t), _errors(tr - pr)
    better = (gain > _NOISE and tr.sum() >= pr.sum()) or right > _NOISE
    return Verdict(
        len(p), float(p.mean()), float(t.mean()), float(pr.mean()), float(tr.mean()), gain, right, bool(better)
    )


def _errors(differences: np.ndarray) -> float:
    """The mean in its own standard errors; 0 where nothing differs."""
    deviation = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return 0.0 if deviation == 0 else float(differences.mean()) / (deviation / math.sqrt(len(differences)))
