"""Whether a tuned model is better than it was before (a probe), on the same examples that neither has learned from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headstart.evaluate.calibration import temperature as best_temperature
from headstart.evaluate.metrics import log_losses

FEWEST = 20  # examples to judge on: on fewer nothing is proved (docs/accuracy.md)
_NOISE = 1.64  # standard errors of the paired differences: one model in twenty that is no better passes for it


@dataclass(frozen=True)
class HeldOut:
    """How a model fared on examples that it had not seen."""

    losses: np.ndarray  # (n,) log loss, nats
    right: np.ndarray  # (n,) bool
    temperature: float = 1.0

    @property
    def log_loss(self) -> float:
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


@dataclass(frozen=True)
class PairedTest:
    """The model before tuning (a probe) against the tuned one, pairwise by example."""

    n: int
    untuned_log_loss: float
    tuned_log_loss: float
    untuned_accuracy: float
    tuned_accuracy: float
    gain_errors: float  # standard errors by which the mean log loss fell
    right_errors: float  # standard errors by which the accuracy rose
    noise: float  # standard errors that chance explains
    tuned_is_better: bool


def judged(logits: np.ndarray, y: np.ndarray) -> HeldOut:
    """(n, c) logits and (n,) classes, at the temperature that suits them best.

    That is fitted on these very examples, which flatters a little: both sides of a verdict are judged alike.
    """
    t = best_temperature(logits, y)
    scaled = logits.astype(np.float64) / t
    return HeldOut(log_losses(scaled, y), scaled.argmax(axis=1) == y, t)


def verdict(untuned: HeldOut, tuned: HeldOut) -> PairedTest:
    """On the same examples. Better means: of twenty or more, the log loss fell beyond noise, and the accuracy did not.

    Noise is that of the differences by example (a paired test): both models find the same examples hard. It is the log
    loss that has to fall, since few examples change sides: thirty of them show what they would not in accuracy
    (docs/accuracy.md).
    """
    p, t = untuned.losses, tuned.losses
    pr, tr = untuned.right.astype(np.float64), tuned.right.astype(np.float64)
    gain, rise = _errors(p - t), _errors(tr - pr)
    return PairedTest(
        n=len(p),
        untuned_log_loss=float(p.mean()),
        tuned_log_loss=float(t.mean()),
        untuned_accuracy=float(pr.mean()),
        tuned_accuracy=float(tr.mean()),
        gain_errors=gain,
        right_errors=rise,
        noise=_NOISE,
        tuned_is_better=len(p) >= FEWEST and gain > _NOISE and rise >= -_NOISE,
    )


def _errors(differences: np.ndarray) -> float:
    """The mean in its own standard errors; 0 where nothing differs."""
    deviation = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return float(differences.mean()) / deviation * math.sqrt(len(differences)) if deviation else 0.0
