"""Examples without labels that a fit may learn from: read, checked, and without all that is in the test part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.alike.known import KnownImages
from headstart.data.arguments import inputs_in, inputs_of, refuse_idle
from headstart.data.check import check
from headstart.data.learned import learned_of
from headstart.errors import DataError, UserError
from headstart.inputs.paths import existing
from headstart.values import Columns, Dataset, Finding, Split

MOST = 5_000  # examples that are learned from: more of them say the same, and take their time
_WHERE = "--unlabelled"


def with_pool(
    dataset: Dataset,
    parts: Split,
    source: Any,
    columns: Columns,
    *,
    option: str = _WHERE,
    advance: Callable[[int], None] = lambda _: None,
) -> Dataset:
    """The dataset with its pool.

    Args:
        dataset: checked. parts: of it.
        source: a folder, a table, a file of texts; or what stands in memory: inputs, or a table. columns: of a table.
        option: that the source was given with. advance: told how many more examples were looked at.

    Raises:
        UserError: the task has no use for examples without labels.
        DataError: the source cannot be read, or nothing in it is left.
    """
    family = dataset.task.learner.family
    if family is None or family.surest is None:
        what = f"examples without labels are of no use for {dataset.task.name}"
        raise UserError(what, where=_WHERE, fix="leave it out")
    pool = _read(dataset, source, columns)
    known = KnownImages(dataset.modality.known())
    pool = _apart(check(pool, known=known, purpose="pool", advance=advance), dataset, parts)
    if not len(pool):
        what = f"no {dataset.modality.noun} is left: {_reasons(pool)}" if pool.findings else "there is nothing in it"
        fix = f"{option} takes {dataset.modality.noun}s; headstart check says what is wrong with them"
        raise DataError(what, where=pool.name, fix=fix)
    note = _note(pool, dataset.modality.noun)
    return replace(dataset, pool=pool, notes=(*dataset.notes, *pool.notes, note))


def _read(dataset: Dataset, source: Any, columns: Columns) -> Dataset:
    """The pool as it was given; what cannot be used in it is in its findings."""
    modality = dataset.modality
    if isinstance(source, str | Path):
        path = existing(source)
        asked, name = inputs_in(path, modality, columns, in_files=dataset.from_files, command="fit"), path.name
    else:
        asked, name = inputs_of(source, modality, columns, in_files=dataset.from_files), "unlabelled"
    refuse_idle(columns, [asked])
    inputs, names = modality.given(asked.inputs)
    where = names if not modality.in_tables else [f"{name} {number:,}" for number in range(1, len(names) + 1)]
    nobody: list[Any] = [None] * len(names)
    notes = tuple(asked.notes)
    return Dataset(dataset.task, modality, name, inputs=inputs, targets=nobody, where=where, notes=notes)


def _apart(pool: Dataset, dataset: Dataset, parts: Split) -> Dataset:
    """The pool without what the test part holds, or anything like it; without what has a label; and each example once.

    Photos that only look alike are told by their features, once they are encoded.
    """
    rows, found, test = np.arange(len(pool)), list[Finding](), parts.test if not parts.out_of_fold else parts.train

    def leave_out(which: np.ndarray, kind: str, reason: str) -> None:
        nonlocal rows
        found.extend(Finding(kind, pool.where[row], reason, rejected=True) for row in rows[which].tolist())
        rows = rows[~which]

    for part, kind, reason in (
        (test, "in-test", "in the test part, or nearly the same as one there"),
        (parts.train, "labelled", "in the training part, with a label"),
    ):
        exactly, nearly = learned_of(dataset, part).has(pool, rows)
        leave_out(exactly | nearly, kind, reason)
    leave_out(_of_one_text(pool, dataset, rows, test), "in-test", "a piece of a text in the test part, or the reverse")
    groups = pool.checked_groups[rows]
    _, first = np.unique(groups, return_index=True)
    again = np.ones(len(rows), dtype=bool)
    again[first] = False
    leave_out(again, "duplicate", "nearly the same as another one")
    rejected = tuple(finding for finding in pool.findings if finding.rejected)
    return replace(pool.take(rows), findings=(*rejected, *found), notes=pool.notes)


def _of_one_text(pool: Dataset, dataset: Dataset, rows: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(n,) bool: which of these rows of the pool are cut from one text with an example of the test part."""
    inputs = [*(dataset.inputs[row] for row in test.tolist()), *(pool.inputs[row] for row in rows.tolist())]
    digests = np.concatenate([dataset.checked_digests[test], pool.checked_digests[rows]])
    both = replace(pool, inputs=inputs, targets=[None] * len(inputs), where=[""] * len(inputs), digests=digests)
    sketches = None
    if dataset.sketches is not None and pool.sketches is not None:
        sketches = np.concatenate([dataset.sketches[test], pool.sketches[rows]])
    groups, _ = dataset.modality.groups(replace(both, sketches=sketches, groups=None), np.arange(len(inputs)))
    return np.isin(groups[len(test) :], groups[: len(test)])


def in_order(digests: np.ndarray) -> np.ndarray:
    """(n,) rows in an order that says nothing of where they were: that of their sha256."""
    return np.lexsort(digests.T[::-1])


def _reasons(pool: Dataset) -> str:
    counts = Counter(finding.kind for finding in pool.findings)
    return ", ".join(f"{count:,} x {kind}" for kind, count in counts.most_common())


def _note(pool: Dataset, noun: str) -> str:
    given = len(pool) + len(pool.findings)
    left_out = f", without {len(pool.findings):,} ({_reasons(pool)})" if pool.findings else ""
    what = "the probe labels them, and learns from those that it is surest of unless that does harm"
    return f"{given:,} {noun}s without a label{left_out}: {what}"
