"""What is to be done about findings: as `--apply` says, or as the user wrote into findings.csv."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headstart.data.as_written import as_written
from headstart.errors import DataError, UserError
from headstart.values import Columns, Dataset, Doubts, Finding, Split

HEADER = ("example", "label", "kind", "score", "looks_like", "reason", "action")
DROP, RELABEL = "drop", "relabel"
_NOTHING = ("", "keep")


@dataclass(frozen=True)
class Changes:
    """Rows of a checked dataset that are left out, or labelled otherwise."""

    drop: frozenset[int] = frozenset()
    labels: Mapping[int, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """How many of each."""
        return f"{len(self.drop):,} dropped, {len(self.labels):,} relabelled"


def rows_of(findings: Sequence[Finding], dataset: Dataset, shown: Mapping[str, str]) -> Iterator[tuple[object, ...]]:
    """The rows of findings.csv, below `HEADER`, with nothing to do yet.

    Args:
        shown: how the place of an example is written, where not as it is.
    """
    labels = dict(zip(dataset.where, dataset.targets, strict=True))
    for one in findings:
        target = labels.get(one.where, "")
        label = target if isinstance(target, str) else ", ".join(target) if isinstance(target, tuple) else f"{target}"
        score = "" if one.score is None else f"{one.score:.6g}"
        yield shown.get(one.where, one.where), label, one.kind, score, one.looks_like or "", one.reason, ""


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
        n, beside = len(doubts.findings), " and not of the test part" if tested else ""
        what = f"none of {n:,} doubtful labels is more probably wrong than right{beside}"
        fix = "--out FOLDER writes findings.csv: write drop or relabel into its column action, and --apply that file"
        raise UserError(what if n else "no label is doubtful", where=f"--apply {asked}", fix=fix)
    return Changes(drop=frozenset(labels)) if asked == DROP else Changes(labels=labels)


def _refuse_relabelling(asked: str, dataset: Dataset, where: str = "--apply relabel") -> None:
    if asked == RELABEL and not (dataset.classes and dataset.y.ndim == 1):
        raise UserError("only examples with one class each are relabelled", where=where, fix="drop leaves them out")


def _of_file(path: Path, dataset: Dataset, places: Mapping[str, int]) -> Changes:
    """What the column `action` of an edited findings.csv says.

    Raises:
        UserError: it has no such columns, an action that is none, an example or a class that is not in the data, or no
            action at all.
    """
    names, rows = as_written(path, Columns())
    missing = [name for name in ("example", "action", "looks_like") if name not in names]
    if missing:
        what = f"no column {missing[0]!r}, as findings.csv of --out has it"
        raise DataError(what, where=f"--apply {path}", fix="--apply drop, --apply relabel, or that file")
    example, action, label = (names.index(name) for name in ("example", "action", "looks_like"))
    drop: set[int] = set()
    labels: dict[int, str] = {}
    for number, cells in enumerate(rows, start=1):
        asked, where = cells[action].strip().lower(), f"{path} row {number}"
        if asked in _NOTHING:
            continue
        if asked not in (DROP, RELABEL):
            raise DataError(f"{cells[action]!r} is no action", where=where, fix="drop, relabel, keep, or nothing")
        row = places.get(cells[example])
        if row is None:
            what = f"{cells[example]!r} is no example of the data that can be used"
            raise DataError(what, where=where, fix="name the data that findings.csv is of")
        _refuse_relabelling(asked, dataset, where)
        if asked == DROP:
            drop.add(row)
        elif cells[label] not in dataset.classes:
            fix = f"one of: {', '.join(dataset.classes[:10])}; or drop"
            raise DataError(f"no class {cells[label]!r} to relabel it as", where=where, fix=fix)
        elif labels.setdefault(row, cells[label]) != cells[label]:
            raise DataError(f"{cells[example]} is relabelled twice, and differently", where=where, fix="keep one")
    _refuse_both(drop & set(labels), dataset, path)
    if not drop and not labels:
        fix = "write drop or relabel into its column action"
        raise DataError("no row has an action", where=f"--apply {path}", fix=fix)
    return Changes(frozenset(drop), labels)


def _refuse_both(rows: Iterable[int], dataset: Dataset, path: Path) -> None:
    for row in rows:
        raise DataError(f"{dataset.where[row]} is both dropped and relabelled", where=str(path), fix="keep one")
