"""The head that a probe found, learned again from other examples: fold by fold for a score, or from all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.cross_validation import grouped_folds
from headstart.adapt.lesson import Adapted
from headstart.backbone import Features, Head
from headstart.encode.encode import of_rows
from headstart.storage.matrix import take
from headstart.values import Caution, Dataset, Split


def out_of_fold(
    dataset: Dataset, rows: np.ndarray, features: Features, *, basis: Basis, head: Head, seed: int
) -> np.ndarray:
    """(n_rows, n_outputs) float32: outputs for each example, by a head of the same settings that was learned without
    its fold. The folds are those that the settings were found by.

    Args:
        features: (n_rows, d), of these rows. basis: of these features. head: the probe of all of them.
    """
    family = dataset.task.learner.family
    k = family.how_many_folds(len(rows), len(dataset.classes))
    fold = grouped_folds(dataset, rows, features, basis=basis, k=k, seed=seed)
    y, weights = dataset.y[rows], dataset.weights_of(rows)
    outputs = np.empty((len(rows), len(head.bias)), dtype=np.float32)
    for number in np.unique(fold):
        held, learn = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        some = Features(take(features.matrix, learn), features.key, 0)
        mine = None if weights is None else weights[learn]
        made: Head = family.refit(some, y[learn], basis=basis, like=head, weights=mine)
        outputs[held] = made.logits(take(features.matrix, held))
    return outputs


def learned_from_all(dataset: Dataset, parts: Split, adapted: Adapted) -> Adapted:
    """What was scored, learned again with the same settings from the test part too. A trained model stays as it is:
    what it would be after another training nobody has measured, and there is no time for one.

    Args:
        adapted: once its score is known.
    """
    family = dataset.task.learner.family
    if adapted.method != "probe" or family is None or adapted.features is None:
        what = "the model did not learn from the test part: --final learns again in seconds what a probe is, and "
        text = f"{what}training anew would make a model that nobody has measured; --how probe --final does it"
        return replace(adapted, cautions=(*adapted.cautions, Caution("not-final", text)))
    rows = np.union1d(adapted.rows, parts.test)
    if len(rows) > len(adapted.rows):
        features, weights = of_rows(adapted.features, rows), dataset.weights_of(rows)
        basis = fit_basis(features.matrix, weights)
        head = family.refit(features, dataset.y[rows], basis=basis, like=adapted.head, weights=weights)
        adapted = replace(adapted, head=replace(head, cross_validation=adapted.head.cross_validation), rows=rows)
    return replace(adapted, final=True)
