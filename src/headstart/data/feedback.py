"""Corrected examples, as a server collects them: they are learned from, never tested on, and right where others differ.

They were chosen since a model was wrong about them, so a score on them would say nothing of other examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from headstart.data.tables.parts import join, placed
from headstart.values import Dataset, Examples, Finding


def with_feedback(examples: Examples, corrected: Examples) -> Examples:
    """The examples, and behind them the corrected ones, in the training part where there are official parts.

    Raises:
        DataError: the ones are photos, say, and the others texts.
    """
    corrected = placed(corrected, "feedback ")
    whole = join([("train", examples), ("train", corrected)])
    said = f"{len(corrected):,} corrected examples are learned from, and not tested on"
    return replace(
        whole,
        parts=None if examples.parts is None else [*examples.parts, *["train"] * len(corrected)],
        corrected=np.arange(len(whole)) >= len(examples),
        notes=(*whole.notes, said),
    )


def superseded(dataset: Dataset, rows: Sequence[int], digests: np.ndarray) -> dict[int, Finding]:
    """Which of these rows of a dataset are, to the byte, examples that were corrected; by their place.

    Args:
        digests: (n, 32) uint8 of the rows.
    """
    if dataset.corrected is None:
        return {}
    by_digest = {d.tobytes(): row for d, row in zip(digests, rows, strict=True) if dataset.corrected[row]}
    found = {}
    for place, (digest, row) in enumerate(zip(digests, rows, strict=True)):
        right = by_digest.get(digest.tobytes())
        if right is not None and not dataset.corrected[row]:
            reason = f"corrected from {dataset.targets[row]!r} to {dataset.targets[right]!r}"
            found[place] = Finding("corrected", dataset.where[row], reason, rejected=True, other=dataset.where[right])
    return found
