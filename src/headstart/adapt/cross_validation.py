"""The probe on the examples of a dataset, in folds that keep apart what must not be learned from and judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.auxiliary import NOTHING, Auxiliary, joined
from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.family import Probed
from headstart.adapt.penalty_path import IN_ALL, unjudged
from headstart.adapt.policy import MANY, TUNING
from headstart.adapt.self_training import taught
from headstart.backbone import Features, Head
from headstart.clock import UNLIMITED, Budget
from headstart.data.split import folds
from headstart.errors import DataError
from headstart.evaluate.criterion import Criterion
from headstart.evaluate.paired_test import HeldOut
from headstart.storage.matrix import take
from headstart.values import Dataset

_ODD = np.uint64(0x9E3779B97F4A7C15)  # spreads what a seed changes over all bits: Knuth's multiplicative hash

Probe = Callable[[np.ndarray], Head]  # rows to learn from -> the head


def fit_probe(
    dataset: Dataset,
    rows: np.ndarray,
    features: Features,
    *,
    basis: Basis,
    beside: Auxiliary = NOTHING,
    seed: int = 0,
    within: Budget = UNLIMITED,
    advance: Callable[[int], None] = lambda _: None,
) -> Probed:
    """The head for these rows of a checked dataset; penalty and calibration from folds of them.

    The head knows all classes of the dataset, also one of which no example is among the rows.

    Args:
        features: (n_rows, d), of these rows. basis: of these features, or of more.
        beside: whose names it learns from as well, and is never judged by; its pool comes after, see `taught`.
        within: how long it may take, about. advance: told 1 for each penalty tried.
    """
    family = dataset.task.learner.family
    fold = probe_folds(dataset, rows, features, basis=basis, seed=seed)
    y, names, by = dataset.y[rows], dataset.classes, criterion(dataset).of(rows)
    if beside.labelled:
        both = joined(dataset, rows, features, beside)
        features, y, fold, by = both.features, both.y, both.fold(fold), both.criterion(by)
    probed: Probed = family.probe(
        features, y, basis=basis, names=names, fold=fold, by=by, within=within, advance=advance
    )
    return probed


def refit(
    dataset: Dataset, rows: np.ndarray, features: Features, *, basis: Basis, like: Head, beside: Auxiliary = NOTHING
) -> Head:
    """The head for these rows and what is beside them, by what another one was found to need; else as `fit_probe`."""
    both = joined(dataset, rows, features, beside)
    family = dataset.task.learner.family
    head: Head = family.refit(both.features, both.y, basis=basis, like=like, weights=both.weights)
    return taught(dataset, rows, features, head=head, beside=beside)[0] if len(beside.pool) else head


def probes(
    dataset: Dataset,
    features: Features,
    *,
    basis: Basis,
    rows: np.ndarray,
    head: Head,
    beside: Auxiliary = NOTHING,
    seed: int = 0,
) -> Probe:
    """The probe of any of the examples that have features; each one is made once.

    Of many, the penalty is that of a probe that there is. A search takes long; and whatever else that probe has seen,
    one number learned next to nothing from it.

    Args:
        features: (n, d), of the first rows of the dataset. basis: of these features.
        rows: of which there is a probe, `head`, which learned from what is `beside` as well.
    """
    known: dict[bytes, Head] = {rows.tobytes(): head}
    n = len(features.matrix)

    def fitted(rows: np.ndarray) -> Head:
        rows = rows[rows < n]
        key = rows.tobytes()
        if key in known:
            return known[key]
        some = Features(take(features.matrix, rows), features.key, 0)
        if len(rows) > TUNING.refit_from:
            known[key] = refit(dataset, rows, some, basis=basis, like=head, beside=beside)
        else:
            known[key] = fit_probe(dataset, rows, some, basis=basis, beside=beside, seed=seed).head
            if len(beside.pool):
                known[key], _ = taught(dataset, rows, some, head=known[key], beside=beside)
        return known[key]

    return fitted


def all_alike(
    dataset: Dataset, features: Features, *, basis: Basis, probe: Probe, beside: Auxiliary = NOTHING
) -> Probe:
    """The same probes with classes that count alike, which training starts from.

    It lowers the log loss, which the user is not asked about; a probe may give that up for rare classes. Weighted, a
    tuned model of 28 emotions was right in 2 to 3 points fewer of 1,500 comments, and worse in log loss
    (docs/tuning.md). Where the user chooses by a metric, classes weigh what the probe found they should.

    Args:
        features: (n, d), of the first rows of the dataset. probe, basis, beside: as for `probes`.
    """
    n = len(features.matrix)

    def made(rows: np.ndarray) -> Head:
        head = probe(rows)
        if head.class_weights is None or dataset.task.metric is not None:
            return head
        rows = rows[rows < n]
        some = Features(take(features.matrix, rows), features.key, 0)
        return refit(dataset, rows, some, basis=basis, like=replace(head, class_weights=None), beside=beside)

    return made


def judge(dataset: Dataset, features: Features, *, seed: int = 0) -> HeldOut:
    """How such a head does on each example of a checked dataset while it is held out.

    Args:
        features: (n, d), of all rows.
    """
    family, rows = dataset.task.learner.family, np.arange(len(dataset))
    basis = fit_basis(features.matrix, dataset.weights)
    fold = probe_folds(dataset, rows, features, basis=basis, seed=seed)
    n_outputs, by = len(dataset.classes), criterion(dataset)
    return family.held_out(features, dataset.y, basis=basis, n_outputs=n_outputs, fold=fold, by=by)


def judge_constant(dataset: Dataset) -> HeldOut:
    """How the same answer to every example would do, the best there is: what any model has to beat."""
    family, n_outputs = dataset.task.learner.family, max(1, len(dataset.classes))
    always = family.constant(dataset.y, n_outputs)
    outputs = np.broadcast_to(always.astype(np.float32), (len(dataset), n_outputs))
    judged: HeldOut = family.judged(outputs, dataset.y, criterion(dataset))
    return judged


def criterion(dataset: Dataset) -> Criterion:
    """What is chosen by on its examples."""
    return Criterion(dataset.weights, dataset.clusters, dataset.task.costs)


def probe_folds(dataset: Dataset, rows: np.ndarray, features: Features, *, basis: Basis, seed: int) -> np.ndarray:
    """(n_rows,) the folds that a probe of these rows is judged by; where they are very many, the part that is fold 0,
    others being in none. Arguments and errors as in `grouped_folds`."""
    k = dataset.task.learner.family.how_many_folds(len(rows), len(dataset.classes))
    if k == 1:
        return held_out_part(dataset, rows, features, basis=basis, seed=seed)
    return grouped_folds(dataset, rows, features, basis=basis, k=k, seed=seed)


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


def held_out_part(dataset: Dataset, rows: np.ndarray, features: Features, *, basis: Basis, seed: int) -> np.ndarray:
    """(n_rows,) 0 for a part of very many rows that is held out, a share of each class; `IN_ALL` for the others, but
    `unjudged(0)` for photos that look like one of the part, which are left out with it.

    Which groups they are comes from the seed and their bytes alone, as in `folds`. Arguments as in `fit_probe`.
    """
    y, n = dataset.strata[rows], len(rows)
    each = np.ascontiguousarray(dataset.checked_digests[rows][:, :8]).view("<u8")[:, 0]
    salt = hashlib.sha256(seed.to_bytes(16, "little", signed=True)).digest()
    each = (each ^ np.uint64(int.from_bytes(salt[:8], "little"))) * _ODD
    order = np.lexsort((each, dataset.checked_groups[rows]))
    groups, first = np.unique(dataset.checked_groups[rows][order], return_index=True)
    number = np.searchsorted(groups, dataset.checked_groups[rows])
    name, label = each[order[first]], y[order[first]]  # of each group, by the row whose hash comes first
    by_class = np.lexsort((name, label))
    counts = np.bincount(label)
    rank = np.arange(len(groups)) - np.repeat(np.cumsum(counts) - counts, counts)
    share = min(1 / MANY.held_out, MANY.most_judged / n)
    held = np.zeros(len(groups), dtype=bool)
    held[by_class] = rank < np.floor(share * np.repeat(counts, counts))
    if not held.any():  # hardly anything is of the same class, or of another group
        return grouped_folds(dataset, rows, features, basis=basis, k=MANY.held_out, seed=seed)
    fold = np.where(held[number], 0, IN_ALL)
    if dataset.modality.look_alikes:
        z = near_duplicates.directions(basis, features.matrix)
        fold[near_duplicates.like_any(z, y, fold == 0) & (fold != 0)] = unjudged(np.zeros(1, dtype=np.int64))[0]
    return fold
