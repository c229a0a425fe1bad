"""What a frozen model's features say of data: doubtful labels, outliers, look-alikes, classes that are confused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.backbone import Features
from headstart.clock import Budget
from headstart.doctor.doubtful import NEIGHBOURS
from headstart.errors import DataError
from headstart.evaluate.metrics import robust_deviation
from headstart.evaluate.neighbours import Neighbours, nearest_others
from headstart.storage.matrix import take
from headstart.task import rounded
from headstart.values import Dataset, Doubts, Finding, Split

_SECONDS = 2.0  # for the probe of very many classes: what it says then of labels is hardly worse, and a note says so
_FAR, _NEAREST = 3.0, 5  # robust deviations from the mean cosine to so many neighbours
_APART, _BESIDE = 0.03, 0.25  # 1 - cosine of texts that say the same; and as a share of what most have
_MOST_OUTLIERS = 0.02  # of the examples
_FEWEST = 20  # examples, among which one can be odd
_CONFUSED, _FEWEST_CONFUSED, _MOST_CONFUSED = 0.1, 5, 10  # of two classes; examples; pairs


def by_model(
    dataset: Dataset, parts: Split, features: Features, *, seed: int
) -> tuple[list[Finding], Doubts, tuple[str, ...]]:
    """Findings on checked examples, the doubtful labels among them by themselves, and what these are worth.

    Args:
        features: of all rows.
    """
    basis = fit_basis(features.matrix, dataset.weights)
    near = cache(partial(nearest_others, features.matrix, NEIGHBOURS))
    found = [*_outliers(dataset, near()), *_look_alikes(dataset, parts, features, basis, near)]
    suspects, rows, budget = dataset.task.scorer.suspects, np.arange(len(dataset)), Budget(_SECONDS)
    try:
        probed = fit_probe(dataset, rows, features, basis=basis, seed=seed, within=budget)
    except DataError as error:  # nothing can be held out
        return found, Doubts(looked=False), (f"doubtful labels are not looked for: {error.what}",)
    judged, among = dataset, near
    if len(probed.rows) < len(dataset):  # very many: the others were learned from by every head
        judged = dataset.take(probed.rows)
        among = cache(partial(nearest_others, take(features.matrix, probed.rows), NEIGHBOURS))
    doubts = Doubts(looked=False) if suspects is None else suspects(dataset, probed.rows, probed.outputs, among)
    if len(dataset.classes) > 2 and dataset.y.ndim == 1:  # of two, that is the accuracy
        found += _confused(judged, probed.outputs.argmax(axis=1))
    short = f"labels are doubted by a model that learned for {_SECONDS:g} s: on another machine some rank otherwise"
    return found, doubts, (short,) if budget.left < _SECONDS / 2 else ()  # half is for the search


def _outliers(dataset: Dataset, near: Neighbours) -> Iterator[Finding]:
    """Examples that are like no other one, the oddest first."""
    likeness = near.cosines[:, :_NEAREST].mean(axis=1)
    usual, spread = float(np.median(likeness)), robust_deviation(likeness)
    if len(dataset) < _FEWEST or spread <= 0:
        return
    far = (usual - likeness) / spread
    odd = np.argsort(-far, kind="stable")[: max(1, int(_MOST_OUTLIERS * len(far)))]
    for row in odd[far[odd] > _FAR].tolist():
        reason = f"like no other example: cosine {likeness[row]:.2f} to the nearest ones, of most others {usual:.2f}"
        yield Finding("outlier", dataset.where[row], reason, score=rounded(1 - 1 / far[row]))


def _look_alikes(
    dataset: Dataset, parts: Split, features: Features, basis: Basis, near: Callable[[], Neighbours]
) -> Iterator[Finding]:
    """Examples that are nearly an earlier one, where no hash has said so: crops, edits or neighbouring frames of
    photos, and what is said in other words."""
    groups, test = dataset.checked_groups, np.zeros(len(dataset), dtype=bool)
    test[parts.test] = not parts.out_of_fold
    if dataset.modality.look_alikes:
        z = near_duplicates.directions(basis, features.matrix)
        alike, said = list(near_duplicates.within(z, dataset.strata).items()), "looks like {}: is it of the same?"
    else:
        alike, said = _said_again(near()), "says nearly the same as {}"
    for row, other in alike:
        if groups[row] != groups[other]:
            between = ", one in the training and one in the test part" if test[row] != test[other] else ""
            differs = ", with another label" if dataset.strata[row] != dataset.strata[other] else ""
            reason = f"{said.format(dataset.where[other])}{differs}{between}"
            yield Finding("look-alike", dataset.where[row], reason, other=dataset.where[other])


def _said_again(near: Neighbours) -> list[tuple[int, int]]:
    """Rows that are all but their nearest neighbour, each pair once, the nearest first. A distance means less to models
    to which all texts are near, so it is held beside the others as well."""
    apart = 1 - near.cosines[:, 0]
    rows = np.flatnonzero(apart <= min(_APART, _BESIDE * float(np.median(apart))))
    pairs = ((int(row), int(near.rows[row, 0])) for row in rows[np.argsort(apart[rows], kind="stable")])
    return list(dict.fromkeys((max(pair), min(pair)) for pair in pairs))


def _confused(dataset: Dataset, said: np.ndarray) -> Iterator[Finding]:
    """Pairs of classes that are often taken for each other, most often first."""
    y, names = dataset.y, dataset.classes
    sizes = np.bincount(y, minlength=len(names))
    wrong = said != y
    both = np.sort(np.column_stack([y, said])[wrong], axis=1)
    pairs = [(n, n / int(sizes[a] + sizes[b]), a, b) for (a, b), n in Counter(map(tuple, both.tolist())).items()]
    often = [pair for pair in pairs if pair[0] >= _FEWEST_CONFUSED and pair[1] >= _CONFUSED]
    for n, share, a, b in sorted(often, key=lambda pair: (-pair[1], pair[2:]))[:_MOST_CONFUSED]:
        reason = (
            f"{n:,} of {sizes[a] + sizes[b]:,} ({share:.0%}) are taken for the other by a model that had not seen them"
        )
        yield Finding("confused-classes", f"{names[a]}, {names[b]}", f"{reason}: are they two things?")
