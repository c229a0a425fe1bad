"""The probe on the examples of a dataset, in folds that keep apart what must not be learned from and judged by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.basis import Basis, fit_basis
from headstart.backbone import Features, Head
from headstart.data.split import folds
from headstart.errors import DataError
from headstart.evaluate.criterion import Criterion
from headstart.evaluate.paired_test import HeldOut
from headstart.values import Dataset


def fit_probe(
    dataset: Dataset,
    rows: np.ndarray,
    features: Features,
    *,
    basis: Basis,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> Head:
    """The head for these rows of a checked dataset; penalty and calibration from folds of them.

    The head knows all classes of the dataset, also one of which no example is among the rows.

    Args:
        features: (n_rows, d), of these rows. basis: of these features, or of more.
        advance: told 1 for each penalty tried.
    """
    family = dataset.task.learner.family
    k = family.how_many_folds(len(rows), len(dataset.classes))
    fold = grouped_folds(dataset, rows, features, basis=basis, k=k, seed=seed)
    y, names, by = dataset.y[rows], dataset.classes, criterion(dataset).of(rows)
    return family.probe(features, y, basis=basis, names=names, fold=fold, by=by, advance=advance)


def judge(dataset: Dataset, features: Features, *, seed: int = 0) -> HeldOut:
    """How such a head does on each example of a checked dataset while it is held out.

    Args:
        features: (n, d), of all rows.
    """
    family, rows = dataset.task.learner.family, np.arange(len(dataset))
    basis = fit_basis(features.matrix, dataset.weights)
    k = family.how_many_folds(len(rows), len(dataset.classes))
    fold = grouped_folds(dataset, rows, features, basis=basis, k=k, seed=seed)
    n_outputs, by = len(dataset.classes), criterion(dataset)
    return family.held_out(features, dataset.y, basis=basis, n_outputs=n_outputs, fold=fold, by=by)


def criterion(dataset: Dataset) -> Criterion:
    """What is chosen by on its examples."""
    return Criterion(dataset.weights, dataset.task.costs)


def grouped_folds(
    dataset: Dataset, rows: np.ndarray, features: Features, *, basis: Basis, k: int, seed: int
) -> np.ndarray:
    """(n_rows,) fold of each row, 0 to k - 1; duplicates, and photos that look alike, are in one fold.

    Arguments as in `fit_probe`.

    Raises:
        DataError: there is nothing to hold out: one example, or several that are the same.
    """
    strata, groups = dataset.strata[rows], dataset.checked_groups[rows]
    if dataset.modality.look_alikes:
        z = near_duplicates.directions(basis, features.matrix)
        groups = near_duplicates.join(z, strata, groups, at_least=k)
    if len(np.unique(groups)) < 2:
        what = "one example to learn from"
        if len(rows) > 1:
            what = f"the {len(rows):,} examples to learn from are (nearly) the same, or of one text"
        raise DataError(what, where=dataset.name, fix="give two examples at least that differ")
    return folds(strata, groups, dataset.checked_digests[rows], k=k, seed=seed, weights=dataset.weights_of(rows))
