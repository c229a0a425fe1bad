"""When to be unsure: the confidence from which what is answered reaches an accuracy that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from headstart.evaluate.intervals import worth

SURE = 0.9  # probability with which a promise is kept
_BATCH = 0.25  # of the held-out examples: how many new ones a promise is about, as many as a test part usually has
_STEPS = 100  # parts that are tried, from the most confident percent on
_ALLOWED = 2  # mistakes that the first part that is tried may hold: one wrong label ends no search
_REACHABLE = tuple(step / 1000 for step in (*range(999, 989, -1), *range(985, 495, -5)))


@dataclass(frozen=True)
class Answered:
    """What is answered of held-out examples from a confidence on."""

    threshold: float  # the least confidence
    share: float  # of all of them
    accuracy: float  # of those that are answered


def promised_part(
    confidence: np.ndarray, right: np.ndarray, accuracy: float, *, groups: np.ndarray | None = None, sure: float = SURE
) -> Answered | None:
    """The largest part that is answered with this accuracy, of new examples too; None where nothing promises it.

    The promise: with a probability of `sure`, at least `accuracy` of what is answered of a further batch is right. The
    batch is a quarter as large as what was held out, since that is how anybody would check it, on a test part; the
    usual bound on the true accuracy would fail such a check nearly every second time. For one threshold the test is
    exact: were more than so many of a batch wrong, so few mistakes among those held out, which are exchangeable with
    it, would have a probability (hypergeometric) below 1 - sure. Thresholds are tried from the most confident part
    down and the first that fails ends the search, so that the probabilities of all the tests do not add up. It begins
    where two mistakes would pass, or none, where there are too few examples for that.

    Equal confidences are on one side. Examples in groups count for as many as they are worth (design effect).

    Args:
        confidence: (n,) probability of the answer, of examples that the model had not learned from.
        right: (n,) bool, whether that answer was right.
        accuracy: asked for, between 0 and 1.
        groups: (n,) int, equal numbers belong together; None: each example by itself.
        sure: probability with which the promise is kept.

    Raises:
        ValueError: no example, or accuracy out of range.

    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017 (a bound on held-out
    mistakes); Angelopoulos, Bates, Candès, Jordan and Lei, Learn then Test, Annals of Applied Statistics 19, 2025
    (fixed-sequence testing).
    """
    n = len(confidence)
    if not n or len(right) != n or not 0 < accuracy < 1:
        raise ValueError(f"need examples and 0 < accuracy < 1, got {n} and {accuracy}")
    ranked = np.sort(confidence)[::-1]
    places = np.unique(np.ceil(np.arange(1, _STEPS + 1) * n / _STEPS).astype(np.int64)) - 1
    thresholds = np.unique(ranked[places])[::-1]
    sizes = np.searchsorted(-ranked, -thresholds, side="right")
    order = np.argsort(-confidence, kind="stable")
    wrong = np.concatenate([[0], np.cumsum(~np.asarray(right, dtype=bool)[order])])[sizes]
    one = 1.0 if groups is None else worth(np.asarray(right, dtype=bool), groups) / n  # what an example is worth
    test = _Test(accuracy, 1 - sure, _log_factorials(n + ceil(_BATCH * n) + 1))
    first = next((i for some in (_ALLOWED, 0) for i, size in enumerate(sizes) if test.passes(some, one * size)), None)
    found = None
    for i in range(len(sizes) if first is None else first, len(sizes)):
        if not test.passes(one * int(wrong[i]), one * int(sizes[i])):
            break
        found = i
    if found is None:
        return None
    size = int(sizes[found])
    return Answered(float(thresholds[found]), size / n, 1 - int(wrong[found]) / size)


def most_accurate(confidence: np.ndarray, right: np.ndarray, *, groups: np.ndarray | None = None) -> float | None:
    """The highest accuracy that can be promised, to half a percent below 99 %; None where it is under a half."""
    return next((a for a in _REACHABLE if promised_part(confidence, right, a, groups=groups) is not None), None)


@dataclass(frozen=True)
class _Test:
    """Whether so few mistakes would be improbable, were the accuracy in a further batch lower than asked."""

    accuracy: float
    level: float
    log_factorials: np.ndarray

    def passes(self, mistakes: float, size: float) -> bool:
        """Of held-out examples, in as many as they are worth: mistakes are rounded up, sizes down."""
        held, wrong = int(size + 1e-9), ceil(mistakes - 1e-9)
        batch = int(_BATCH * held)
        too_many = int(round((1 - self.accuracy) * batch, 9)) + 1
        if batch < 1 or too_many > batch:
            return False
        return self._at_most(wrong, drawn=held, marked=wrong + too_many, of=held + batch) <= self.level

    def _at_most(self, k: int, *, drawn: int, marked: int, of: int) -> float:
        """P(X <= k) where X of `marked` are among the `drawn`, of so many."""
        f = self.log_factorials
        x = np.arange(max(0, drawn + marked - of), k + 1)
        chosen = f[marked] - f[x] - f[marked - x] + f[of - marked] - f[drawn - x] - f[of - marked - drawn + x]
        return float(np.exp(chosen - (f[of] - f[drawn] - f[of - drawn])).sum())


def _log_factorials(most: int) -> np.ndarray:
    """(most + 1,) the logarithms of 0!, 1!, 2!, ..."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])
