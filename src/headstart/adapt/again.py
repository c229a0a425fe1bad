"""The head that a probe found, learned again from other examples: fold by fold for a score, or from all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from headstart.adapt.auxiliary import Auxiliary, joined
from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.cross_validation import grouped_folds, probes, refit
from headstart.adapt.lesson import Adapted
from headstart.backbone import Features, Head
from headstart.clock import UNLIMITED, Budget
from headstart.encode.encode import of_rows
from headstart.storage.matrix import take
from headstart.values import Caution, Dataset, Split

_FEWEST_FOLDS = 3  # by which every example is scored, also where the penalty is chosen on a part of them


def out_of_fold(
    dataset: Dataset,
    features: Features,
    *,
    basis: Basis,
    head: Head,
    beside: Auxiliary,
    seed: int,
    cooling: float = 1.0,
    within: Budget = UNLIMITED,
) -> np.ndarray:
    """(n, n_outputs) float32: outputs for each example, by a probe that was made without its fold.

    Its penalty, class weights and temperature are found without that fold too, as far as there is time, and two groups
    at least are left to find them by; else they are those of the probe of all. So are thresholds and widths.

    Args:
        dataset: of which the first n examples have features. basis: of these features. head: the probe of all of them,
            and of what is `beside`.
        cooling: by what outputs are divided that are sure by what they learned from a pool.
        within: how long the search for settings may take, about.
    """
    rows = np.arange(len(features.matrix))
    k = max(_FEWEST_FOLDS, dataset.task.learner.family.how_many_folds(len(rows), len(dataset.classes)))
    fold = grouped_folds(dataset, rows, features, basis=basis, k=k, seed=seed)
    probe = probes(dataset, features, basis=basis, rows=rows, head=head, beside=beside, seed=seed)
    outputs = np.empty((len(rows), len(head.bias)), dtype=np.float32)
    for number in np.unique(fold):
        held, learn = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if within.left > 0 and len(np.unique(fold[learn])) > 1:
            made = probe(learn).cooled(cooling)
        else:
            some = Features(take(features.matrix, learn), features.key, 0)
            made = refit(dataset, learn, some, basis=basis, like=head, beside=beside)
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
        features, beside = of_rows(adapted.features, rows), adapted.beside
        both = joined(dataset, rows, features, beside)
        basis = fit_basis(both.features.matrix, both.weights)
        head = refit(dataset, rows, features, basis=basis, like=adapted.head, beside=beside)
        adapted = replace(adapted, head=replace(head, cross_validation=adapted.head.cross_validation), rows=rows)
    return replace(adapted, final=True)
