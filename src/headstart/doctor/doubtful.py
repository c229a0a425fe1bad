"""Doubtful labels of a training part, from what a fit knows anyway: no model is asked again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from headstart.adapt.lesson import Adapted
from headstart.backbone import Features
from headstart.encode.encode import of_rows
from headstart.evaluate.neighbours import nearest_others
from headstart.values import Dataset

NEIGHBOURS = 10  # that vote on a label
_MOST = 10_000  # findings of a fit, a few megabytes of JSON; a note says where there are more


def doubted(dataset: Dataset, adapted: Adapted, features: Features) -> Adapted:
    """With findings on training targets that look wrong, most doubtful first, by the probes that left each one out.

    Args:
        features: that the probes learned from, of their rows at least.
    """
    probed, suspects = adapted.probed, dataset.task.scorer.suspects
    if probed is None or suspects is None:
        return adapted
    near = partial(nearest_others, of_rows(features, probed.rows).matrix, NEIGHBOURS)
    doubts = suspects(dataset, probed.rows, probed.outputs, near)
    listed, notes = doubts.findings[:_MOST], adapted.notes
    if len(listed) < len(doubts.findings):
        notes = (*notes, f"of {len(doubts.findings):,} labels that look doubtful the first {_MOST:,} are listed")
    return replace(adapted, findings=(*adapted.findings, *listed), notes=notes)
