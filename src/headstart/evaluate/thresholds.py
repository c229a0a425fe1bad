"""From probabilities of labels to labels: a threshold each, where its F1 is best, also where few examples have it.

The threshold that is best for a few positives is mostly chance. Two things make it robust, and a label needs the less
of them the more examples have it. What is tried is not the F1 of the truth alone but of a mixture of truth and
probability, for a calibrated probability says what F1 to expect without any chance. And the threshold is drawn towards
the common one that is best for all decisions in one pot.

Measured on GoEmotions (28 labels; MiniLM, test part; means of 8 to 1 draws of so many training examples):

    training examples     200          500          2,000        5,000        20,000       43,410
    F1                micro macro  micro macro  micro macro  micro macro  micro macro  micro macro
    0.5 for all        .195  .032   .267  .065   .351  .132   .384  .166   .457  .261   .458  .269
    common, best micro .374  .106   .414  .177   .472  .268   .499  .300   .533  .378   .541  .398
    common, best macro .304  .132   .373  .196   .424  .280   .473  .321   .518  .395   .528  .419
    each its own best  .132  .156   .186  .214   .349  .302   .463  .364   .507  .414   .521  .428
    as here            .332  .166   .370  .233   .442  .317   .473  .361   .510  .415   .520  .429

Drawn towards the common threshold of the best macro F1 instead, macro F1 changes by 0.002 or less, and micro F1 is up
to 0.02 lower.
"""

from __future__ import annotations

import numpy as np

_AS_GOOD_AS_TRUTH = 100  # positives for which truth and probability count alike
_AS_GOOD_AS_OWN = 1  # positives for which the own and the common threshold count alike
_LEAST = 1e-6  # a probability, before its log odds are taken


def best_thresholds(probabilities: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """(c,) float64 thresholds: a label is to be predicted where its probability is at least its threshold.

    A label that any example has can be predicted: no threshold is above the highest probability of its label, here at
    least. One that no example has gets the common threshold. The order of the examples does not matter.

    Args:
        probabilities: (n, c), calibrated, of examples that the model was not fitted on, as in cross-validation.
        y: (n, c) of 0 and 1, the truth.
        weights: (n,) above 0, how many examples each one counts for; None: one.

    Raises:
        ValueError: no example, shapes that do not fit together, or a probability outside of [0, 1].

    Source: Lipton, Elkan and Narayanaswamy, Optimal Thresholding of Classifiers to Maximize F1 Measure, ECML 2014 (F1
    from calibrated probabilities); the mixture is measured, see above.
    """
    p, there = np.asarray(probabilities, dtype=np.float64), np.asarray(y) > 0
    if p.ndim != 2 or p.shape != there.shape or p.size == 0:
        raise ValueError(f"probabilities {p.shape} and truths {there.shape} do not fit together, or are empty")
    if not (p.min() >= 0 and p.max() <= 1):  # nor if one is nan
        raise ValueError("a probability is not between 0 and 1")
    w = np.ones(len(p)) if weights is None else weights
    positives = w @ there
    everywhere = np.repeat(w, p.shape[1])
    common = _best(p.ravel(), there.ravel().astype(np.float64), everywhere) if there.any() else 0.5
    thresholds = np.full(p.shape[1], common)
    for label in np.flatnonzero(positives):
        column, count = p[:, label], positives[label]
        trust = count / (count + _AS_GOOD_AS_TRUTH)
        own = _best(column, trust * there[:, label] + (1 - trust) * column, w)
        share = count / (count + _AS_GOOD_AS_OWN)
        drawn = share * _log_odds(own) + (1 - share) * _log_odds(common)
        thresholds[label] = min(1 / (1 + np.exp(-drawn)), column.max())
    return thresholds


def _best(p: np.ndarray, wanted: np.ndarray, w: np.ndarray) -> float:
    """The threshold on `p` (m,) of the highest F1 for `wanted` (m,) in [0, 1]: halfway between two probabilities."""
    order = np.lexsort((-wanted, -p))
    ranked, hits = p[order], np.cumsum((w * wanted)[order])
    f1 = 2 * hits / (np.cumsum(w[order]) + hits[-1])
    f1[:-1][ranked[1:] == ranked[:-1]] = -1  # equal probabilities are on one side
    last = int(np.argmax(f1))  # of those that are predicted
    return float(ranked[last : last + 2].mean())


def _log_odds(p: float) -> float:
    inside = min(max(p, _LEAST), 1 - _LEAST)
    return float(np.log(inside / (1 - inside)))
