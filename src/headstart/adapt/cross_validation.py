"""The head for a user's features, with everything that must be decided from them: folds, penalty, temperature."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.basis import Basis
from headstart.adapt.probe import HeldOut, cross_validate, probe
from headstart.data.split import folds
from headstart.evaluate.calibration import temperature
from headstart.values import Dataset, Features, Head, Kind

_MANY = 200_000  # examples x classes from which three folds are as good as five


def fit_head(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    classes: tuple[str, ...],
    kind: Kind,
    groups: np.ndarray,
    digests: np.ndarray,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> Head:
    """The head for these (n, d) features and (n,) class indices; penalty and temperature from folds of them.

    Duplicates, and photos that look alike, are held out together.

    Args:
        basis: of these features.
        groups: (n,) int64, equal for what is held out together. digests: (n, 32) uint8.
    """
    k = _how_many(len(y), len(classes))
    fold = grouped_folds(features, y, basis=basis, kind=kind, groups=groups, digests=digests, k=k, seed=seed)
    return probe(features, y, basis=basis, classes=classes, fold=fold, temperature=temperature, advance=advance)


def fit_probe(
    dataset: Dataset,
    rows: np.ndarray,
    features: Features,
    *,
    basis: Basis,
    seed: int = 0,
    advance: Callable[[int], None] = lambda _: None,
) -> Head:
    """As `fit_head`, for the examples in these rows of a checked dataset, whose (n_rows, d) features are given.

    The head knows all classes of the dataset, also one of which no example is among the rows.
    """
    return fit_head(
        features,
        dataset.y[rows],
        basis=basis,
        classes=dataset.classes,
        kind=dataset.kind,
        groups=dataset.checked_groups[rows],
        digests=dataset.checked_digests[rows],
        seed=seed,
        advance=advance,
    )


def judge(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    n_classes: int,
    kind: Kind,
    groups: np.ndarray,
    digests: np.ndarray,
    seed: int = 0,
) -> HeldOut:
    """How such a head does on each example while it is held out. Arguments as in `fit_head`."""
    k = _how_many(len(y), n_classes)
    fold = grouped_folds(features, y, basis=basis, kind=kind, groups=groups, digests=digests, k=k, seed=seed)
    return cross_validate(features, y, basis=basis, n_classes=n_classes, fold=fold, temperature=temperature)


def grouped_folds(
    features: Features,
    y: np.ndarray,
    *,
    basis: Basis,
    kind: Kind,
    groups: np.ndarray,
    digests: np.ndarray,
    k: int,
    seed: int,
) -> np.ndarray:
    """(n,) fold of each row, 0 to k - 1; duplicates and photos that look alike are in one fold. Arguments as above."""
    if kind == "image":
        groups = near_duplicates.join(near_duplicates.directions(basis, features.matrix), y, groups, at_least=k)
    return folds(y, groups, digests, k=k, seed=seed)


def _how_many(n: int, n_classes: int) -> int:
    return 3 if n * n_classes > _MANY else 5
