"""What is wrong with the examples, before anything is learned from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from headstart.data.duplicates import equal_pairs, group
from headstart.data.known import KnownImages
from headstart.data.look_alikes import apart_by_class
from headstart.errors import DataError
from headstart.values import Caution, Dataset, Finding


def check(
    dataset: Dataset,
    *,
    known: KnownImages | None = None,
    purpose: Literal["fit", "evaluate", "predict"] = "fit",
    allow_rejected: bool = False,
    workers: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> Dataset:
    """Leave out what cannot be used, group what is (nearly) the same, and say so example by example.

    Args:
        dataset: as it was read.
        known: perceptual hashes of images seen before, by content; read and added to.
        purpose: an example without a label is of no use to "fit" and "evaluate"; a class of one example or a single
            class are of no use to "fit".
        allow_rejected: whether more may be left out than is used; of use to "fit" alone.
        workers: decoding threads.
        advance: told how many more examples have been looked at.

    Returns:
        The usable examples with `digests`, `groups` and `findings` set. Nothing is dropped without a finding;
        duplicates, and texts that are cut from another, are grouped, not dropped.

    Raises:
        DataError: nothing usable is left, or less than what is left out, or fewer than two classes.
    """
    task, modality = dataset.task, dataset.modality
    rejected = list(dataset.findings)
    keep = list(range(len(dataset))) if purpose == "predict" else _with_target(dataset, rejected)
    known = KnownImages() if known is None else known
    seen = modality.inspect(dataset, keep, rejected, known=known, workers=workers, advance=advance)
    keep, digests, hashes = seen.rows, seen.digests, seen.hashes
    if purpose == "fit":
        keep, rows = _without_lone(dataset, keep, rejected)
        digests, hashes = digests[rows], hashes[rows]
    usable = replace(dataset if len(keep) == len(dataset) else dataset.take(np.array(keep, np.int64)), digests=digests)
    usable = replace(usable, notes=dataset.notes, cautions=dataset.cautions)
    if purpose == "fit":
        task.refuse(usable, refuse_empty(replace(usable, findings=tuple(rejected))))
        usable = replace(usable, cautions=(*usable.cautions, *_mostly_rejected(usable, rejected, allow_rejected)))
    same = equal_pairs(digests)
    twins = group(len(keep), np.concatenate([same, modality.near(hashes)]))
    twins, looks = apart_by_class(usable, twins, same) if purpose != "predict" else (twins, [])
    usable = replace(usable, notes=(*usable.notes, *looks))
    groups, pieces = modality.groups(usable, twins) if purpose == "fit" else (twins, [])
    groups, alike, notes = _together(usable, groups)
    conflicts = _conflicts(usable, twins, task.conflict) if purpose != "predict" else []
    found = (*rejected, *_duplicates(usable, twins, same), *pieces, *conflicts)
    return replace(usable, groups=groups, alike=alike, findings=found, notes=(*usable.notes, *notes))


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
            fix = "repair the names, or --image-root FOLDER says where photos lie whose names in the table are relative"
        raise DataError(f"no usable example.{seen}", where=dataset.name, fix=fix)
    return seen


def _duplicates(dataset: Dataset, twins: np.ndarray, same: np.ndarray) -> list[Finding]:
    identical = set(same[:, 1].tolist())
    found = []
    for row, first in enumerate(twins.tolist()):
        if row == first:
            continue
        kind, words = ("duplicate", "identical to") if row in identical else ("near-duplicate", "nearly the same as")
        found.append(
            Finding(kind, dataset.where[row], f"{words} {dataset.where[first]}; kept on one side of the split")
        )
    return found


def _conflicts(dataset: Dataset, twins: np.ndarray, conflict: Callable[[object, object], bool]) -> list[Finding]:
    found = []
    for row, first in enumerate(twins.tolist()):
        mine, other = dataset.targets[row], dataset.targets[first]
        if row != first and conflict(mine, other):
            reason = f"labelled {mine!r}, but {dataset.where[first]} is (nearly) the same and labelled {other!r}"
            found.append(Finding("conflicting-labels", dataset.where[row], reason))
    return found
