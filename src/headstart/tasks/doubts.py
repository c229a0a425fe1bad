"""Doubtful targets in words, most doubtful first: what a task's `Scorer.suspects` gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headstart.evaluate.neighbours import Neighbours
from headstart.evaluate.suspects import suspicious_classes, suspicious_labels, suspicious_numbers
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
    for row, score, other, (mine, theirs) in zip(found.rows, found.scores, found.instead, both, strict=True):
        votes = int((y[like.rows[row]] == other).sum())
        reason = (
            f"labelled {names[y[row]]!r}; a model that had not seen it says {names[other]!r} ({theirs:.2f} against "
            f"{mine:.2f}), as do {votes} of the {like.k} examples most like it"
        )
        findings.append(_finding(dataset, rows[row], reason, score, names[other]))
    return Doubts(tuple(findings), found.wrong)


def doubtful_labels(dataset: Dataset, rows: np.ndarray, outputs: np.ndarray, near: Near) -> Doubts:
    """Of rows with any number of labels. Args: as `Scorer.suspects`."""
    y, names = dataset.y[rows], dataset.classes
    found = suspicious_labels(outputs, y)
    findings = []
    for row, score, label in zip(found.rows, found.scores, found.instead, strict=True):
        there = y[row] > 0
        given = ", ".join(names[k] for k in np.flatnonzero(there)) or "none"
        sure = "has" if there[label] else "lacks"
        says = "not have it" if there[label] else "have it"
        reason = f"{sure} the label {names[label]!r}, and a model that had not seen it is all but sure that it should "
        there[label] = ~there[label]
        instead = ", ".join(names[k] for k in np.flatnonzero(there)) or "none"
        findings.append(_finding(dataset, rows[row], f"{reason}{says} (labels: {given})", score, instead))
    return Doubts(tuple(findings), found.wrong)


def doubtful_numbers(dataset: Dataset, rows: np.ndarray, outputs: np.ndarray, near: Near) -> Doubts:
    """Of rows with a number each. Args: as `Scorer.suspects`."""
    y = dataset.y[rows]
    found = suspicious_numbers(outputs[:, 0], y)
    findings = []
    for row, score, predicted in zip(found.rows, found.scores, found.instead, strict=True):
        reason = f"its number is {y[row]:.6g}, and a model that had not seen it says {predicted:.4g}: far more off than"
        reason += " of the others"
        findings.append(_finding(dataset, rows[row], reason, score, f"{predicted:.4g}"))
    return Doubts(tuple(findings), found.wrong)


def _finding(dataset: Dataset, row: int, reason: str, score: float, instead: str) -> Finding:
    return Finding(_KIND, dataset.where[row], reason, score=rounded(score), looks_like=instead)
