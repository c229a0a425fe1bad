"""Whether a tuned model is better than it was before (a probe), on the same examples that neither has learned from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from headstart.evaluate.calibration import temperature as best_temperature
from headstart.evaluate.metrics import log_losses, mean

FEWEST = 20  # examples to judge on: on fewer nothing is proved (docs/accuracy.md)
_NOISE = 1.64  # standard errors of the paired differences: one model in twenty that is no better passes for it


@dataclass(frozen=True)
class HeldOut:
    """How a model fared on examples that it had not seen."""

    losses: np.ndarray  # (n,) log loss, nats
    right: np.ndarray  # (n,) bool
    temperature: float = 1.0
    weights: np.ndarray | None = None  # (n,) above 0, how much each of them counts; None: all alike

    @property
    def log_loss(self) -> float:
        return mean(self.losses, self.weights)

    @property
    def accuracy(self) -> float:
        return mean(self.right, self.weights)


@dataclass(frozen=True)
class PairedTest:
    """The model before tuning (a probe) against the tuned one, pairwise by example."""

    n: int  # examples; weighted, as many of one weight as would say as much
    untuned_log_loss: float
    tuned_log_loss: float
    untuned_accuracy: float
    tuned_accuracy: float
    gain_errors: float  # standard errors by which the mean log loss fell
    right_errors: float  # standard errors by which the accuracy rose
    noise: float  # standard errors that chance explains
    tuned_is_better: bool


def judged(logits: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> HeldOut:
    """(n, c) logits, (n,) classes and weights, at the temperature that suits them best.

    That is fitted on these very examples, which flatters a little: both sides of a verdict are judged alike.
    """
    t = best_temperature(logits, y, weights)
    scaled = logits.astype(np.float64) / t
    return HeldOut(log_losses(scaled, y), scaled.argmax(axis=1) == y, t, weights)


def verdict(untuned: HeldOut, tuned: HeldOut) -> PairedTest:
    """On the same examples. Better means: of twenty or more, the log loss fell beyond noise, and the accuracy did not.

    Noise is that of the differences by example (a paired test): both models find the same examples hard. It is the log
    loss that has to fall, since few examples change sides: thirty of them show what they would not in accuracy
    (docs/accuracy.md).

    Weights make the means, and no evidence: an example of weight 1000 is still one example.

    Source: Kish, Survey Sampling, 1965 (how many examples weighted ones are worth, and the error of their mean).
    """
    weights, n = untuned.weights, len(untuned.losses)
    if weights is not None:
        shares = weights / weights.sum()
        n = int(round(1 / float(shares @ shares), 9))
    pr, tr = untuned.right.astype(np.float64), tuned.right.astype(np.float64)
    gain, rise = _errors(untuned.losses - tuned.losses, weights), _errors(tr - pr, weights)
    return PairedTest(
        n=n,
        untuned_log_loss=untuned.log_loss,
        tuned_log_loss=tuned.log_loss,
        untuned_accuracy=untuned.accuracy,
        tuned_accuracy=tuned.accuracy,
        gain_errors=gain,
        right_errors=rise,
        noise=_NOISE,
        tuned_is_better=n >= FEWEST and gain > _NOISE and rise >= -_NOISE,
    )


def _errors(differences: np.ndarray, weights: np.ndarray | None) -> float:
    """The mean in its own standard errors; 0 where nothing differs."""
    n = len(differences)
    if weights is not None:
        shares, middle = weights / weights.sum(), mean(differences, weights)
        error = math.sqrt(float(np.sum(np.square(shares * (differences - middle)))) * n / max(1, n - 1))
        return middle / error if error else 0.0
    deviation = float(differences.std(ddof=1)) if n > 1 else 0.0
    return float(differences.mean()) / deviation * math.sqrt(n) if deviation else 0.0
