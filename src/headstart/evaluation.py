"""Scores of a model on other data than it was fitted on, and what may mislead about them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.data.as_fitted import checked_as_fitted, read_as_fitted
from headstart.data.learned import Learned
from headstart.progress import Progress
from headstart.report.checked import lines
from headstart.task import Scores
from headstart.values import Caution, Columns, Dataset, Finding

if TYPE_CHECKING:
    from headstart.model import Model

_FEW_NEAR = 0.02  # of the examples: among many alike, of one background, so many are near without being copies


@dataclass(frozen=True)
class Evaluation:
    """Scores on other data, with what did not fit the model."""

    scores: Scores
    missing: tuple[str, ...]  # classes of the model without an example
    extra: tuple[str, ...]  # classes of the data that the model does not know; their examples are left out
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    cautions: tuple[Caution, ...] = ()


def evaluated(
    model: Model,
    data: Any,
    labels: Any,
    groups: Any,
    *,
    columns: Columns | None,
    learned: Learned | None,
    progress: Progress,
) -> Evaluation:
    """As `Model.evaluate`.

    Args:
        learned: the examples that the model learned from; None: that is not known.
    """
    dataset, notes = _checked(model, data, labels, groups, columns, progress)
    rows, unknown = model.task.scorer.known(dataset, model.classes)
    taken = model.modality.remarks(dataset, rows, model.backbone)
    findings = (*dataset.findings, *model.task.scorer.remarks(model.predictor, dataset), *taken.findings)
    with progress.step("evaluate", len(rows)) as advance:
        reference = None if model.scores is None else model.scores.details
        scores = model.score(dataset, rows, reference=reference, advance=advance)
    if learned is None and model.record is not None:
        notes = (*notes, "whether the model learned from some of these examples is not known")
    cautions = [*dataset.cautions, *taken.cautions]
    if learned is not None:
        cautions += [*_seen(dataset, rows, learned), *_of_known_groups(dataset, rows, learned)]
    if left_out := sum(finding.rejected for finding in (*findings, *unknown)):
        what = f"{left_out:,} of {left_out + len(rows):,} examples were left out, and the score is of the others"
        cautions.append(Caution("left-out", f"{what}: see the findings"))
    found = Evaluation(
        scores,
        missing=tuple(sorted(set(model.classes) - set(dataset.classes))),
        extra=tuple(sorted(set(dataset.classes) - set(model.classes))),
        findings=(*findings, *unknown),
        notes=(*dataset.notes, *notes, *taken.notes),
        cautions=(*cautions, *model.task.scorer.cautions(scores)),
    )
    for line in lines(found.notes, found.cautions):
        progress.note(line)
    return found


def _checked(
    model: Model, data: Any, labels: Any, groups: Any, columns: Columns | None, progress: Progress
) -> tuple[Dataset, tuple[str, ...]]:
    """The examples to score on, read and checked, with a note on the part that they are.

    Raises:
        DataError: they cannot be read or are not what the model takes, or none can be used.
    """
    dataset, notes = _test_part(
        read_as_fitted(
            data,
            labels,
            groups,
            task=model.task,
            modality=model.modality,
            columns=columns,
            known=model.columns,
            progress=progress,
        )
    )
    return checked_as_fitted(dataset, progress=progress), notes


def _seen(dataset: Dataset, rows: np.ndarray, learned: Learned) -> list[Caution]:
    """That the model learned from some of these rows of checked data, or from what is nearly the same."""
    exactly, nearly = (int(which.sum()) for which in learned.has(dataset, rows))
    if nearly < _FEW_NEAR * len(rows):
        nearly = 0
    if not exactly and not nearly:
        return []
    what = f"the model learned from {exactly + nearly:,} of these {len(rows):,} examples"
    if nearly:
        what += f" ({nearly:,} of them nearly the same, not to the byte)"
    return [Caution("trained-on", f"{what}, so the score is too high; give others")]


def _of_known_groups(dataset: Dataset, rows: np.ndarray, learned: Learned) -> list[Caution]:
    """That some of these rows are of groups, as the user names them, of which the model learned from others."""
    n = int(learned.of_known_groups(dataset, rows).sum())
    what = f"{n:,} of {len(rows):,} examples are of a group that the model learned from"
    return [Caution("shared-groups", f"{what}, so the score is too high for groups that are new")] if n else []


def _test_part(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """Where the data have official parts, only the test part (or val) is scored."""
    parts = set(dataset.parts or ())
    wanted = next((part for part in ("test", "val") if part in parts), None)
    if dataset.parts is None or wanted is None:
        return dataset, ()
    rows = np.array([i for i, part in enumerate(dataset.parts) if part == wanted])
    places = list(zip(map(_source, dataset.where), dataset.parts, strict=True))
    others = {source for source, part in places if part != wanted} - {s for s, part in places if part == wanted}
    findings = tuple(finding for finding in dataset.findings if _source(finding.where) not in others)
    picked = replace(dataset.take(rows), parts=None, findings=findings, notes=dataset.notes)
    picked = replace(picked, cautions=dataset.cautions)
    return picked, (f"scored on the {wanted} part",)


def _source(where: str) -> str:
    """The table, or the folder, that an example is in, as its place says."""
    return where.rpartition(" row ")[0] or os.path.dirname(where)
