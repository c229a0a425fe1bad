"""Which targets are doubtful, by what models that had not learned from an example say of it: arrays in, ranks out.

Three signs of a wrong class are put together by their ranks: how improbable it is to the model, by how much another
class is more probable, and how few of the nearest examples have it. None is the best everywhere; the mean of their
ranks is never far behind the best one (docs/log/2026-11-doctor.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.evaluate.metrics import robust_deviation, softmax
from headstart.evaluate.neighbours import Neighbours

_IMPROBABLE = 0.25  # of a class: above that, a label that the model does not give is no doubtful one
_BLOCK = 2**21  # probabilities at a time
_MOST_FITTED = 20_000  # examples that the share of wrong labels is found by
_TEMPERATURES = np.geomspace(0.35, 1.5, 16)
_SHARES = np.array([0, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.045, 0.06, 0.08, 0.11, 0.15, 0.2, 0.3])
_EVIDENCE = 3.0  # nats of likelihood, for wrong labels against none: by chance in one set of labels of a hundred
_FAR = 5.0  # robust deviations from which an error of a number is odd: of a normal distribution one in two million
_LABEL_IMPROBABLE = 0.01  # of a label that was given, or of its lack
_MOST_OF_LABELS = 0.02  # of the examples: labels are left out more often than they are wrong


@dataclass(frozen=True)
class Suspects:
    """Examples whose target is doubtful, the most doubtful first."""

    rows: np.ndarray  # (m,) places among those that were looked at
    scores: np.ndarray  # (m,) 0 to 1, descending: of classes, how many are less doubtful
    instead: np.ndarray  # (m,) what the model would give: a class, a label that is too much or missing, a number
    wrong: np.ndarray | None = None  # (m,) bool, which are more probably wrong than right; None: nobody knows


def suspicious_classes(outputs: np.ndarray, y: np.ndarray, near: Neighbours) -> tuple[Suspects, np.ndarray]:
    """Examples whose class is improbable to a model that had not seen them, which prefers another one, as do their
    neighbours; with the (m, 2) probabilities of both classes.

    Args:
        outputs: (n, c) logits, each example's by a model that had not learned from it. y: (n,) its class.
        near: of each, the examples most like it, which vote.

    Source: Northcutt, Jiang and Chuang, Confident Learning, JAIR 70, 2021 (self-confidence and margin out of fold);
    the vote as in Zhu, Dong and Liu, Detecting Corrupted Labels Without Training a Model to Predict, ICML 2022.
    """
    own, other, instead = _against(outputs, y)
    votes = y[near.rows]
    mine, theirs = ((votes == which[:, None]).mean(axis=1) for which in (y, instead))
    doubt = _blend(own, other, mine)
    listed = np.flatnonzero((own < _IMPROBABLE) & (other > own) & (theirs > mine))
    order = listed[np.lexsort((own[listed], -doubt[listed]))]
    wrong = wrongness(outputs, y)[order] > 0.5
    return Suspects(order, doubt[order], instead[order], wrong), np.column_stack([own, other])[order]


def ranking(outputs: np.ndarray, y: np.ndarray, near: Neighbours) -> np.ndarray:
    """(n,) how doubtful each label is beside the others, 0 to 1. Arguments as in `suspicious_classes`."""
    own, other, _ = _against(outputs, y)
    return _blend(own, other, (y[near.rows] == y[:, None]).mean(axis=1))


def _blend(own: np.ndarray, other: np.ndarray, votes: np.ndarray) -> np.ndarray:
    return np.asarray((_ranks(-own) + _ranks(other - own) + _ranks(-votes, -own)) / 3)


def wrongness(outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) the probability that each label is wrong; 0 of all where wrong labels explain no more than chance does.

    A model whose probabilities are right is now and then surprised. Labels that somebody got wrong surprise it whatever
    it thinks: so of each label, p(y) = (1 - share) softmax(outputs / t)_y + share / c. Share and t are those that make
    the labels most likely, looked for on a grid. Wrong labels of one class that are all given to the same other one
    are as likely by the first part, and not seen here.

    Args: as `suspicious_classes`.
    """
    n, c = outputs.shape
    some = np.arange(n) if n <= _MOST_FITTED else np.linspace(0, n - 1, _MOST_FITTED).astype(np.int64)
    fits = [(t, _label_probabilities(outputs[some], y[some], t)) for t in _TEMPERATURES]
    gains = np.array([[_likelihood(p, share, c) for share in _SHARES] for _, p in fits])
    at, which = np.unravel_index(int(gains.argmax()), gains.shape)
    share = float(_SHARES[which])
    if gains[at, which] - gains[:, 0].max() < _EVIDENCE:
        return np.zeros(n)
    by_chance = share / c
    return np.asarray(by_chance / (by_chance + (1 - share) * _label_probabilities(outputs, y, fits[at][0])))


def suspicious_labels(outputs: np.ndarray, y: np.ndarray) -> Suspects:
    """Examples with a label that is improbable, or without one that is all but sure, one label an example.

    Args:
        outputs: (n, c) logits of labels, out of fold. y: (n, c) 0 and 1.

    Returns:
        Of each, `instead` is the label in question.
    """
    agreed = np.where(y > 0, outputs, -outputs).astype(np.float64)  # the logit of the label as it stands
    worst = agreed.argmin(axis=1)
    probability = 1 / (1 + np.exp(-agreed[np.arange(len(y)), worst]))
    listed = np.flatnonzero(probability < _LABEL_IMPROBABLE)
    order = listed[np.argsort(probability[listed], kind="stable")][: max(1, int(_MOST_OF_LABELS * len(y)))]
    return Suspects(order, 1 - probability[order], worst[order])


def suspicious_numbers(predicted: np.ndarray, y: np.ndarray) -> Suspects:
    """Examples whose number is far from what was predicted of it, beside how far off the others are.

    Args:
        predicted: (n,) numbers, out of fold. y: (n,) those that were given.
    """
    errors = y.astype(np.float64) - predicted
    off, typical = np.abs(errors - np.median(errors)), robust_deviation(errors)
    far = off / typical if typical > 0 else np.zeros(len(off))
    listed = np.flatnonzero(far > _FAR)
    order = listed[np.argsort(-far[listed], kind="stable")]
    return Suspects(order, 1 - 1 / far[order], predicted[order], np.ones(len(order), dtype=bool))


def _against(outputs: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) the probability of each label, (n,) of the most probable other class, and (n,) which that is."""
    n, c = outputs.shape
    own, other, instead = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    for rows in _blocks(n, c):
        p = softmax(outputs[rows])
        here = np.arange(len(p))
        own[rows] = p[here, y[rows]]
        p[here, y[rows]] = -1.0
        instead[rows] = p.argmax(axis=1)
        other[rows] = p[here, instead[rows]]
    return own, other, instead


def _label_probabilities(outputs: np.ndarray, y: np.ndarray, temperature: float) -> np.ndarray:
    """(n,) of each label, at a temperature."""
    found = np.empty(len(y))
    for rows in _blocks(*outputs.shape):
        z = outputs[rows].astype(np.float64) / temperature
        z -= z.max(axis=1, keepdims=True)
        found[rows] = np.exp(z[np.arange(len(z)), y[rows]]) / np.exp(z).sum(axis=1)
    return found


def _likelihood(p: np.ndarray, share: float, c: int) -> float:
    """Nats, of labels with these probabilities of which a share was given by chance."""
    return float(np.log(np.maximum((1 - share) * p + share / c, 1e-300)).sum())


def _ranks(values: np.ndarray, then: np.ndarray | None = None) -> np.ndarray:
    """(n,) the share of values that are lower, equal ones told apart by `then`; those equal in both have one rank."""
    keys = values if then is None else np.stack([values, then], axis=1)
    _, of, times = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(((np.cumsum(times) - (times + 1) / 2) / max(1, len(values) - 1))[of.ravel()])


def _blocks(n: int, c: int) -> list[slice]:
    step = max(1, _BLOCK // max(1, c))
    return [slice(start, start + step) for start in range(0, n, step)]
