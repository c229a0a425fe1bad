"""A head that learns from examples without labels, too: from those that it is surest of, with the labels it gives.

Twice: the second time the labels are those of a head that has learned from the pool once.

Source: Yarowsky, Unsupervised Word Sense Disambiguation Rivaling Supervised Methods, ACL 1995. That it is the
surer half of a pool, by class in the estimated shares, was measured on sixteen sets of data
(docs/log/2026-11-few-labels.md).
"""

from __future__ import annotations

import numpy as np

from headstart.adapt.auxiliary import Auxiliary, Joined, joined
from headstart.adapt.basis import fit_basis
from headstart.adapt.family import Probed
from headstart.backbone import Features, Head
from headstart.evaluate.intervals import wilson
from headstart.values import Dataset

SURE = 0.5  # of the pool that is learned from
_ROUNDS = 2
_RIGHT = 0.5  # of the labels that a head is surest of, below which it has none to teach


def taught(
    dataset: Dataset, rows: np.ndarray, features: Features, *, head: Head, beside: Auxiliary
) -> tuple[Head, int]:
    """The head that learned from the pool as well, at the settings of the one that begins to label it; and from how
    many of its examples.

    Args:
        features: (n_rows, d), of these rows of a checked dataset.
        head: learned from these rows, and from the names beside them.
    """
    family = dataset.task.learner.family
    both = joined(dataset, rows, features, beside)
    for _ in range(_ROUNDS):
        more = with_surest(both, dataset, head, beside.pool)
        basis = fit_basis(more.features.matrix, more.weights)
        head = family.refit(more.features, more.y, basis=basis, like=head, weights=more.weights)
    return head, len(more.of) - len(both.of)


def with_surest(labelled: Joined, dataset: Dataset, head: Head, pool: np.ndarray) -> Joined:
    """A training set with the examples of a pool, (m, d), that a head is surest of, and the labels that it gives."""
    sure, labels = dataset.task.learner.family.surest(head.logits(pool), SURE)
    matrix = np.concatenate([labelled.features.matrix[:], pool[sure]])
    weights = None if labelled.weights is None else np.concatenate([labelled.weights, np.ones(len(sure))])
    features = Features(matrix, labelled.features.key, 0)
    of = np.concatenate([labelled.of, np.full(len(sure), -1)])
    return Joined(features, np.concatenate([labelled.y, labels]), weights, of)


def misled(dataset: Dataset, rows: np.ndarray, probed: Probed) -> bool:
    """Whether the labels that a probe is surest of are mostly wrong, beyond chance, by what each fold left out."""
    sure, labels = dataset.task.learner.family.surest(probed.outputs, SURE)
    right = int((labels == dataset.y[rows][sure]).sum())
    return len(sure) > 0 and wilson(right, len(sure)).high < _RIGHT
