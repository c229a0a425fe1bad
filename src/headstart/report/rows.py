"""Predictions as JSON has them, from the command line and from the server alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headstart.confidence.confidence import Confidence
from headstart.task import Words

_SURE = ("unsure", "out_of_scope", "scope_score")  # of every prediction


def prediction_rows(words: Words, predictions: Sequence[Any]) -> list[dict[str, Any]]:
    """Each prediction, or its error; what is not known of how sure it is is null, whatever the task."""
    rows = [words.row(prediction) for prediction in predictions]
    return [row if "error" in row else {**row, **{key: row.get(key) for key in _SURE}} for row in rows]


def threshold_row(confidence: Confidence | None) -> dict[str, float]:
    """The score above which an input is out of scope, where that is known."""
    scope = None if confidence is None else confidence.scope
    return {} if scope is None else {"scope_threshold": round(scope.threshold, 6)}
