"""Training part, test part and folds: stratified by class, in groups that stay together, the same on every machine.

The order in which groups are dealt out comes from a hash of the seed and the examples' own bytes, not from a random
number generator or the file order. So renaming files, another operating system or another numpy change nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from headstart.errors import DataError, short_name, some_of
from headstart.values import Caution, Dataset, Finding, Split

_FEWEST_OF_A_CLASS = 5  # examples in a sample: one a fold
_FEW = 10  # examples of a class, below which its score is hardly known
_TRAIN_ALONE = ("there is a training part and no labelled test: the test is held out of it",)
_SAMPLING = 2**64  # a seed that no split has, or what the split left would decide what is sampled


def split(dataset: Dataset, *, test: float = 0.2, seed: int = 0, folds_too: bool = False) -> Split:
    """Honour the official parts where there are any, otherwise deal out `test` of each stratum (of each class, say).

    Args:
        folds_too: whether the score may be out-of-fold, where groups that the user names leave too few to test on.

    Raises:
        DataError: `test` is not between 0 and 1, or nothing can be on one side without being on the other.
    """
    if dataset.in_parts:
        return _official(dataset)
    alone = dataset.parts is not None
    if test == 0:
        fix = "--final scores on examples held out, and then learns from all of them"
        raise DataError("nothing is held out, so nothing would be known of the model", where="--test", fix=fix)
    if not 0 < test < 1:
        raise DataError(f"{test} is not a share between 0 and 1", where="--test", fix="0.2 keeps a fifth for the test")
    in_test = np.zeros(len(dataset), dtype=bool)
    dealt = _groups_by_class(dataset.strata, dataset.checked_groups, dataset.checked_digests, seed)
    for members in dealt.values():
        total = sum(len(rows) for rows in members)
        wanted, taken = max(1, round(test * total)), 0
        for rows in members[:-1]:  # the last group stays in training, whatever happens
            if taken < wanted and taken + len(rows) / 2 <= wanted:
                in_test[rows] = True
                taken += len(rows)
    few = _too_few(dataset, in_test)
    _refuse_lone_groups(dataset)
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
            cautions=(*_of_one_group(dataset), *_few(dataset)),
        )
    if not in_test.any():
        what, fix = dataset.task.unsplit
        raise DataError(what, where=dataset.name, fix=fix)
    return Split(
        np.flatnonzero(~in_test),
        np.flatnonzero(in_test),
        official=False,
        notes=(*(_TRAIN_ALONE if alone else ()), *_not_tested(dataset, in_test)),
        cautions=(
            *([Caution("few-tested", f"{few}, since groups are not split")] if few else []),
            *_of_one_group(dataset),
            *_untested(dataset, in_test),
            *_few(dataset),
        ),
    )


def _too_few(dataset: Dataset, in_test: np.ndarray) -> str:
    """Which classes have too few test examples beside the groups that the user names, in words; empty: none."""
    if dataset.named_groups is None:
        return ""
    rows, groups = np.flatnonzero(in_test), dataset.checked_groups
    held, of = len(np.unique(groups[rows])), len(np.unique(groups))
    if not dataset.classes and held > 1:
        return f"{len(rows)} examples could be held out" if len(rows) < _FEW else ""
    if held <= max(1, len(dataset.classes)):  # one of each class, say: what differs between groups is not known then
        return f"{held} of {of} groups could be held out"
    counts, every = dataset.counts(rows), dataset.counts(np.arange(len(dataset)))
    few = np.flatnonzero((counts < _FEW) & (every > counts)).tolist()
    named = some_of([f"{dataset.classes[k]!r} ({counts[k]})" for k in few])
    return f"fewer than {_FEW} examples could be held out of {named}" if few else ""


def _refuse_lone_groups(dataset: Dataset) -> None:
    """Raises DataError where each class is of one group that the user names: no other could test it."""
    if dataset.named_groups is None:
        return
    if _groups_of_each(dataset).max(initial=0) < 2:
        what = "each class is of one group, and none" if dataset.classes else "all examples are of one group, and none"
        fix = "add examples of others, or leave --group out: then the score is for the groups that are in the data"
        named, left = len({*dataset.named_groups}), len(np.unique(dataset.checked_groups))
        if left < named:
            near = f"{named:,} groups are named, and {left:,} are left, for examples of others are (nearly) the same"
            what = f"{near}; {what}"
        raise DataError(f"{what} can be tested on another", where=dataset.name, fix=fix)


def _groups_of_each(dataset: Dataset) -> np.ndarray:
    """(n_strata,) int64: of how many groups the examples of each class are; without classes, those of all."""
    of = dataset.strata if dataset.classes else np.zeros(len(dataset), dtype=np.int64)
    return np.bincount(np.unique(np.column_stack([of, dataset.checked_groups]), axis=0)[:, 0])


def _of_one_group(dataset: Dataset) -> Iterator[Caution]:
    """Classes all of whose examples are of one group that the user names: nobody can tell how another would do."""
    if dataset.named_groups is None or not dataset.classes:
        return
    times = _groups_of_each(dataset)[: len(dataset.classes)]
    names = [repr(dataset.classes[k]) for k in np.flatnonzero(times == 1).tolist()]
    if names:
        text = f"{dataset.task.words.named} of one group each, so nothing could be tested on another: {some_of(names)}"
        yield Caution("one-group", f"{text}; a score of such says nothing, whatever it is")


def _few(dataset: Dataset) -> Iterator[Caution]:
    """Classes, or labels, with so few examples that their scores say little."""
    counts = dataset.counts(np.arange(len(dataset))).tolist() if dataset.classes else []
    few = [f"{name!r} ({n})" for name, n in zip(dataset.classes, counts, strict=False) if n < _FEW]
    if few:
        what = f"{dataset.task.words.named} with fewer than {_FEW} examples, of which a score says little"
        yield Caution("few-examples", f"{what}: {some_of(few)}")


def _untested(dataset: Dataset, in_test: np.ndarray) -> Iterator[Caution]:
    """Classes, or labels, of which the test part has no example though there are some."""
    missed = [(dataset.classes[k], n) for k, n in _missed(dataset, in_test) if n >= _FEW]
    if missed:
        named = some_of([f"{short_name(repr(name))} ({n:,})" for name, n in missed])
        what = f"the test part has no example of {named}, so the score says nothing of"
        yield Caution("untested", f"{what} {'it' if len(missed) == 1 else 'them'}: add examples that differ")


def _missed(dataset: Dataset, in_test: np.ndarray) -> list[tuple[int, int]]:
    """Numbers of the classes, or labels, of which the test part has no example, and how many there are of each."""
    if not dataset.classes:
        return []
    tested, counts = dataset.counts(np.flatnonzero(in_test)), dataset.counts(np.arange(len(dataset)))
    return [(k, int(counts[k])) for k in np.flatnonzero(tested == 0).tolist()]


def _not_tested(dataset: Dataset, in_test: np.ndarray) -> Iterator[str]:
    """Notes on the classes, or the labels, of which the test part has no example, where `_untested` leaves some out."""
    missed = _missed(dataset, in_test)
    names = [repr(dataset.classes[k]) for k, _ in missed] if any(n < _FEW for _, n in missed) else []
    if not dataset.classes:
        return
    if len(names) == 1:
        yield f"of {short_name(names[0])} no example could be spared for the test"
    elif names:
        what = f"{len(names):,} of the {len(dataset.classes):,} {dataset.task.words.named}"
        yield f"of {what} no example could be spared for the test: {some_of(names)}"
    unlabelled = dataset.strata == len(dataset.classes)
    if unlabelled.any() and not (unlabelled & in_test).any():
        yield "of those without a label no example could be spared for the test"


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

    for members in _groups_by_class(y, groups, digests, seed).values():
        here = np.zeros(k)
        for rows in sorted(members, key=size, reverse=True):
            target = int(np.lexsort((sizes, here))[0])  # fewest of this class, then fewest of all
            fold[rows] = target
            here[target] += size(rows)
            sizes[target] += size(rows)
    return fold


def sample(dataset: Dataset, rows: np.ndarray, *, most: int = 600) -> Dataset:
    """About `most` of the examples in `rows`, all of them where they are few: each class by its share, at least five.

    Groups come whole, as far as a class has room. Which ones, a hash of their bytes says that is the same whatever the
    seed of the split: so another split samples mostly what was encoded before.

    Args:
        dataset: checked.
        rows: (n,) of the training part.
    """
    if len(rows) <= most:
        return dataset.take(rows)
    share, counts = most / len(rows), np.bincount(dataset.strata[rows])
    taken: list[int] = []
    for label, places in _places_by_class(dataset, rows).items():
        taken += places[: max(_FEWEST_OF_A_CLASS, round(share * int(counts[label])))]
    return dataset.take(rows[np.sort(taken)])


def drawn(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """`rows` in an order of which every beginning is a sample: each class by its share, but five of each come first.

    A group comes at once, and which one first, says the hash that `sample` goes by.

    Args:
        dataset: checked.
        rows: (n,) of the training part.
    """
    through = np.zeros(len(rows))  # how far through its class each row comes
    for places in _places_by_class(dataset, rows).values():
        through[places[_FEWEST_OF_A_CLASS:]] = np.arange(_FEWEST_OF_A_CLASS, len(places)) / len(places)
    return rows[np.argsort(through, kind="stable")]


def _places_by_class(dataset: Dataset, rows: np.ndarray) -> dict[int, list[int]]:
    """Where in `rows` the examples of each class are, in the order in which a sample takes them: group after group."""
    y, digests = dataset.strata[rows], dataset.checked_digests[rows]
    found = _groups_by_class(y, dataset.checked_groups[rows], digests, _SAMPLING)
    return {label: list(chain.from_iterable(members)) for label, members in found.items()}


def _groups_by_class(y: np.ndarray, groups: np.ndarray, digests: np.ndarray, seed: int) -> dict[int, list[list[int]]]:
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
    leaks = _leaks(dataset, test)
    return Split(
        np.flatnonzero(~test),
        np.flatnonzero(test),
        official=True,
        findings=tuple(leaks),
        notes=tuple(notes),
        cautions=(*_leaked(dataset, leaks, test), *_shared(dataset, test), *_few(dataset)),
    )


def _shared(dataset: Dataset, test: np.ndarray) -> Iterator[Caution]:
    """That official parts share groups which the user names."""
    named = [name.strip() if name else "" for name in dataset.named_groups or ()]
    learned = {name for name, tested in zip(named, test.tolist(), strict=False) if name and not tested}
    mine = [name for name, tested in zip(named, test.tolist(), strict=False) if tested]
    rows = sum(name in learned for name in mine)
    if rows:
        both = sorted(learned & set(mine))
        what = f"{rows:,} of {len(mine):,} test examples are of a group that is in the training part, too"
        where = f"{len(both):,} {'group' if len(both) == 1 else 'groups'}: {some_of(list(map(repr, both)))}"
        yield Caution("shared-groups", f"{what} ({where}), so the score is too high for groups that are new")


def _leaked(dataset: Dataset, leaks: Sequence[Finding], test: np.ndarray) -> Iterator[Caution]:
    """That a part of the test is no test. Raises DataError where all of it are exact copies of training examples."""
    if not leaks:
        return
    digests = dataset.checked_digests
    known = {digests[row].tobytes() for row in np.flatnonzero(~test)}
    n_test = int(test.sum())
    if all(digests[row].tobytes() in known for row in np.flatnonzero(test)):
        what = f"all {n_test:,} examples of the test part are in the training part too, so they test nothing"
        raise DataError(what, where=dataset.name, fix="give others; or give one part only: a fifth is then held out")
    n = "all" if len(leaks) == n_test else f"{len(leaks):,} of"
    same = "(nearly) the same as some in the training part, or of one text with them"
    yield Caution("leak", f"{n} {n_test:,} test examples are {same}: the score is too high; leave them out of either")


def _leaks(dataset: Dataset, test: np.ndarray) -> list[Finding]:
    groups = dataset.checked_groups if dataset.alike is None else dataset.alike
    first_in_train = {int(groups[row]): int(row) for row in np.flatnonzero(~test)[::-1]}
    found = []
    for row in np.flatnonzero(test).tolist():
        twin = first_in_train.get(int(groups[row]))
        if twin is not None:
            reason = f"in the test part, and (nearly) the same as or of one text with {dataset.where[twin]} in training"
            found.append(Finding("leak", dataset.where[row], reason))
    return found
