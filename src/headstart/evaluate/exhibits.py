"""Which scored examples are worth a look: the first of each kind, in groups, as many as somebody looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

MOST_IN_A_GROUP = 12
MOST_AT_FIRST = 40  # in the first group, which everybody sees
_MOST_RIGHT = 2  # of a class
_MOST = 3000  # in all groups


@dataclass(frozen=True)
class Judged:
    """A scored example in words."""

    row: int  # its place among those that were scored
    true: str
    predicted: str
    probability: float | None = None  # of what was predicted
    note: str = ""


@dataclass(frozen=True)
class Exhibit:
    """Scored examples that are worth a look together."""

    key: str  # "cell-3-5": what of the page opens it
    title: str
    examples: tuple[Judged, ...]  # the first ones
    of: int  # how many there are


def first_of_each(numbers: np.ndarray, by: np.ndarray, most: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """Of each of the numbers (n,), the most frequent first: how often it is there, and the places lowest in `by` (n,).

    Args:
        most: how many places, at most.
    """
    order = np.lexsort((by, numbers))
    found, starts, counts = np.unique(numbers[order], return_index=True, return_counts=True)
    for place in np.argsort(-counts, kind="stable").tolist():
        start, count = int(starts[place]), int(counts[place])
        yield int(found[place]), count, order[start : start + min(count, most)]


def exhibit(key: str, title: str, rows: np.ndarray, judged: Callable[[int], Judged], of: int | None = None) -> Exhibit:
    """A group of these rows. of: how many there are, where these are the first of more."""
    return Exhibit(key, title, tuple(judged(row) for row in rows.tolist()), len(rows) if of is None else of)


def bounded(exhibits: Iterable[Exhibit]) -> tuple[Exhibit, ...]:
    """The first groups, until there are 3,000 examples in them."""
    kept, n = list[Exhibit](), 0
    for group in exhibits:
        n += len(group.examples)
        if n > _MOST:
            break
        if group.examples:
            kept.append(group)
    return tuple(kept)


def of_classes(
    y: np.ndarray, predicted: np.ndarray, confidence: np.ndarray, names: Sequence[str]
) -> tuple[Exhibit, ...]:
    """Of a classifier: its mistakes, most confident first; cells of the confusion matrix; what is missed of each class.

    Args:
        y: (n,) true classes. predicted: (n,). confidence: (n,) probability of the predicted class.
    """

    def judged(row: int) -> Judged:
        return Judged(row, names[y[row]], names[predicted[row]], float(confidence[row]))

    def groups() -> Iterator[Exhibit]:
        wrong, right = np.flatnonzero(y != predicted), np.flatnonzero(y == predicted)
        first = wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST_AT_FIRST]
        yield exhibit("mistakes", "Most confident mistakes", first, judged, len(wrong))
        cells = y[wrong].astype(np.int64) * len(names) + predicted[wrong]
        for cell, count, places in first_of_each(cells, -confidence[wrong], MOST_IN_A_GROUP):
            i, j = divmod(cell, len(names))
            yield exhibit(f"cell-{i}-{j}", f"{names[i]}, taken for {names[j]}", wrong[places], judged, count)
        for i, count, places in first_of_each(y[wrong], -confidence[wrong], MOST_IN_A_GROUP):
            yield exhibit(f"missed-{i}", f"{names[i]}, not found", wrong[places], judged, count)
        for i, count, places in first_of_each(y[right], confidence[right], _MOST_RIGHT):
            title = f"{names[i]}, found: the least confident ones"
            yield exhibit(f"cell-{i}-{i}", title, right[places], judged, count)

    return bounded(groups())


def of_labels(
    probabilities: np.ndarray, given: np.ndarray, y: np.ndarray, names: Sequence[str], furthest: np.ndarray
) -> tuple[Exhibit, ...]:
    """Of any number of labels: examples that are furthest off, and of each label those without it, and wrongly with it.

    Args:
        probabilities: (n, c). given: (n, c) bool. y: (n, c) bool, true labels.
        furthest: (m,) rows with wrong labels, the worst first.
    """

    def labels(row: np.ndarray) -> str:
        return ", ".join(names[c] for c in np.flatnonzero(row).tolist()) or "none"

    def judged(row: int, label: int | None = None) -> Judged:
        probability = None if label is None else float(probabilities[row, label])
        note = "" if label is None else f"{names[label]}: probability {probability:.2f}"
        return Judged(row, labels(y[row]), labels(given[row]), note=note)

    def groups() -> Iterator[Exhibit]:
        yield exhibit("mistakes", "Furthest off", furthest[:MOST_AT_FIRST], judged, len(furthest))
        for key, said, wrong in (("missed", "not given", y & ~given), ("given", "wrongly given", given & ~y)):
            for label in np.argsort(-wrong.sum(axis=0), kind="stable").tolist():
                rows = np.flatnonzero(wrong[:, label])
                sure = -np.abs(probabilities[rows, label] - (key == "missed"))
                first = rows[np.argsort(sure, kind="stable")][:MOST_IN_A_GROUP]
                title = f"{names[label]}, {said}"
                yield exhibit(f"{key}-{label}", title, first, partial(judged, label=label), len(rows))

    return bounded(groups())


def of_numbers(values: np.ndarray, y: np.ndarray, bins: np.ndarray) -> tuple[Exhibit, ...]:
    """Of numbers: the largest errors, over all and among targets of a size.

    Args:
        values: (n,) predicted. y: (n,) true. bins: (n,) which bin of sizes each target is in.
    """
    off = np.abs(values - y)

    def judged(row: int) -> Judged:
        return Judged(row, f"{y[row]:.4g}", f"{values[row]:.4g}", note=f"off by {values[row] - y[row]:+.4g}")

    def groups() -> Iterator[Exhibit]:
        largest = np.argsort(-off, kind="stable")[:MOST_AT_FIRST]
        yield exhibit("mistakes", "Largest errors", largest, judged, len(y))
        for number in np.unique(bins).tolist():
            rows = np.flatnonzero(bins == number)
            first = rows[np.argsort(-off[rows], kind="stable")][:MOST_IN_A_GROUP]
            title = f"{y[rows].min():.4g} to {y[rows].max():.4g}: the largest errors"
            yield exhibit(f"bin-{number}", title, first, judged, len(rows))

    return bounded(groups())
