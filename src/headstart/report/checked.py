"""What reading, checking and splitting say of the data, before anything is learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from headstart.errors import short_name, worded
from headstart.values import Caution, Dataset, Finding, Split

_SHOWN = 10  # classes and findings in the text; all of them are in the fields
_OFTEN = ("duplicate", "near-duplicate", "excerpt")  # findings on what is taken care of, said after the others


@dataclass(frozen=True, repr=False)
class Checked:
    """The data as `fit` would use them. Printed, it is a summary."""

    dataset: Dataset  # the examples that can be used
    parts: Split  # rows of the training and the test part

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is odd: files that cannot be read, duplicates, what the split had to keep together."""
        return (*self.dataset.findings, *self.parts.findings)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed."""
        return (*self.dataset.notes, *self.parts.notes)

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """By what a score on such parts would be worth less than it looks."""
        return (*self.dataset.cautions, *self.parts.cautions)

    @property
    def counts(self) -> dict[str, int]:
        """How many examples have each class or label, the most frequent first; empty for tasks without."""
        return _counts(self.dataset)

    def __repr__(self) -> str:
        return summary(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """What `check --json` prints; the keys are those of a fit where they mean the same."""
        return {
            "data": self.dataset.name,
            "task": self.dataset.title,
            "n": len(self.dataset),
            "n_train": len(self.parts.train),
            "n_test": len(self.parts.test),
            "n_rejected": len(self.dataset.rejected),
            "split": "official" if self.parts.official else "out-of-fold" if self.parts.out_of_fold else "made",
            "counts": [{"name": name, "count": count} for name, count in self.counts.items()],
            "named": self.dataset.task.words.named,
            "findings": [finding.to_json() for finding in self.findings],
            "notes": list(self.notes),
            "warnings": [asdict(caution) for caution in self.cautions],
        }


def said_first(dataset: Dataset, parts: Split) -> Iterator[str]:
    """Lines on what the data were taken for, before anything is learned from them."""
    counts = [{"name": name, "count": count} for name, count in _counts(dataset).items()]
    shown = f", {_listed(counts, dataset.task.words.named)}" if counts else ""
    tested = "and, fold by fold, to test on" if parts.out_of_fold else f"{len(parts.test):,} to test on"
    between = " " if parts.out_of_fold else ", "
    yield f"{dataset.title}: {len(parts.train):,} examples to learn from{between}{tested}{shown}"
    yield from lines((*dataset.notes, *parts.notes), (*dataset.cautions, *parts.cautions))


def lines(notes: Iterable[str], cautions: Iterable[Caution]) -> Iterator[str]:
    """As they are said while a command works."""
    yield from (f"note: {worded(note)}" for note in notes)
    yield from (f"warning: {worded(caution.text)}" for caution in cautions)


def _counts(dataset: Dataset) -> dict[str, int]:
    names = dataset.classes
    if not names:
        return {}
    there = dataset.counts(np.arange(len(dataset)))
    return {names[k]: int(there[k]) for k in np.argsort(-there, kind="stable")}


def _listed(counts: Sequence[Mapping[str, Any]], named: str) -> str:
    shown = ", ".join(f"{short_name(each['name'])} {each['count']:,}" for each in counts[:_SHOWN])
    more = f" and {len(counts) - _SHOWN:,} more" if len(counts) > _SHOWN else ""
    return f"{len(counts):,} {named}: {shown}{more}"


def summary(told: Mapping[str, Any]) -> str:
    """What `to_json` says, in lines for people."""
    return "\n".join(_lines(told))


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    counts, findings = told["counts"], told["findings"]
    yield f"{told['data']}: {told['task']}, {told['n']:,} examples that can be used, {told['n_rejected']:,} left out"
    whose = {"official": "the parts are yours", "out-of-fold": "fold by fold"}.get(told["split"], "held out here")
    yield f"learned from {told['n_train']:,}, tested on {told['n_test']:,} ({whose})"
    if counts:
        yield _listed(counts, told["named"])
    findings = sorted(findings, key=lambda finding: finding["kind"] in _OFTEN)
    for finding in findings[:_SHOWN]:
        yield f"{finding['where']}: {finding['reason']}"
    if len(findings) > _SHOWN:
        kinds = Counter(finding["kind"] for finding in findings[_SHOWN:])
        more = ", ".join(f"{n:,} x {kind}" for kind, n in kinds.most_common())
        yield f"{len(findings) - _SHOWN:,} more in the findings: {more}"
    yield from told["notes"]
    yield from (f"warning: {each['text']}" for each in told["warnings"])
