"""Whether a tuned model is better than it was before (a probe), on the same examples that neither has learned from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from headstart.evaluate.calibration import temperature as best_temperature
from headstart.evaluate.metrics import log_losses
from headstart.task import Costs

FEWEST = 20  # examples to judge on: on fewer nothing is proved (docs/accuracy.md)
_NOISE = 1.64  # standard errors of the paired differences: one model in twenty that is no better passes for it


@dataclass(frozen=True)
class HeldOut:
    """How a model fared on examples that it had not seen."""

    losses: np.ndarray  # (n,) log loss, nats
    right: np.ndarray  # (n,) bool
    temperature: float = 1.0
    other: np.ndarray | None = None  # (n,) what the user chooses by, see `Metric.costs`; None: the losses

    @property
    def costs(self) -> np.ndarray:
        """(n,) what is chosen by."""
        return self.losses if self.other is None else self.other

    @property
    def cost(self) -> float:
        """The mean of what is chosen by."""
        return self.log_loss if self.other is None else mean_cost(self.other)

    @property
    def log_loss(self) -> float:
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


def mean_cost(costs: np.ndarray) -> float:
    """To twelve digits, so that what is as good is equal, in whatever order it was summed."""
    return float(f"{costs.mean():.12g}")


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
    untuned_cost: float | None = None  # the mean of what the user chooses by; None: that is the log loss
    tuned_cost: float | None = None
    cost_errors: float | None = None  # standard errors by which it fell, but for what one example can do


def judged(logits: np.ndarray, y: np.ndarray, costs: Costs | None = None) -> HeldOut:
    """(n, c) logits and (n,) classes, at the temperature that suits them best.

    That is fitted on these very examples, which flatters a little: both sides of a verdict are judged alike.
    """
    t = best_temperature(logits, y)
    scaled = logits.astype(np.float64) / t
    return HeldOut(log_losses(scaled, y), scaled.argmax(axis=1) == y, t, costs and costs(scaled, y))


def verdict(untuned: HeldOut, tuned: HeldOut) -> PairedTest:
    """On the same examples. Better means: of twenty or more, the log loss fell beyond noise, and the accuracy did not.

    Noise is that of the differences by example (a paired test): both models find the same examples hard. It is the log
    loss that has to fall, since few examples change sides: thirty of them show what they would not in accuracy
    (docs/accuracy.md).

    Where the user chooses by a metric, that alone has to be better, and not by what one example can do: of three
    answers that changed, all to the right, one time in eight is chance, which the normal distribution does not know. So
    the largest difference is taken off the gain.

    Source: Edwards, Note on the "Correction for Continuity" in Testing the Significance of the Difference Between
    Correlated Proportions, Psychometrika 13, 1948 (McNemar's test, which this is where costs are 0 and 1).
    """
    p, t = untuned.losses, tuned.losses
    pr, tr = untuned.right.astype(np.float64), tuned.right.astype(np.float64)
    gain, rise = _errors(p - t), _errors(tr - pr)
    found = PairedTest(
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
    if untuned.other is None or tuned.other is None:
        return found
    fell = untuned.other - tuned.other
    by = _errors(fell, less=float(np.abs(fell).max(initial=0.0)))
    better = len(p) >= FEWEST and by > _NOISE
    return replace(found, tuned_is_better=better, untuned_cost=untuned.cost, tuned_cost=tuned.cost, cost_errors=by)


def _errors(differences: np.ndarray, *, less: float = 0.0) -> float:
    """The mean, with so much taken off the sum, in its own standard errors; 0 where nothing differs."""
    n = len(differences)
    deviation = float(differences.std(ddof=1)) if n > 1 else 0.0
    mean = float(differences.mean()) - less / n if less else float(differences.mean())
    return mean / deviation * math.sqrt(n) if deviation else 0.0
