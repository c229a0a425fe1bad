"""What reading, checking and splitting say of the data, before anything is learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from headstart.errors import short_name
from headstart.values import Caution, Dataset, Finding, Split

_SHOWN = 10  # classes and findings in the text; all of them are in the fields


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
        names = self.dataset.classes
        if not names:
            return {}
        there = self.dataset.counts(np.arange(len(self.dataset)))
        return {names[k]: int(there[k]) for k in np.argsort(-there, kind="stable")}

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
            "split": "official" if self.parts.official else "made",
            "counts": [{"name": name, "count": count} for name, count in self.counts.items()],
            "named": self.dataset.task.words.named,
            "findings": [asdict(finding) for finding in self.findings],
            "notes": list(self.notes),
            "warnings": [asdict(caution) for caution in self.cautions],
        }


def summary(told: Mapping[str, Any]) -> str:
    """What `to_json` says, in lines for people."""
    return "\n".join(_lines(told))


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    counts, findings = told["counts"], told["findings"]
    yield f"{told['data']}: {told['task']}, {told['n']:,} examples that can be used, {told['n_rejected']:,} left out"
    whose = "the parts are yours" if told["split"] == "official" else "held out here"
    yield f"learned from {told['n_train']:,}, tested on {told['n_test']:,} ({whose})"
    if counts:
        shown = ", ".join(f"{short_name(each['name'])} {each['count']:,}" for each in counts[:_SHOWN])
        more = f" and {len(counts) - _SHOWN:,} more" if len(counts) > _SHOWN else ""
        yield f"{len(counts):,} {told['named']}: {shown}{more}"
    for finding in findings[:_SHOWN]:
        yield f"{finding['where']}: {finding['reason']}"
    if len(findings) > _SHOWN:
        yield f"{len(findings) - _SHOWN:,} more in the findings"
    yield from told["notes"]
    yield from (f"warning: {each['text']}" for each in told["warnings"])
