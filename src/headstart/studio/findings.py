"""Findings of the data doctor with the examples that they are about, as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.studio.photo_files import photo_at
from headstart.studio.plain_words import plain_words
from headstart.values import Finding

if TYPE_CHECKING:
    from headstart.report.checked import Checked


def as_json(findings: Sequence[Finding], checked: Checked, data: Path) -> list[dict[str, Any]]:
    """Findings with the examples that they are about. data: the table, or the folder of classes."""
    import numpy as np

    from headstart.doctor.changes import label_of

    dataset = checked.dataset
    rows = {where: row for row, where in enumerate(dataset.where)}

    def example(where: str | None) -> dict[str, Any] | None:
        if where is None:
            return None
        row, text = rows.get(where), None
        if row is not None and dataset.modality.in_tables:
            text = str(dataset.modality.shown(dataset, np.array([row]))[0])
        label = None if row is None else label_of(dataset.targets[row])
        photo = photo_at(data, where)
        return {"photo": None if photo is None else photo.id, "text": text, "label": label}

    def one(finding: Finding) -> dict[str, Any]:
        return {
            "kind": finding.kind,
            "where": checked.placed(finding.where),
            "reason": plain_words(finding.reason),
            "rejected": finding.rejected,
            **(example(finding.where) or {}),
            "suggestion": finding.looks_like,
            "probably_wrong": finding.probably_wrong,
            "other": example(finding.other),
        }

    return [one(finding) for finding in findings]
