"""Prediction sets: the classes that an example may be of, so that a share of new ones that was asked for is among them.

A nonconformity score says how badly a class suits an example. What the true classes of held-out examples scored gives
the bar that a class has to stay below (split conformal). There are two such scores: 1 - p, which makes the smallest
sets (LAC); and, of many classes, the probability of all that are likelier, which makes them as large as the example is
hard (RAPS).

Where scores are equal, a number drawn for each example decides: without it saturated probabilities would let in far
more than was asked for. It is drawn from the example's own bytes, so one input has one set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.evaluate.conformal import rank_of

MANY = 50  # classes above which sets are by RAPS
FEWEST = 20  # held-out examples of a class for a bar of its own
_PENALTY, _FREE = 0.01, 5  # of RAPS: for each class in a set beyond so many


@dataclass(frozen=True)
class Bar:
    """What a class may score at most to be in a set; equal scores are in up to the second number."""

    score: float
    chance: float


def nonconformity(probabilities: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """(n, c) float32: how badly each class suits each example.

    Args:
        probabilities: (n, c), calibrated. chance: (n,) in [0, 1], as of `chances`.

    Source: Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers with Bounded Error Levels, JASA 114, 2019
    (LAC); Angelopoulos, Bates, Malik and Jordan, Uncertainty Sets for Image Classifiers using Conformal Prediction,
    ICLR 2021 (RAPS, randomised), with the penalty of Angelopoulos and Bates, A Gentle Introduction to Conformal
    Prediction, 2021, so that nothing is chosen by what the bar is taken from.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape[1] <= MANY:
        return (1 - p).astype(np.float32)
    order = np.argsort(-p, axis=1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=1)
    place = np.arange(1, p.shape[1] + 1)
    likelier = np.cumsum(ranked, axis=1) - ranked
    scored = likelier + chance[:, None] * ranked + _PENALTY * np.maximum(0, place - _FREE)
    out = np.empty(p.shape, dtype=np.float32)
    np.put_along_axis(out, order, scored.astype(np.float32), axis=1)
    return out


def bar(true_scores: np.ndarray, chance: np.ndarray, level: float) -> Bar:
    """The bar that the true class of a new example stays below with a probability of `level` at least, and of not more
    than 1 / (n + 1) above it: the ceil((n + 1) * level)-th smallest. Of too few examples for that it is the largest.

    Args:
        true_scores: (n,) of the true classes of examples that the model had not learned from. chance: (n,), of these.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, section 2.2 (smoothed).
    """
    last = np.lexsort((chance, true_scores))[rank_of(len(true_scores), level) - 1]
    return Bar(float(true_scores[last]), float(chance[last]))


def bars(
    true_scores: np.ndarray, chance: np.ndarray, y: np.ndarray, *, n_classes: int, level: float
) -> tuple[list[Bar], np.ndarray]:
    """A bar for each class, so that the share is reached in every class by itself; and (n_classes,) bool, which have
    one of their own. Classes of fewer than 20 examples have one in common, of all examples where those are too few too.

    Args: as of `bar`; y: (n,) the true classes.

    Source: Vovk, Conditional Validity of Inductive Conformal Predictors, ACML 2012 (by class); Ding, Angelopoulos,
    Bates, Jordan and Tibshirani, Class-Conditional Conformal Prediction with Many Classes, NeurIPS 2023 (in common).
    """
    own = np.bincount(y, minlength=n_classes) >= FEWEST
    others = np.flatnonzero(~own[y])
    others = others if len(others) >= FEWEST else np.arange(len(y))
    common = bar(true_scores[others], chance[others], level)
    mine = {c: np.flatnonzero(y == c) for c in np.flatnonzero(own).tolist()}
    return [bar(true_scores[mine[c]], chance[mine[c]], level) if c in mine else common for c in range(n_classes)], own


def sets(probabilities: np.ndarray, chance: np.ndarray, limits: list[Bar]) -> np.ndarray:
    """(n, c) bool: which classes are in each example's set; one that would be empty has the likeliest class.

    Args:
        limits: one of each class, or one of all.
    """
    scored = nonconformity(probabilities, chance)
    least, chosen = np.array([(one.score, one.chance) for one in limits], dtype=np.float32).T
    inside = (scored < least) | ((scored == least) & (chance[:, None] <= chosen))
    inside[np.arange(len(inside)), np.asarray(probabilities).argmax(axis=1)] |= ~inside.any(axis=1)
    return np.asarray(inside)


def chances(digests: np.ndarray) -> np.ndarray:
    """(n,) float32 in [0, 1): numbers drawn from the sha256 of each example, (n, 32) uint8."""
    whole = np.ascontiguousarray(digests[:, :4]).view(">u4").ravel()
    return ((whole >> 8) / np.float64(2**24)).astype(np.float32)
