"""The examples of a fit that its page shows: mistakes, what stands behind each cell and class, and findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from headstart.evaluate.exhibits import Exhibit
from headstart.report.gallery import Example, Gallery, Group
from headstart.values import Dataset, Finding

if TYPE_CHECKING:
    from headstart.record import Record

DOUBTFUL = "doubtful-label"
APART = frozenset({DOUBTFUL})  # kinds that come first, and have a section of their own
OF_A_KIND = 10  # findings whose examples are shown
_OF_EACH = (12, 8, 6, 4, 3, 2, 1)  # examples of a group: as many as leave room for all groups


@dataclass(frozen=True)
class _Planned:
    """A group of which nothing is fetched yet."""

    key: str
    title: str
    examples: Sequence[tuple[int, Example]]  # rows of the dataset, with what is said of each
    of: int
    whole: bool = False  # whether all of its examples are shown, however many others there are


def gallery_of(record: Record, dataset: Dataset, rows: np.ndarray) -> Gallery:
    """The examples, fetched: photos made small, texts cut.

    However many there are, so many are shown as the modality says: fewer of each group where there are many groups,
    and only the first ones of very many.

    Args:
        dataset: checked. rows: (n,) of it, those that the record's scores are of.
    """
    exhibits = [_scored(group, dataset, rows) for group in record.scores.exhibits]
    first = [replace(group, whole=True) for group in exhibits if group.key == "mistakes"]
    planned = [*first, *_found(record.findings, dataset), *(group for group in exhibits if group.key != "mistakes")]
    kept = list(_bounded(planned, dataset.modality.most_shown))
    wanted = np.array(sorted(_rows(kept)), dtype=np.int64)
    shown = dict(zip(wanted.tolist(), dataset.modality.shown(dataset, wanted), strict=True))
    places: dict[Example, int] = {}
    groups = []
    for group in kept:
        examples = [replace(example, shown=shown[row]) for row, example in group.examples]
        there = tuple(places.setdefault(example, len(places)) for example in examples)
        groups.append(Group(group.key, group.title, there, group.of))
    return Gallery(tuple(places), tuple(groups), dropped=len(planned) - len(kept))


def _scored(group: Exhibit, dataset: Dataset, rows: np.ndarray) -> _Planned:
    examples = []
    for judged in group.examples:
        row = int(rows[judged.row])
        said = {"label": judged.true, "answer": judged.predicted, "note": judged.note}
        examples.append((row, Example(dataset.where[row], probability=judged.probability, **said)))
    return _Planned(group.key, group.title, examples, group.of)


def _found(findings: Sequence[Finding], dataset: Dataset) -> Iterator[_Planned]:
    """A group of each kind, doubtful labels first; an example that repeats another stands beside it."""
    named = {name for finding in findings for name in (finding.where, finding.other)}
    places = {name: row for row, name in enumerate(dataset.where) if name in named}
    seen = [finding for finding in findings if finding.where in places]
    ordered = sorted(seen, key=lambda finding: (finding.kind not in APART, finding.kind))
    for kind, group in groupby(ordered, key=lambda finding: finding.kind):
        of_kind = list(group)
        examples = [
            (places[example.where], example)
            for finding in of_kind[:OF_A_KIND]
            for example in _told(finding, dataset, places)
        ]
        more = len(examples) * len(of_kind) // len(of_kind[:OF_A_KIND])
        yield _Planned(f"finding-{kind}", kind.replace("-", " ").capitalize(), examples, more, whole=kind in APART)


def _told(finding: Finding, dataset: Dataset, places: dict[str, int]) -> Iterator[Example]:
    def example(where: str, note: str) -> Example:
        label = dataset.task.words.target(dataset.targets[places[where]])
        return Example(where, label=label, answer=finding.looks_like or "", answer_is="Looks like", note=note)

    yield example(finding.where, "" if finding.looks_like else finding.reason)
    if finding.other in places:
        yield example(finding.other, f"beside {finding.where}")


def _bounded(planned: Sequence[_Planned], most: int) -> Iterator[_Planned]:
    """The groups with fewer examples, where else there were more than so many; in the end the first groups alone."""
    for each in _OF_EACH:
        kept = [replace(g, examples=g.examples[: most if g.whole else each]) for g in planned]
        if len(_rows(kept)) <= most:
            break
    seen: set[int] = set()
    for group in kept:
        seen |= _rows([group])
        if len(seen) > most:
            return
        yield group


def _rows(planned: Sequence[_Planned]) -> set[int]:
    return {row for group in planned for row, _ in group.examples}
