"""What is wrong with the examples, before anything is learned from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from headstart.data.alike.duplicates import equal_pairs, group
from headstart.data.alike.known import KnownImages
from headstart.data.alike.look_alikes import apart_by_class, apart_where_few
from headstart.data.labels.alike_names import alike_names
from headstart.errors import DataError, short_name
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
    rejected = list(dataset.findings)
    keep = _with_target(dataset, rejected) if labelled else list(range(len(dataset)))
    known = KnownImages() if known is None else known
    seen = modality.inspect(dataset, keep, rejected, known=known, workers=workers, advance=advance)
    keep, digests, hashes = seen.rows, seen.digests, seen.hashes
    if purpose == "fit":
        keep, rows = _without_lone(dataset, keep, rejected)
        digests, hashes = digests[rows], hashes[rows]
    usable = replace(dataset if len(keep) == len(dataset) else dataset.take(np.array(keep, np.int64)), digests=digests)
    usable = replace(usable, notes=(*dataset.notes, *seen.notes), cautions=dataset.cautions)
    if purpose == "predict":  # what is asked about may well be alike
        return replace(usable, findings=tuple(rejected))
    usable = replace(usable, sketches=modality.sketch(hashes))
    if purpose == "fit":
        task.refuse(usable, refuse_empty(replace(usable, findings=tuple(rejected))))
        usable = replace(usable, cautions=(*usable.cautions, *_mostly_rejected(usable, rejected, allow_rejected)))
    same = equal_pairs(digests)
    twins = group(len(keep), np.concatenate([same, modality.near(hashes)]))
    twins, looks = apart_by_class(usable, twins, same) if labelled else (twins, [])
    twins, alike_by_nature = apart_where_few(usable, twins, same) if purpose == "fit" else (twins, [])
    usable = replace(usable, notes=(*usable.notes, *looks), cautions=(*usable.cautions, *alike_by_nature))
    groups, pieces = modality.groups(usable, twins) if purpose == "fit" else (twins, [])
    groups, alike, notes = _together(usable, groups)
    notes += alike_names(usable.classes, usable.task.words.named)
    conflicts = _conflicts(usable, twins, task.conflict) if labelled else {}
    cautions = (*usable.cautions, *_contradicting(usable, twins, same, list(conflicts)))
    duplicates = _duplicates(usable, twins, same, "" if purpose != "fit" or dataset.in_parts else _KEPT)
    found = (*rejected, *duplicates, *pieces, *conflicts.values())
    return replace(usable, groups=groups, alike=alike, findings=found, notes=(*usable.notes, *notes), cautions=cautions)


def _together(dataset: Dataset, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Groups joined with those that the user names, what they were before, and notes."""
    if dataset.named_groups is None:
        return groups, None, []
    first: dict[str, int] = {}
    own = np.array([first.setdefault(name.strip(), row) if name and name.strip() else row
                    for row, name in enumerate(dataset.named_groups)], dtype=np.int64)  # fmt: skip
    rows = np.arange(len(own))
    joined = group(len(own), np.concatenate([np.column_stack([own, rows]), np.column_stack([groups, rows])]))
    unnamed = len(own) - sum(bool(name and name.strip()) for name in dataset.named_groups)
    notes = [f"{unnamed:,} examples name no group: each is one by itself"] if unnamed else []
    return joined, groups, notes


def _with_target(dataset: Dataset, rejected: list[Finding]) -> list[int]:
    keep = []
    for row, target in enumerate(dataset.targets):
        complaint = dataset.task.complaint(target)
        if complaint is None:
            keep.append(row)
        else:
            rejected.append(Finding(complaint[0], dataset.where[row], complaint[1], rejected=True))
    return keep


def _without_lone(dataset: Dataset, keep: list[int], rejected: list[Finding]) -> tuple[list[int], list[int]]:
    """Without examples whose target is of no use beside the others; rows, and their places among those before."""
    lone = dataset.task.lone([dataset.targets[row] for row in keep])
    for position, (kind, reason) in lone.items():
        rejected.append(Finding(kind, dataset.where[keep[position]], reason, rejected=True))
    places = [position for position in range(len(keep)) if position not in lone]
    return [keep[position] for position in places], places


def _mostly_rejected(dataset: Dataset, findings: list[Finding], allowed: bool) -> list[Caution]:
    """That more is left out than is used; raises DataError unless the user allows it."""
    rejected = [finding for finding in findings if finding.rejected]
    if len(rejected) <= len(dataset):
        return []
    kinds = ", ".join(f"{n:,} x {kind}" for kind, n in Counter(f.kind for f in rejected).most_common())
    what = f"{len(rejected):,} of {len(rejected) + len(dataset):,} examples are left out ({kinds})"
    if not allowed:
        where = f"{rejected[0].where}: {rejected[0].reason}"
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


def _duplicates(dataset: Dataset, twins: np.ndarray, same: np.ndarray, kept: str) -> list[Finding]:
    copied = group(len(twins), same)
    found = []
    for row, (first, original) in enumerate(zip(twins.tolist(), copied.tolist(), strict=True)):
        if row != original:
            first, kind, how = original, "duplicate", "identical to"
        elif row != first:
            kind, how = "near-duplicate", "nearly the same as"
        else:
            continue
        other = dataset.where[first]
        found.append(Finding(kind, dataset.where[row], f"{how} {other}{kept}", other=other))
    return found


def _conflicts(dataset: Dataset, twins: np.ndarray, conflict: Callable[[object, object], bool]) -> dict[int, Finding]:
    """Findings on the rows that are labelled otherwise than the first of those that are (nearly) the same."""
    found = {}
    for row, first in enumerate(twins.tolist()):
        mine, other = dataset.targets[row], dataset.targets[first]
        if row != first and conflict(mine, other):
            reason = f"labelled {mine!r}, but {dataset.where[first]} is (nearly) the same and labelled {other!r}"
            found[row] = Finding("conflicting-labels", dataset.where[row], reason, other=dataset.where[first])
    return found


def _contradicting(dataset: Dataset, twins: np.ndarray, same: np.ndarray, rows: list[int]) -> list[Caution]:
    """That many examples have several classes or labels, each in another place, and which these are most often.

    Numbers of what is nearly the same may well differ.

    Args:
        twins: (n,) groups of what is nearly the same. same: (m, 2) pairs of identical ones. rows: that have others.
    """
    n = int(np.isin(twins, twins[np.array(rows, np.int64)]).sum())
    share = n / max(1, len(dataset))
    if not dataset.classes or n < _CONTRADICTING or share < _SHARE_CONTRADICTING:
        return []
    targets = [target if isinstance(target, str) else ", ".join(target) for target in dataset.targets]
    pairs = Counter(tuple(sorted((targets[row], targets[int(twins[row])]))) for row in rows)
    (mine, other), times = pairs.most_common(1)[0]
    what = f"{n:,} of {len(dataset):,} examples ({share:.0%}) are (nearly) the same as one with another label"
    most = f"most often {short_name(mine)!r} and {short_name(other)!r} ({times:,})"
    by_look = dataset.modality.look_alikes and not set(same.ravel().tolist()).issuperset(rows)
    then = "mistakes, or things that differ in little" if by_look else "no model gets both right"
    return [Caution("conflicting-labels", f"{what}, {most}: {then}; see the findings")]
