"""What reading, checking and splitting say of the data, and what is odd about them, before anything is learned."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from headstart.doctor.examine import Examined
from headstart.doctor.shortcuts import Shortcut
from headstart.errors import short_name, worded
from headstart.report.checked_folder import write_checked
from headstart.values import Caution, Columns, Dataset, Finding, Split

_SHOWN = 10  # classes and findings in the text; all of them are in the fields
_OF_A_KIND = 3  # findings in the text
_OFTEN = ("duplicate", "near-duplicate", "excerpt")  # findings on what is taken care of, said after the others
_ROW = re.compile(r"(.+) (row \d+)")  # of a table


@dataclass(frozen=True, repr=False)
class Checked:
    """The data as `fit` would use them. Printed, it is a summary.

    The examples are looked at when somebody first asks for what is odd about them: that may encode all of them.
    """

    dataset: Dataset  # the examples that can be used
    parts: Split  # rows of the training and the test part
    examine: Callable[[], Examined]
    source: Any = None  # what was given to be read
    columns: Columns | None = None  # that the user named

    @cached_property
    def examined(self) -> Examined:
        """What is odd about the examples, beyond what reading them said."""
        return self.examine()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is odd: files that cannot be read, duplicates, outliers; doubtful labels last, most doubtful first."""
        known = (*self.dataset.findings, *self.parts.findings)
        said = {(finding.kind, finding.where) for finding in known}
        more = (one for one in self.examined.findings if (one.kind, one.where) not in said)
        return (*known, *more, *self.examined.doubts.findings)

    @property
    def shortcuts(self) -> tuple[Shortcut, ...]:
        """Facts that tell the class and have nothing to do with it."""
        return self.examined.shortcuts

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed in reading; what was not looked for is in `examined.notes`."""
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

    def save(self, folder: str | Path, *, apply: str | Path | None = None) -> str:
        """Write a page with the examples in question, and findings.csv to act on.

        Args:
            folder: not there yet.
            apply: "drop": new data beside them, in `data.csv` or `data/`, without the examples whose label is doubtful;
                "relabel": with another label where that is more probably wrong than right; or a findings.csv with
                actions in it. Of data with a test part of its own, the first two leave that as it is.

        Returns:
            What was written, in a sentence.

        Raises:
            UserError: there is something at the folder, or what is to be applied cannot be.
        """
        return write_checked(self, Path(folder), apply=None if apply is None else str(apply))

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
            "classes": [
                {"name": name, "count": n, "example": self.placed(self.firsts[name])} for name, n in self.counts.items()
            ],
            "named": self.dataset.task.words.named,
            "model": self.examined.model,
            "findings": [self._placed(finding.to_json()) for finding in self.findings],
            "doubtful": {"listed": len(self.examined.doubts.findings), "wrong": self.examined.doubts.wrong},
            "shortcuts": [self._placed(one.to_json()) for one in self.shortcuts],
            "notes": [*self.notes, *self.examined.notes],
            "warnings": [asdict(caution) for caution in self.cautions],
        }

    @cached_property
    def firsts(self) -> dict[str, str]:
        """Where the first example of each class or label is, the most frequent class first."""
        y, names = self.dataset.y, self.dataset.classes
        if not names:
            return {}
        of = y.argmax(axis=0) if y.ndim == 2 else np.unique(y, return_index=True)[1]
        first = {name: self.dataset.where[row] for name, row in zip(names, of.tolist(), strict=True)}
        return {name: first[name] for name in self.counts}

    @cached_property
    def _table(self) -> str | None:
        """The name of the one table that all examples are rows of; None: there are several, or none."""
        found = {found[1] if (found := _ROW.fullmatch(where)) else None for where in self.dataset.where}
        return found.pop() if len(found) == 1 else None

    def placed(self, where: str) -> str:
        """Where an example is: a row of the one table that there is without its name."""
        start = f"{self._table} row "
        return where[len(start) - 4 :] if self._table and where.startswith(start) else where

    def _placed(self, result: dict[str, Any]) -> dict[str, Any]:
        return result | {key: self.placed(result[key]) for key in ("where", "example") if key in result}


def said_first(dataset: Dataset, parts: Split) -> Iterator[str]:
    """Lines on what the data were taken for, before anything is learned from them."""
    counts = [{"name": name, "count": count} for name, count in _counts(dataset).items()]
    shown = f", {_listed(counts, dataset.task.words.named)}" if counts else ""
    if not len(parts.test):
        yield f"{dataset.title}: no example has a label; {len(dataset.classes)} classes by their names"
        yield from lines((*dataset.notes, *parts.notes), (*dataset.cautions, *parts.cautions))
        return
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


def summary(result: Mapping[str, Any]) -> str:
    """What `to_json` says, in lines for people."""
    return "\n".join(_lines(result))


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    counts, findings = result["counts"], result["findings"]
    used, rejected = result["n"], result["n_rejected"]
    yield f"{result['data']}: {result['task']}, {used:,} examples that can be used, {rejected:,} left out"
    whose = {"official": "the parts are yours", "out-of-fold": "fold by fold"}.get(result["split"], "held out here")
    yield f"learned from {result['n_train']:,}, tested on {result['n_test']:,} ({whose})"
    if counts:
        yield _listed(counts, result["named"])
    yield from (f"shortcut: {each['reason']}" for each in result["shortcuts"])
    if result["doubtful"]["listed"]:
        yield _doubtful(result["doubtful"])
    shown = _first_of_each_kind(sorted(findings, key=lambda finding: finding["kind"] in _OFTEN))
    yield from (f"{finding['where']}: {finding['reason']}" for finding in shown)
    if len(findings) > len(shown):
        kinds = Counter(finding["kind"] for finding in findings) - Counter(finding["kind"] for finding in shown)
        more = ", ".join(f"{n:,} x {kind}" for kind, n in kinds.most_common())
        yield f"{len(findings) - len(shown):,} more in the findings: {more} (--out FOLDER writes all)"
    yield from result["notes"]
    yield from (f"warning: {each['text']}" for each in result["warnings"])


def _doubtful(result: Mapping[str, Any]) -> str:
    """How many labels are doubtful, and what that is worth."""
    listed, wrong = result["listed"], result["wrong"]
    said = f"{listed:,} labels look doubtful, most doubtful first" if listed > 1 else "1 label looks doubtful"
    if wrong is None:
        return said
    if wrong:
        return f"{said}: {wrong:,} of them {'are' if wrong > 1 else 'is'} more probably wrong than right"
    alone = "none of them need" if listed > 1 else "it need not"
    return f"{said}: no more than a model of this accuracy gets wrong by itself, so {alone} be wrong"


def _first_of_each_kind(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first of all kinds, a few of each; where there is room, further ones."""
    times: Counter[str] = Counter()
    first: list[int] = []
    for place, finding in enumerate(findings):
        times[finding["kind"]] += 1
        first += [place] if times[finding["kind"]] <= _OF_A_KIND else []
    shown = set(first)
    others = (place for place in range(len(findings)) if place not in shown)
    return [findings[place] for place in sorted([*first, *islice(others, max(0, _SHOWN - len(first)))][:_SHOWN])]
