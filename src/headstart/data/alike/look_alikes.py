"""Photos that look nearly the same and are of different classes: a scratch, say, is what tells them apart."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from headstart.data.alike.equal import group, groups_of_each
from headstart.errors import short_name, some_of
from headstart.storage.columns import in_blocks
from headstart.values import Caution, Dataset

_FEWEST, _MANY = 3, 10  # groups of a class, of which one is to be held out; and different photos, of which they are
_SEVERAL = 3  # different photos of each of two classes: fewer may be mistakes of whoever labelled them


def apart_by_class(dataset: Dataset, twins: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Groups of look-alikes, each class by itself where several photos of two classes are in one; and notes.

    A test photo that looks like one of another class in the training part makes no score too high. What is identical
    stays together, whatever its class.

    Args:
        twins: (n,) groups of what is nearly the same. same: (m, 2) pairs of identical ones.
    """
    if not dataset.classes or not dataset.modality.look_alikes:
        return twins, []
    large = np.flatnonzero((np.bincount(twins, minlength=len(twins)) >= 2 * _SEVERAL)[twins])
    first_copy, several = group(len(dataset), same), (tuple, frozenset, set, list)
    members: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in in_blocks(large):
        one = dataset.targets[int(first_copy[row])]
        name = ", ".join(sorted(one)) if isinstance(one, several) else str(one)
        members[int(twins[row])][name].append(row)
    apart = twins.copy()
    counts: dict[str, int] = defaultdict(int)
    for by_class in members.values():
        different = sorted(len(set(first_copy[rows].tolist())) for rows in by_class.values())
        if len(different) > 1 and different[-2] >= _SEVERAL:
            for name, rows in by_class.items():
                apart[rows] = rows[0]
                counts[name] += len(rows)
    if not counts:
        return twins, []
    named = [f"{short_name(name)!r} ({n})" for name, n in counts.items()]
    what = f"photos of {some_of(named)} look nearly the same: they are grouped class by class"
    return apart, [f"{what}, since what tells these apart may be small in the picture"]


def apart_where_few(dataset: Dataset, twins: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, list[Caution]]:
    """Groups of look-alikes, but of a class that would be of too few groups to test it, where only identical photos
    are together: flawless parts in front of one camera all look the same.

    Args:
        twins: (n,) groups of what is nearly the same. same: (m, 2) pairs of identical ones.
    """
    if not dataset.classes or not dataset.modality.look_alikes or dataset.in_parts:
        return twins, []
    copies, counts = group(len(dataset), same), np.zeros((2, len(dataset.classes) + 1), dtype=np.int64)
    for number, groups in enumerate((twins, copies)):
        of_each = groups_of_each(dataset.strata, groups)
        counts[number, : len(of_each)] = of_each
    few = np.flatnonzero((counts[0] < _FEWEST) & (counts[1] >= _MANY))
    if not len(few):
        return twins, []
    apart, rows = twins.copy(), np.isin(dataset.strata, few)
    apart[rows] = copies[rows]
    named = [f"{short_name(dataset.classes[k])!r} ({counts[1, k]:,})" for k in few.tolist() if k < len(dataset.classes)]
    what = f"photos of {some_of(named)} look nearly the same, and are taken one by one, since none could be tested else"
    return apart, [
        Caution("alike", f"{what}: shots of one thing make the score too high; --group COLUMN says which are")
    ]
