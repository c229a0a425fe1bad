"""What may mislead about a test part: classes with few examples, groups and texts that are on both sides, copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from headstart.data.alike.equal import groups_of_each
from headstart.data.alike.found import beside
from headstart.data.alike.sketches import equal_to_any
from headstart.errors import DataError, short_name, some_of
from headstart.storage.columns import Coded, coded, mapped
from headstart.values import Caution, Dataset, Finding

_FEW = 10  # examples of a class, below which its score is hardly known
_SOME_SHARED = 0.05  # of the test pairs


def too_few(dataset: Dataset, in_test: np.ndarray) -> str:
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


def refuse_lone_groups(dataset: Dataset) -> None:
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


def of_one_group(dataset: Dataset) -> Iterator[Caution]:
    """Classes all of whose examples are of one group that the user names: nobody can tell how another would do."""
    if dataset.named_groups is None or not dataset.classes:
        return
    times = _groups_of_each(dataset)[: len(dataset.classes)]
    names = [repr(dataset.classes[k]) for k in np.flatnonzero(times == 1).tolist()]
    if names:
        text = f"{dataset.task.words.named} of one group each, so nothing could be tested on another: {some_of(names)}"
        yield Caution("one-group", f"{text}; a score of such says nothing, whatever it is")


def _groups_of_each(dataset: Dataset) -> np.ndarray:
    """(n_strata,) int64: of how many groups the examples of each class are; without classes, those of all."""
    of = dataset.strata if dataset.classes else np.zeros(len(dataset), dtype=np.int64)
    return groups_of_each(of, dataset.checked_groups)


def few_examples(dataset: Dataset) -> Iterator[Caution]:
    """Classes, or labels, with so few examples that their scores say little."""
    counts = dataset.counts(np.arange(len(dataset))).tolist() if dataset.classes else []
    few = [f"{name!r} ({n})" for name, n in zip(dataset.classes, counts, strict=False) if n < _FEW]
    if few:
        what = f"{dataset.task.words.named} with fewer than {_FEW} examples, of which a score says little"
        yield Caution("few-examples", f"{what}: {some_of(few)}")


def untested(dataset: Dataset, in_test: np.ndarray) -> Iterator[Caution]:
    """Classes, or labels, of which the test part has no example though there are some to spare."""
    fewest, fix = (1, "add some to the test part") if dataset.in_parts else (_FEW, "add examples that differ")
    missed = [(dataset.classes[k], n) for k, n in _missed(dataset, in_test) if n >= fewest]
    if missed:
        named = some_of([f"{short_name(repr(name))} ({n:,})" for name, n in missed])
        what = f"the test part has no example of {named}, so the score says nothing of"
        yield Caution("untested", f"{what} {'it' if len(missed) == 1 else 'them'}: {fix}")


def not_tested(dataset: Dataset, in_test: np.ndarray) -> Iterator[str]:
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


def _missed(dataset: Dataset, in_test: np.ndarray) -> list[tuple[int, int]]:
    """Numbers of the classes, or labels, of which the test part has no example, and how many there are of each."""
    if not dataset.classes:
        return []
    tested, counts = dataset.counts(np.flatnonzero(in_test)), dataset.counts(np.arange(len(dataset)))
    return [(k, int(counts[k])) for k in np.flatnonzero(tested == 0).tolist()]


def shared_groups(dataset: Dataset, test: np.ndarray) -> Iterator[Caution]:
    """That official parts share groups which the user names."""
    if dataset.named_groups is None:
        return
    named = coded(mapped(dataset.named_groups, lambda name: name.strip() if name else ""))
    learned, asked = np.bincount(named.codes[~test], minlength=len(named.values)) > 0, named.codes[test]
    rows, n = int((learned & np.array([bool(name) for name in named.values]))[asked].sum()), len(asked)
    if rows:
        both = sorted(named.values[k] for k in np.unique(asked).tolist() if learned[k] and named.values[k])
        what = f"{rows:,} of {n:,} test examples are of a group that is in the training part, too"
        where = f"{len(both):,} {'group' if len(both) == 1 else 'groups'}: {some_of(list(map(repr, both)))}"
        yield Caution("shared-groups", f"{what} ({where}), so the score is too high for groups that are new")


def shared_texts(dataset: Dataset, test: np.ndarray) -> Iterator[Caution]:
    """That pairs of the test part have a text that training pairs have, too, though they are not of one group."""
    if dataset.modality.texts is None:
        return
    texts, groups, rows = dataset.modality.texts(dataset), dataset.checked_groups, np.flatnonzero(test)
    shared = np.isin(texts[rows], texts[~test]).any(axis=1) & ~np.isin(groups[rows], groups[~test])
    known = int(shared.sum())
    if known and known >= _SOME_SHARED * len(rows):
        fix = "" if dataset.named_groups is not None or dataset.in_parts else "; --group COLUMN keeps such on one side"
        what = f"{known:,} of {len(rows):,} test pairs have a text that training pairs have, too"
        yield Caution("shared-texts", f"{what}, so the score is too high for texts that are new{fix}")


def leaks(dataset: Dataset, test: np.ndarray) -> Sequence[Finding]:
    """Findings on the test examples that are in one group with a training example, the first such beside them."""
    groups = dataset.checked_groups if dataset.alike is None else dataset.alike
    rows, learned = np.flatnonzero(test), np.flatnonzero(~test)
    known, first = np.unique(groups[learned], return_index=True)
    at = np.minimum(np.searchsorted(known, groups[rows]), max(0, len(known) - 1))
    shared = known[at] == groups[rows] if len(known) else np.zeros(len(rows), dtype=bool)
    remark = "leak", "in the test part, and (nearly) the same as or of one text with ", " in training"
    codes = np.zeros(np.count_nonzero(shared), dtype=np.int32)
    return beside(dataset.where, rows[shared], learned[first[at[shared]]], Coded(codes, (remark,)))


def leaked(dataset: Dataset, leaks: Sequence[Finding], test: np.ndarray) -> Iterator[Caution]:
    """That a part of the test is no test. Raises DataError where all of it are exact copies of training examples."""
    if not leaks:
        return
    digests, n_test = dataset.checked_digests, int(test.sum())
    if len(leaks) == n_test and equal_to_any(digests[test], digests[~test]).all():
        what = f"all {n_test:,} examples of the test part are in the training part too, so they test nothing"
        raise DataError(what, where=dataset.name, fix="give others; or give one part only: a fifth is then held out")
    n = "all" if len(leaks) == n_test else f"{len(leaks):,} of"
    same = "(nearly) the same as some in the training part, or of one text with them"
    yield Caution("leak", f"{n} {n_test:,} test examples are {same}: the score is too high; leave them out of either")
