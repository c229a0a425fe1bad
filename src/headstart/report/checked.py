"""What reading, checking and splitting say of the data, before anything is learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headstart.values import Dataset, Finding, Split

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
    def counts(self) -> dict[str, int]:
        """How many examples have each class or label, the most frequent first; empty for tasks without."""
        names, y = self.dataset.classes, self.dataset.y
        if not names:
            return {}
        there = y.sum(axis=0) if y.ndim == 2 else np.bincount(y, minlength=len(names))
        return {names[k]: int(there[k]) for k in np.argsort(-there, kind="stable")}

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        n, left_out = len(self.dataset), len(self.dataset.rejected)
        yield f"{self.dataset.name}: {self.dataset.title}, {n:,} examples that can be used, {left_out:,} left out"
        whose = "the parts are yours" if self.parts.official else "held out here"
        yield f"learned from {len(self.parts.train):,}, tested on {len(self.parts.test):,} ({whose})"
        if self.counts:
            shown = [f"{name} {count:,}" for name, count in list(self.counts.items())[:_SHOWN]]
            yield f"{len(self.counts):,} classes: {', '.join(shown)}{self._more(len(self.counts))}"
        for finding in self.findings[:_SHOWN]:
            yield f"{finding.where}: {finding.reason}"
        if len(self.findings) > _SHOWN:
            yield f"{len(self.findings) - _SHOWN:,} more in .findings"
        yield from self.notes

    @staticmethod
    def _more(n: int) -> str:
        return f" and {n - _SHOWN:,} more" if n > _SHOWN else ""
