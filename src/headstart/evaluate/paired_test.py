"""Whether a tuned model is better than it was before (a probe), on the same examples that neither has learned from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from headstart.evaluate.calibration import temperature as best_temperature
from headstart.evaluate.criterion import BY_LOSS, Criterion, mean_cost
from headstart.evaluate.intervals import group_sums, t_quantile
from headstart.evaluate.metrics import log_losses, mean

FEWEST = 20  # examples to judge on: on fewer nothing is proved (docs/accuracy.md)
FEWEST_GROUPS = 5  # that they are of, where the user names groups
NOISE = 1.64  # standard errors of the paired differences: one model in twenty that is no better passes for it


@dataclass(frozen=True)
class HeldOut:
    """How a model fared on examples that it had not seen."""

    losses: np.ndarray  # (n,) log loss, nats
    right: np.ndarray  # (n,) bool
    temperature: float = 1.0
    weights: np.ndarray | None = None  # (n,) above 0, how much each of them counts; None: all alike
    other: np.ndarray | None = None  # (n,) what the user chooses by, see `Metric.costs`; None: the losses
    groups: np.ndarray | None = None  # (n,) whose each example is; None: each by itself

    @property
    def costs(self) -> np.ndarray:
        """(n,) what is chosen by."""
        return self.losses if self.other is None else self.other

    @property
    def cost(self) -> float:
        """The mean of what is chosen by."""
        return self.log_loss if self.other is None else mean_cost(self.other, self.weights)

    @property
    def log_loss(self) -> float:
        return mean(self.losses, self.weights)

    @property
    def accuracy(self) -> float:
        return mean(self.right, self.weights)

    def of(self, rows: np.ndarray) -> HeldOut:
        """The same for these of the examples, in this order."""
        more = (self.weights, self.other, self.groups)
        weights, other, groups = (None if each is None else each[rows] for each in more)
        part = replace(self, losses=self.losses[rows], right=self.right[rows], weights=weights)
        return replace(part, other=other, groups=groups)


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
    untuned_cost: float | None = None  # the mean of what the user chooses by; None: that is the log loss
    tuned_cost: float | None = None
    cost_errors: float | None = None  # standard errors by which it fell, but for what one example can do
    groups: int | None = None  # that the examples are of; None: the user names none


def judged(logits: np.ndarray, y: np.ndarray, by: Criterion = BY_LOSS) -> HeldOut:
    """(n, c) logits and (n,) classes, at the temperature that suits them best.

    That is fitted on these very examples, which flatters a little: both sides of a verdict are judged alike.
    """
    t = best_temperature(logits, y, by.weights)
    scaled = logits.astype(np.float64) / t
    return HeldOut(log_losses(scaled, y), scaled.argmax(axis=1) == y, t, by.weights, by.cost(scaled, y), by.groups)


def verdict(untuned: HeldOut, tuned: HeldOut) -> PairedTest:
    """On the same examples. Better means: of twenty or more, the log loss fell beyond noise, and the accuracy did not.

    Noise is that of the differences by example (a paired test): both models find the same examples hard. It is the log
    loss that has to fall, since few examples change sides: thirty of them show what they would not in accuracy
    (docs/accuracy.md).

    Where the user chooses by a metric, that alone has to be better, and not by what one example can do: of three
    answers that changed, all to the right, one time in eight is chance, which the normal distribution does not know. So
    the largest difference is taken off the gain, by its weight.

    Weights make the means, and no evidence: an example of weight 1000 is still one example. Where the user names groups
    (patients), they are what differs by chance, not their examples.

    Sources: Edwards, Note on the "Correction for Continuity" in Testing the Significance of the Difference Between
    Correlated Proportions, Psychometrika 13, 1948 (McNemar's test, which this is where costs are 0 and 1); Kish, Survey
    Sampling, 1965 (how many examples weighted ones are worth, and the error of their mean).
    """
    weights, n, of = untuned.weights, len(untuned.losses), untuned.groups
    groups = None if of is None else len(np.unique(of))
    noise = NOISE if groups is None else round(t_quantile(0.95, max(1, groups - 1)), 2)
    enough = groups is None or groups >= FEWEST_GROUPS
    if weights is not None:
        shares = weights / weights.sum()
        n = int(round(1 / float(shares @ shares), 9))
    pr, tr = untuned.right.astype(np.float64), tuned.right.astype(np.float64)
    gain, rise = _errors(untuned.losses - tuned.losses, weights, of), _errors(tr - pr, weights, of)
    found = PairedTest(
        n=n,
        untuned_log_loss=untuned.log_loss,
        tuned_log_loss=tuned.log_loss,
        untuned_accuracy=untuned.accuracy,
        tuned_accuracy=tuned.accuracy,
        gain_errors=gain,
        right_errors=rise,
        noise=noise,
        tuned_is_better=n >= FEWEST and enough and gain > noise and rise >= -noise,
        groups=groups,
    )
    if untuned.other is None or tuned.other is None:
        return found
    by = _cost_errors(untuned.other - tuned.other, weights, of)
    better = n >= FEWEST and enough and by > noise
    return replace(found, tuned_is_better=better, untuned_cost=untuned.cost, tuned_cost=tuned.cost, cost_errors=by)


def _cost_errors(fell: np.ndarray, weights: np.ndarray | None, groups: np.ndarray | None) -> float:
    """The sum of (n,) differences, less the largest, in the standard errors of a sum that is 0 but for chance."""
    shares = _by_group(fell if weights is None else weights * fell, groups)
    size = math.sqrt(float(np.square(shares).sum()))
    return (float(shares.sum()) - float(np.abs(shares).max())) / size if size else 0.0


def _errors(differences: np.ndarray, weights: np.ndarray | None, groups: np.ndarray | None) -> float:
    """The mean in its own standard errors; 0 where nothing differs."""
    n, middle = len(differences), mean(differences, weights)
    shares = np.ones(n) if weights is None else weights / weights.mean()
    apart = _by_group(shares * (differences - middle), groups)
    if groups is not None:  # a sum over groups, whose size differs: the error of a ratio
        error = math.sqrt(float(np.square(apart).sum()) * len(apart) / max(1, len(apart) - 1)) / n
        return middle / error if error else 0.0
    deviation = math.sqrt(float(np.square(apart).sum()) / max(1, n - 1))
    return middle / deviation * math.sqrt(n) if deviation else 0.0


def _by_group(values: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """The sum of each group; without groups, the values."""
    return values if groups is None else group_sums(values, groups)[0]


def error_of_mean(differences: np.ndarray, groups: np.ndarray | None) -> float:
    """The standard error of a mean of (n,) differences; of groups, where there are any, which differ by chance."""
    if groups is None:
        return float(differences.std() / math.sqrt(len(differences)))
    apart = _by_group(differences - differences.mean(), groups)
    return math.sqrt(float(np.square(apart).sum()) * len(apart) / max(1, len(apart) - 1)) / len(differences)
