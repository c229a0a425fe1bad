"""Training part, test part and folds: stratified by class, in groups that stay together, the same on every machine.

The order in which groups are dealt out comes from a hash of the seed and the examples' own bytes, not from a random
number generator or the file order. So renaming files, another operating system or another numpy change nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial

import numpy as np

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
    for members in map(partial(_without_corrected, dataset), dealt.values()):
        total = sum(len(rows) for rows in members)
        wanted, taken = max(1, round(test * total)), 0
        for rows in members[:-1]:  # the last group stays in training, whatever happens
            if taken < wanted and taken + len(rows) / 2 <= wanted:
                in_test[rows] = True
                taken += len(rows)
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


def _without_corrected(dataset: Dataset, members: list[list[int]]) -> list[list[int]]:
    """The groups that may be tested on: those without feedback."""
    corrected = dataset.corrected
    return members if corrected is None else [rows for rows in members if not corrected[rows].any()]


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
    sizes = np.zeros(k)

    def size(rows: list[int]) -> float:
        return len(rows) if weights is None else float(weights[rows].sum())

    for members in groups_by_class(y, groups, digests, seed).values():
        here = np.zeros(k)
        for rows in sorted(members, key=size, reverse=True):
            target = int(np.lexsort((sizes, here))[0])  # fewest of this class, then fewest of all
            fold[rows] = target
            here[target] += size(rows)
            sizes[target] += size(rows)
    return fold


def groups_by_class(y: np.ndarray, groups: np.ndarray, digests: np.ndarray, seed: int) -> dict[int, list[list[int]]]:
    """Rows of each group, listed under the group's most common class, in the order of the seeded hash."""
    members: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(groups.tolist()):
        members[number].append(row)
    salt = seed.to_bytes(16, "little", signed=True)
    by_class: dict[int, list[tuple[bytes, list[int]]]] = defaultdict(list)
    for rows in members.values():
        name = min(digests[row].tobytes() for row in rows)
        votes = Counter(int(y[row]) for row in rows)
        label = min(votes, key=lambda c: (-votes[c], c))
        by_class[label].append((hashlib.sha256(salt + name).digest(), rows))
    return {label: [rows for _, rows in sorted(found)] for label, found in sorted(by_class.items())}


def _official(dataset: Dataset) -> Split:
    parts: Sequence[str] = dataset.parts or ()
    has_test, has_val = "test" in parts, "val" in parts
    if "train" not in parts or not (has_test or has_val):
        raise DataError(
            f"parts {sorted(set(parts))}, but a training part and a test (or val) part are needed",
            where=dataset.name,
            fix="name the folders, files or split column train and test",
        )
    name = np.array(parts)
    test = name == ("test" if has_test else "val")
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
        findings=tuple(found),
        notes=tuple(notes),
        cautions=(
            *leaked(dataset, found, test),
            *shared_groups(dataset, test),
            *shared_texts(dataset, test),
            *untested(dataset, test),
            *few_examples(dataset),
        ),
    )
