"""Doubtful targets in words, most doubtful first: what a task's `Scorer.suspects` gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headstart.evaluate.neighbours import Neighbours
from headstart.evaluate.suspects import Suspects, suspicious_classes, suspicious_labels, suspicious_numbers
from headstart.task import rounded
from headstart.values import Dataset, Doubts, Finding

Near = Callable[[], Neighbours]
_KIND = "doubtful-label"


def doubtful_classes(dataset: Dataset, rows: np.ndarray, outputs: np.ndarray, near: Near) -> Doubts:
    """Of rows with one class each. Args: as `Scorer.suspects`."""
    y, names = dataset.y[rows], dataset.classes
    like = near()
    found, both = suspicious_classes(outputs, y, like)
    findings = []
    for i, (row, other, (mine, theirs)) in enumerate(zip(found.rows, found.instead, both, strict=True)):
        votes = int((y[like.rows[row]] == other).sum())
        reason = (
            f"labelled {names[y[row]]!r}; a model that had not seen it says {names[other]!r} ({theirs:.2f} against "
            f"{mine:.2f}), as do {votes} of the {like.k} examples most like it"
        )
        findings.append(_finding(dataset, rows[row], reason, found, i, names[other]))
    return Doubts(tuple(findings))


def doubtful_labels(dataset: Dataset, rows: np.ndarray, outputs: np.ndarray, near: Near) -> Doubts:
    """Of rows with any number of labels. Args: as `Scorer.suspects`."""
    y, names = dataset.y[rows], dataset.classes
    found = suspicious_labels(outputs, y)
    findings = []
    for i, (row, label) in enumerate(zip(found.rows, found.instead, strict=True)):
        there = y[row] > 0
        given = ", ".join(names[k] for k in np.flatnonzero(there)) or "none"
        sure = "has" if there[label] else "lacks"
        says = "not have it" if there[label] else "have it"
        reason = f"{sure} the label {names[label]!r}, and a model that had not seen it is all but sure that it should "
        there[label] = ~there[label]
        instead = ", ".join(names[k] for k in np.flatnonzero(there)) or "none"
        findings.append(_finding(dataset, rows[row], f"{reason}{says} (labels: {given})", found, i, instead))
    return Doubts(tuple(findings))


def doubtful_numbers(dataset: Dataset, rows: np.ndarray, outputs: np.ndarray, near: Near) -> Doubts:
    """Of rows with a number each. Args: as `Scorer.suspects`."""
    y = dataset.y[rows]
    found = suspicious_numbers(outputs[:, 0], y)
    findings = []
    for i, (row, predicted) in enumerate(zip(found.rows, found.instead, strict=True)):
        reason = f"its number is {y[row]:.6g}, and a model that had not seen it says {predicted:.4g}: far more off than"
        reason += " of the others"
        findings.append(_finding(dataset, rows[row], reason, found, i, f"{predicted:.4g}"))
    return Doubts(tuple(findings))


def _finding(dataset: Dataset, row: int, reason: str, found: Suspects, i: int, instead: str) -> Finding:
    """Of the i-th suspect, which is in this row."""
    score, wrong = rounded(found.scores[i]), None if found.wrong is None else bool(found.wrong[i])
    reason += ": more probably wrong than right" if wrong else ""
    return Finding(_KIND, dataset.where[row], reason, score=score, looks_like=instead, probably_wrong=wrong)
