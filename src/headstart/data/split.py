"""Training part, test part and folds: stratified by class, in groups that stay together, the same on every machine.

The order in which groups are dealt out comes from a hash of the seed and the examples' own bytes, not from a random
number generator or the file order. So renaming files, another operating system or another numpy change nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from headstart.data.alike.equal import in_order
from headstart.data.test_part import (
    few_examples,
    leaked,
    leaks,
    not_tested,
    of_one_group,
    refuse_lone_groups,
    shared_groups,
    shared_texts,
    too_few,
    untested,
)
from headstart.errors import DataError
from headstart.storage.columns import Joined, coded, in_blocks
from headstart.values import Caution, Dataset, Split

_TRAIN_ALONE = ("there is a training part and no labelled test: the test is held out of it",)


def split(dataset: Dataset, *, test: float | None = 0.2, seed: int = 0, folds_too: bool = False) -> Split:
    """Honour the official parts where there are any, otherwise deal out `test` of each stratum (of each class, say);
    None: all is learned from.

    Args:
        folds_too: whether the score may be out-of-fold, where groups that the user names leave too few to test on.

    Raises:
        DataError: `test` is not between 0 and 1, or nothing can be on one side without being on the other.
    """
    if dataset.in_parts:
        return _official(dataset)
    if test is None:
        everything = np.arange(len(dataset))
        return Split(everything, everything[:0], official=False)
    alone = dataset.parts is not None
    if test == 0:
        fix = "--final scores on examples held out, and then learns from all of them"
        raise DataError("nothing is held out, so nothing would be known of the model", where="--test", fix=fix)
    if not 0 < test < 1:
        raise DataError(f"{test} is not a share between 0 and 1", where="--test", fix="0.2 keeps a fifth for the test")
    in_test = np.zeros(len(dataset), dtype=bool)
    dealt = groups_by_class(dataset.strata, dataset.checked_groups, dataset.checked_digests, seed)
    for groups in dealt.values():
        in_test[_tested(groups if dataset.corrected is None else groups.without(dataset.corrected), test)] = True
    few = too_few(dataset, in_test)
    refuse_lone_groups(dataset)
    if few and folds_too:
        everything = np.arange(len(dataset))
        what = f"{few}, since groups are not split: the score is out-of-fold, of all {len(dataset):,} examples"
        said = f"{what} (each by a head that was made without its fold)"
        return Split(
            everything,
            everything,
            official=False,
            out_of_fold=True,
            notes=(said,),
            cautions=(*of_one_group(dataset), *few_examples(dataset)),
        )
    if not in_test.any():
        what, fix = dataset.task.unsplit
        raise DataError(what, where=dataset.name, fix=fix)
    return Split(
        np.flatnonzero(~in_test),
        np.flatnonzero(in_test),
        official=False,
        notes=(*(_TRAIN_ALONE if alone else ()), *not_tested(dataset, in_test)),
        cautions=(
            *([Caution("few-tested", f"{few}, since groups are not split")] if few else []),
            *of_one_group(dataset),
            *untested(dataset, in_test),
            *shared_texts(dataset, in_test),
            *few_examples(dataset),
        ),
    )


def _tested(groups: Groups, test: float) -> np.ndarray:
    """The rows of the first groups that together are about such a share."""
    wanted, taken = max(1, round(test * len(groups.rows))), 0
    chosen = np.zeros(len(groups.sizes), dtype=bool)
    for number, size in enumerate(in_blocks(groups.sizes[:-1])):  # the last group stays in training, whatever happens
        if taken >= wanted:
            break
        if taken + size / 2 <= wanted:
            chosen[number] = True
            taken += size
    return groups.rows[np.repeat(chosen, groups.sizes)]


def folds(
    y: np.ndarray,
    groups: np.ndarray,
    digests: np.ndarray,
    *,
    k: int = 5,
    seed: int = 0,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """(n,) int64 fold of each row, 0 to k - 1: classes spread evenly, a group never in two folds.

    Args:
        y: (n,) class indices. groups: (n,) group numbers. digests: (n, 32) uint8.
        weights: (n,) above 0, how many examples each one counts for; None: one.
    """
    fold = np.zeros(len(y), dtype=np.int64)
    sizes = [0.0] * k
    for members in groups_by_class(y, groups, digests, seed).values():
        here, start = [0.0] * k, np.cumsum(members.sizes) - members.sizes
        weight = (
            members.sizes
            if weights is None
            else np.array(
                [
                    weights[members.rows[a : a + n]].sum()
                    for a, n in zip(start.tolist(), members.sizes.tolist(), strict=True)
                ]
            )
        )
        target = np.empty(len(weight), dtype=np.int64)
        for number in in_blocks(np.argsort(-weight, kind="stable")):
            best = min(range(k), key=lambda one: (here[one], sizes[one]))
            target[number] = best
            here[best] += float(weight[number])
            sizes[best] += float(weight[number])
        fold[members.rows] = np.repeat(target, members.sizes)
    return fold


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Groups of rows, one after the other."""

    rows: np.ndarray  # (n,) int64, group after group, ascending within each
    sizes: np.ndarray  # (g,) int64 rows of each

    def without(self, some: np.ndarray) -> Groups:
        """The groups that have none of these rows. Args: some: (n,) bool, of all rows that there are."""
        number = np.repeat(np.arange(len(self.sizes)), self.sizes)
        kept = np.bincount(number, weights=some[self.rows], minlength=len(self.sizes)) == 0
        return Groups(self.rows[kept[number]], self.sizes[kept])


def groups_by_class(y: np.ndarray, groups: np.ndarray, digests: np.ndarray, seed: int) -> dict[int, Groups]:
    """The groups of each class, listed under the most common class of its rows, in the order of the seeded hash."""
    if not len(y):
        return {}
    order = np.argsort(groups, kind="stable").astype(np.int32)
    start = np.flatnonzero(np.concatenate([[True], np.diff(groups[order]) != 0])).astype(np.int32)
    sizes = np.diff(start, append=np.int32(len(order)))
    by_first = np.argsort(order[start]).astype(np.int32)  # groups of one name are in the order of their first rows
    least, label = _least(digests, order, start, sizes)[by_first], _commonest(y, order, start, sizes)[by_first]
    start, sizes = start[by_first], sizes[by_first]
    del by_first
    dealt = in_order(_salted(digests, least, seed))[0].astype(np.int32)
    del least
    dealt = dealt[np.argsort(label[dealt], kind="stable")]
    classes, first = np.unique(label[dealt], return_index=True)
    found = {}
    for number, mine in zip(classes.tolist(), np.split(dealt, first[1:]), strict=True):
        ends = np.cumsum(sizes[mine])
        within = np.arange(ends[-1]) - np.repeat(ends - sizes[mine], sizes[mine])
        found[number] = Groups(order[np.repeat(start[mine], sizes[mine]) + within].astype(np.int64), sizes[mine])
    return found


def _salted(digests: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    """(g, 16) uint8, the beginning of a hash of the seed and each of these digests, in whose order groups are dealt."""
    salt, salted = seed.to_bytes(16, "little", signed=True), np.empty((len(rows), 16), dtype=np.uint8)
    for number, row in enumerate(in_blocks(rows)):
        salted[number] = np.frombuffer(hashlib.sha256(salt + digests[row].tobytes()).digest()[:16], np.uint8)
    return salted


def _least(digests: np.ndarray, order: np.ndarray, start: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(g,) the row of each group's least digest, by which the group is known wherever its files lie.

    Args:
        order: (n,) rows, group after group. start, sizes: (g,) where in it each group is.
    """
    least = order[start]
    several = np.flatnonzero(sizes > 1)
    if len(several):
        rows = order[np.repeat(sizes > 1, sizes)]
        by_bytes, _ = in_order(digests[rows])
        rank = np.empty(len(rows), dtype=np.int64)
        rank[by_bytes] = np.arange(len(rows))
        first = np.cumsum(sizes[several]) - sizes[several]
        least[several] = rows[by_bytes[np.minimum.reduceat(rank, first)]]
    return least


def _commonest(y: np.ndarray, order: np.ndarray, start: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(g,) the class that most rows of each group have, the first of several. Arguments as for `_least`."""
    label = y[order[start]].astype(np.int32)
    several = np.flatnonzero(sizes > 1)
    number = np.repeat(np.arange(len(several)), sizes[several])
    lowest = y.min()
    of = int(y.max() - lowest) + 1
    mine = y[order[np.repeat(sizes > 1, sizes)]]
    votes, times = np.unique(number * of + (mine - lowest), return_counts=True)
    by = np.lexsort((votes, -times, votes // of))
    first = by[np.flatnonzero(np.diff(votes[by] // of, prepend=-1))]
    label[several] = votes[first] % of + lowest
    return label


def _official(dataset: Dataset) -> Split:
    parts = coded(() if dataset.parts is None else dataset.parts)
    names = set(parts.present)
    has_test, has_val = "test" in names, "val" in names
    if "train" not in names or not (has_test or has_val):
        raise DataError(
            f"parts {sorted(names)}, but a training part and a test (or val) part are needed",
            where=dataset.name,
            fix="name the folders, files or split column train and test",
        )
    test = parts.codes == parts.values.index("test" if has_test else "val")
    notes = []
    if has_test and has_val:
        notes.append("the val part is used for training (the penalty is chosen by cross-validation); test is the score")
    elif has_val:
        notes.append("the val part is the test part: nothing is chosen on it")
    dataset.task.refuse_parts(dataset, ~test, test)
    found = leaks(dataset, test)
    return Split(
        np.flatnonzero(~test),
        np.flatnonzero(test),
        official=True,
        findings=Joined([found]),
        notes=tuple(notes),
        cautions=(
            *leaked(dataset, found, test),
            *shared_groups(dataset, test),
            *shared_texts(dataset, test),
            *untested(dataset, test),
            *few_examples(dataset),
        ),
    )
