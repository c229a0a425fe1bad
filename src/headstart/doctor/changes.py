"""What is to be done about findings: as `--apply` says, or as the user wrote into findings.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headstart.data.as_written import as_written
from headstart.errors import DataError, UserError
from headstart.values import Columns, Dataset, Doubts, Finding, Split

HEADER = ("example", "label", "kind", "score", "looks_like", "reason", "action", "content")
DROP, RELABEL = "drop", "relabel"
_KEEP = "keep"
_BY_HAND = "--out FOLDER writes findings.csv: write drop or relabel into its column action, and --apply that file"
_ITS_DATA = "name the data that findings.csv is of"
_CONTENT = 6  # bytes of the sha256 of an example, by which it is known again


@dataclass(frozen=True)
class Changes:
    """Rows of a checked dataset that are left out, or labelled otherwise."""

    drop: frozenset[int] = frozenset()
    labels: Mapping[int, str] = field(default_factory=dict)
    flatters: bool = False  # examples go because a model gets them wrong: no score on what is left can be honest

    @property
    def said(self) -> str:
        """How many rows are dropped and how many relabelled, in words."""
        return f"{len(self.drop):,} dropped, {len(self.labels):,} relabelled"


def rows_of(findings: Sequence[Finding], dataset: Dataset, shown: Mapping[str, str]) -> Iterator[tuple[object, ...]]:
    """The rows of findings.csv, below `HEADER`, with nothing to do yet.

    Args:
        shown: how the place of an example is written, where not as it is.
    """
    rows = {where: row for row, where in enumerate(dataset.where)}
    for one in findings:
        row = rows.get(one.where)
        label, content = ("", "") if row is None else (label_of(dataset.targets[row]), _content(dataset, row))
        score = "" if one.score is None else f"{one.score:.6g}"
        yield shown.get(one.where, one.where), label, one.kind, score, one.looks_like or "", one.reason, "", content


def label_of(target: object) -> str:
    """A target in one cell, or one line: several labels, or answers without their places, stand side by side."""
    if not isinstance(target, tuple):
        return target if isinstance(target, str) else f"{target}"
    return ", ".join(dict.fromkeys(each if isinstance(each, str) else f"{each[0]}" for each in target))


def _content(dataset: Dataset, row: int) -> str:
    """A short hash of the example, which no program that opens tables takes for a number."""
    return f"x{dataset.checked_digests[row, :_CONTENT].tobytes().hex()}"


def changes(asked: str, dataset: Dataset, parts: Split, doubts: Doubts, shown: Mapping[str, str]) -> Changes:
    """What is asked for: "drop", of all doubtful labels; "relabel", of those more probably wrong than right; or a file.

    The first two leave a test part of the user's own as it is: without what a model gets wrong, any score is good.

    Raises:
        UserError: there is nothing to do, or a row of the file that cannot be done.
    """
    places = {where: row for row, where in enumerate(dataset.where)}
    if asked not in (DROP, RELABEL):
        return _of_file(Path(asked), dataset, places | {shown[where]: row for where, row in places.items()})
    _refuse_relabelling(asked, dataset)
    tested = set(parts.test.tolist()) if parts.official else set()
    meant = [finding for finding in doubts.findings if asked == DROP or finding.probably_wrong]
    labels = {places[one.where]: str(one.looks_like) for one in meant if places[one.where] not in tested}
    if not labels:
        raise UserError(_nothing(asked, doubts, official=bool(tested)), where=f"--apply {asked}", fix=_BY_HAND)
    if asked == RELABEL:
        return Changes(labels=labels)
    return Changes(drop=frozenset(labels), flatters=not tested)


def _nothing(asked: str, doubts: Doubts, *, official: bool) -> str:
    """Why there is nothing to do."""
    if not doubts.looked:
        return "doubtful labels were not looked for, as a note says"
    if not doubts.findings:
        return "no label is doubtful"
    if asked == RELABEL and not doubts.wrong:
        return f"none of {len(doubts.findings):,} doubtful labels is more probably wrong than right"
    return "the labels in question are of the test part, which stays as it is" if official else "nothing is in question"


def _refuse_relabelling(asked: str, dataset: Dataset, where: str = "--apply relabel") -> None:
    if asked == RELABEL and not (dataset.classes and dataset.y.ndim == 1):
        raise UserError("only examples with one class each are relabelled", where=where, fix="drop leaves them out")


def _of_file(path: Path, dataset: Dataset, places: Mapping[str, int]) -> Changes:
    """What the column `action` of an edited findings.csv says.

    Raises:
        UserError: it has no such columns, an action that is none, an example or a class that is not in the data, two
            actions for one example, or no action at all.
    """
    names, rows = as_written(path, Columns())
    missing = [name for name in ("example", "action", "looks_like") if name not in names]
    if missing:
        what = f"no column {missing[0]!r}, as findings.csv of --out has it"
        raise DataError(what, where=f"--apply {path}", fix="--apply drop, --apply relabel, or that file")
    wanted: dict[int, tuple[str, str]] = {}  # by row, the action and the new label
    for number, cells in enumerate(rows, start=1):
        order = _order(dict(zip(names, cells, strict=False)), dataset, places, f"{path} row {number}")
        if order is not None and wanted.setdefault(order[0], order[1:]) != order[1:]:
            one, other = (" ".join(each).rstrip() for each in (wanted[order[0]], order[1:]))
            what = f"{dataset.where[order[0]]} has two actions: {one}, and {other}"
            raise DataError(what, where=f"{path} row {number}", fix="leave one of them")
    labels = {row: label for row, (action, label) in wanted.items() if action == RELABEL}
    drop = frozenset(row for row, (action, _) in wanted.items() if action == DROP)
    if not drop and not labels:
        fix = "write drop or relabel into its column action"
        raise DataError("no row has an action", where=f"--apply {path}", fix=fix)
    return Changes(drop, labels)


def _order(
    cells: Mapping[str, str], dataset: Dataset, places: Mapping[str, int], where: str
) -> tuple[int, str, str] | None:
    """The row, the action and the new label that one row of the file asks for; None: nothing.

    Raises:
        DataError: it cannot be done.
    """
    action, example, label = cells["action"].strip().lower(), cells["example"], cells["looks_like"]
    if not action:
        return None
    if action not in (DROP, RELABEL, _KEEP):
        raise DataError(f"{cells['action']!r} is no action", where=where, fix="drop, relabel, keep, or nothing")
    row = places.get(example)
    if row is None:
        raise DataError(f"{example!r} is no example of the data that can be used", where=where, fix=_ITS_DATA)
    if cells.get("content", "").strip() not in ("", _content(dataset, row)):
        raise DataError(f"{example} is not the example that was found", where=where, fix=_ITS_DATA)
    _refuse_relabelling(action, dataset, where)
    if action == RELABEL and label not in dataset.classes:
        fix = f"one of: {', '.join(dataset.classes[:10])}; or drop"
        raise DataError(f"no class {label!r} to relabel it as", where=where, fix=fix)
    return row, action, label if action == RELABEL else ""
