"""Corrected examples, as a server collects them: they are learned from, never tested on, and right where others differ.

They were chosen since a model was wrong about them, so a score on them would say nothing of other examples.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.tables.parts import join, placed
from headstart.errors import DataError, some_of
from headstart.storage.columns import in_blocks
from headstart.values import Dataset, Examples, Finding

METADATA = "metadata.jsonl"  # beside photos that are of no one class: a server writes their labels there


def with_feedback(examples: Examples, corrected: Examples) -> Examples:
    """The examples, and behind them the corrected ones, in the training part where there are official parts.

    Raises:
        DataError: the ones are photos, say, and the others texts.
    """
    corrected = placed(corrected, "feedback ")
    whole = join([("train", examples), ("train", corrected)])
    said = [f"{len(corrected):,} corrected examples were read: they are learned from, and not tested on"]
    new = {str(cell) for cell in corrected.targets if isinstance(cell, str)} - {str(cell) for cell in examples.targets}
    if new and all(isinstance(cell, str) for cell in examples.targets):
        said.append(f"labels that only corrected examples have: {some_of(sorted(map(repr, new)))}")
    return replace(
        whole,
        parts=None if examples.parts is None else [*examples.parts, *["train"] * len(corrected)],
        corrected=np.arange(len(whole)) >= len(examples),
        notes=(*whole.notes, *said),
    )


def refuse_several(feedback: Any) -> None:
    """Raises DataError where a folder has the feedback of several models, whose names would be taken for classes."""
    if not isinstance(feedback, str | Path) or not Path(feedback).is_dir():
        return
    inside = [path for path in Path(feedback).iterdir() if not path.name.startswith(".")]
    models = sorted(path.name for path in inside if path.is_dir() and _is_of_model(path))
    if len(models) > 1:
        what = f"there is the feedback of several models: {some_of(models)}"
        raise DataError(what, where=f"--feedback {feedback}", fix=f"--feedback {Path(feedback) / models[0]}, say")


def _is_of_model(folder: Path) -> bool:
    """Whether a folder holds folders of classes alone, or photos with the table of their labels, as a server stores
    them."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return (folder / METADATA).is_file() or (bool(inside) and all(path.is_dir() for path in inside))


def superseded(dataset: Dataset, rows: np.ndarray, digests: np.ndarray) -> dict[int, Finding]:
    """Findings on those of these rows that are, to the byte, examples that were corrected, by their place in the rows;
    of corrections that contradict each other the last one counts.

    Args:
        digests: (n, 32) uint8 of the rows.
    """
    corrected, targets = dataset.corrected, dataset.targets
    if corrected is None:
        return {}
    last = {d.tobytes(): row for d, row in zip(digests, in_blocks(rows), strict=True) if corrected[row]}
    findings = {}
    for place, (digest, row) in enumerate(zip(digests, in_blocks(rows), strict=True)):
        right = last.get(digest.tobytes(), row)
        mine, other = targets[row], targets[right]
        if right == row or (corrected[row] and mine == other):  # said twice, it is a duplicate
            continue
        if corrected[row]:
            reason = f"corrected to {mine!r} here and to {other!r} further on, which counts"
        else:
            reason = "is among the corrected examples" if mine == other else f"corrected from {mine!r} to {other!r}"
        findings[place] = Finding("corrected", dataset.where[row], reason, rejected=True, other=dataset.where[right])
    return findings
