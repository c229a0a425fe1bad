"""What is wrong with the examples, before anything is learned from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

import numpy as np

from headstart.data.alike.equal import equal_pairs, group
from headstart.data.alike.found import Complaint, beside, left_out
from headstart.data.alike.known import KnownImages
from headstart.data.alike.look_alikes import apart_by_class, apart_where_few
from headstart.data.feedback import superseded
from headstart.data.labels.alike_names import alike_names
from headstart.errors import DataError, short_name
from headstart.storage.columns import Coded, Joined, coded, in_blocks, mapped, taken
from headstart.storage.rows_of_bytes import take
from headstart.values import Caution, Dataset, Finding

_CONTRADICTING = 6  # examples that have another label elsewhere, at least, for a word about all of them
_SHARE_CONTRADICTING = 0.05
_KEPT = "; kept on one side of the split"  # not by parts that the user made


def check(
    dataset: Dataset,
    *,
    known: KnownImages | None = None,
    purpose: Literal["fit", "evaluate", "predict", "pool"] = "fit",
    allow_rejected: bool = False,
    workers: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> Dataset:
    """Leave out what cannot be used, group what is (nearly) the same, and say so example by example.

    Args:
        dataset: as it was read.
        known: perceptual hashes of images seen before, by content; read and added to.
        purpose: an example without a label is of no use to "fit" and "evaluate", and in a "pool" none has one; a class
            of one example or a single class are of no use to "fit".
        allow_rejected: whether more may be left out than is used; of use to "fit" alone.
        workers: decoding threads.
        advance: told how many more examples have been looked at.

    Returns:
        The usable examples with `digests`, `sketches`, `groups` and `findings` set. Nothing is dropped without a
        finding; duplicates, and texts that are cut from another, are grouped, not dropped.

    Raises:
        DataError: nothing usable is left, or less than what is left out, or fewer than two classes.
    """
    task, modality, labelled = dataset.task, dataset.modality, purpose in ("fit", "evaluate")
    keep, complaints = _with_target(dataset) if labelled else (np.arange(len(dataset)), ())
    known = KnownImages() if known is None else known
    seen = modality.inspect(dataset, keep, known=known, workers=workers, advance=advance)
    keep, digests, hashes = seen.rows, seen.digests, seen.hashes
    rejected: list[Sequence[Finding]] = [dataset.findings, complaints, seen.findings]
    corrected = superseded(dataset, keep, digests)
    if corrected:
        rejected.append(list(corrected.values()))
        rows = np.delete(np.arange(len(keep)), list(corrected))
        keep, digests, hashes = keep[rows], digests[rows], take(hashes, rows)
    if purpose == "fit" and (lone := task.lone(_some(dataset.targets, keep))):
        rejected.append(_lone(dataset, keep, lone))
        rows = np.delete(np.arange(len(keep)), list(lone))
        keep, digests, hashes = keep[rows], digests[rows], take(hashes, rows)
    usable = replace(dataset if len(keep) == len(dataset) else dataset.take(keep), digests=digests)
    usable = replace(usable, notes=(*dataset.notes, *seen.notes), cautions=dataset.cautions)
    if purpose == "predict":  # what is asked about may well be alike
        return replace(usable, findings=Joined(rejected))
    if purpose == "fit":
        task.refuse(usable, refuse_empty(replace(usable, findings=Joined(rejected))))
        more = _mostly_rejected(usable, Joined(rejected), allow_rejected)
        usable = replace(usable, cautions=(*usable.cautions, *more))
    same = equal_pairs(digests)
    twins = group(len(usable), np.concatenate([same, modality.near(hashes)]))
    usable = replace(usable, sketches=modality.sketch(hashes))  # not before: what is near takes most memory
    del seen, hashes, keep
    twins, looks = apart_by_class(usable, twins, same) if labelled else (twins, [])
    twins, alike_by_nature = apart_where_few(usable, twins, same) if purpose == "fit" else (twins, [])
    usable = replace(usable, notes=(*usable.notes, *looks), cautions=(*usable.cautions, *alike_by_nature))
    groups, pieces = modality.groups(usable, twins) if purpose == "fit" else (twins, ())
    groups, alike, notes = _together(usable, groups)
    notes += alike_names(usable.classes, usable.task.words.named)
    contradicted = _contradicted(usable, twins) if labelled else twins[:0]
    cautions = (*usable.cautions, *_contradicting(usable, twins, same, contradicted))
    duplicates = _duplicates(usable, twins, same, "" if purpose != "fit" or dataset.in_parts else _KEPT)
    found = Joined([*rejected, duplicates, pieces, _conflicts(usable, contradicted, twins[contradicted])])
    return replace(usable, groups=groups, alike=alike, findings=found, notes=(*usable.notes, *notes), cautions=cautions)


def _some(column: Sequence[Any], rows: np.ndarray) -> Sequence[Any]:
    """These rows of a column, itself where they are all."""
    return column if len(rows) == len(column) else taken(column, rows)


def _together(dataset: Dataset, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Groups joined with those that the user names, what they were before, and notes."""
    if dataset.named_groups is None:
        return groups, None, []
    named, rows = coded(mapped(dataset.named_groups, lambda name: (name or "").strip())), np.arange(len(dataset))
    own = named.first_rows[named.codes]
    unnamed = named.codes == named.values.index("") if "" in named.values else np.zeros(len(own), dtype=bool)
    own[unnamed] = rows[unnamed]
    joined = group(len(own), np.concatenate([np.column_stack([own, rows]), np.column_stack([groups, rows])]))
    left = int(unnamed.sum())
    notes = [f"{left:,} examples name no group: each is one by itself"] if left else []
    return joined, groups, notes


def _with_target(dataset: Dataset) -> tuple[np.ndarray, Sequence[Finding]]:
    """Rows whose target can be learned from, and findings on the others."""
    said = coded(mapped(dataset.targets, dataset.task.complaint))
    usable = said.codes == (said.values.index(None) if None in said.values else -1)
    without = np.flatnonzero(~usable)
    return np.flatnonzero(usable), left_out(dataset.where, without, cast(Coded[Complaint], said.take(without)))


def _lone(dataset: Dataset, keep: np.ndarray, lone: dict[int, Complaint]) -> Sequence[Finding]:
    """Findings on examples whose target is of no use beside the others, by their place among the rows."""
    return left_out(dataset.where, keep[list(lone)], Coded.of(lone.values()))


def _mostly_rejected(dataset: Dataset, findings: Sequence[Finding], allowed: bool) -> list[Caution]:
    """That more is left out than is used; raises DataError unless the user allows it."""
    counts = Counter(finding.kind for finding in findings if finding.rejected) if len(findings) > len(dataset) else {}
    n = sum(counts.values())
    if n <= len(dataset):
        return []
    kinds = ", ".join(f"{times:,} x {kind}" for kind, times in Counter(counts).most_common())
    what = f"{n:,} of {n + len(dataset):,} examples are left out ({kinds})"
    if not allowed:
        first = next(finding for finding in findings if finding.rejected)
        where = f"{first.where}: {first.reason}"
        fix = f"{where}; repair them, or --allow-rejected learns from the other {len(dataset):,}"
        raise DataError(what, where=dataset.name, fix=fix)
    return [Caution("mostly-rejected", f"{what}: what is left may be of another kind than what the model will meet")]


def refuse_empty(dataset: Dataset) -> str:
    """Some of what was left out of checked data, in words; raises DataError where nothing else is there."""
    reasons = "; ".join(f"{f.where}: {f.reason}" for f in dataset.findings[:3] if f.rejected)
    seen = f" Left out: {reasons}." if reasons else ""
    if len(dataset) == 0:
        fix = "look at the files or rows named above"
        if dataset.columns is not None and dataset.columns.image:
            fix = "repair the names, or --image-root FOLDER says where the photos lie"
        raise DataError(f"no usable example.{seen}", where=dataset.name, fix=fix)
    return seen


def _duplicates(dataset: Dataset, twins: np.ndarray, same: np.ndarray, kept: str) -> Sequence[Finding]:
    copied, rows = group(len(twins), same), np.arange(len(twins))
    again = np.flatnonzero((copied != rows) | (twins != rows))
    exact = copied[again] != again
    remarks = ("duplicate", "identical to ", kept), ("near-duplicate", "nearly the same as ", kept)
    others = np.where(exact, copied[again], twins[again])
    return beside(dataset.where, again, others, Coded(np.where(exact, 0, 1).astype(np.int32), remarks))


def _contradicted(dataset: Dataset, twins: np.ndarray) -> np.ndarray:
    """(m,) rows that are labelled otherwise than the first of those that are (nearly) the same."""
    targets, conflict = dataset.targets, dataset.task.conflict
    again = np.flatnonzero(twins != np.arange(len(twins)))
    pairs = zip(in_blocks(again), in_blocks(twins[again]), strict=True)
    return again[np.fromiter((conflict(targets[row], targets[first]) for row, first in pairs), bool, len(again))]


def _conflicts(dataset: Dataset, rows: np.ndarray, firsts: np.ndarray) -> Sequence[Finding]:
    targets, pairs = dataset.targets, zip(in_blocks(rows), in_blocks(firsts), strict=True)
    said = ((f"labelled {targets[row]!r}, but ", f"{targets[first]!r}") for row, first in pairs)
    remarks = Coded.of(
        ("conflicting-labels", mine, f" is (nearly) the same and labelled {other}") for mine, other in said
    )
    return beside(dataset.where, rows, firsts, remarks)


def _contradicting(dataset: Dataset, twins: np.ndarray, same: np.ndarray, rows: np.ndarray) -> list[Caution]:
    """That many examples have several classes or labels, each in another place, and which these are most often.

    Numbers of what is nearly the same may well differ.

    Args:
        twins: (n,) groups of what is nearly the same. same: (m, 2) pairs of identical ones. rows: that have others.
    """
    n = int(np.isin(twins, twins[rows]).sum()) if len(rows) else 0
    share = n / max(1, len(dataset))
    if not dataset.classes or n < _CONTRADICTING or share < _SHARE_CONTRADICTING:
        return []

    def named(row: int) -> str:
        target = dataset.targets[row]
        return target if isinstance(target, str) else ", ".join(target)

    pairs = zip(in_blocks(rows), in_blocks(twins[rows]), strict=True)
    (mine, other), times = Counter(tuple(sorted((named(row), named(of)))) for row, of in pairs).most_common(1)[0]
    what = f"{n:,} of {len(dataset):,} examples ({share:.0%}) are (nearly) the same as one with another label"
    most = f"most often {short_name(mine)!r} and {short_name(other)!r} ({times:,})"
    by_look = dataset.modality.look_alikes and not np.isin(rows, same).all()
    then = "mistakes, or things that differ in little" if by_look else "no model gets both right"
    return [Caution("conflicting-labels", f"{what}, {most}: {then}; see the findings")]
