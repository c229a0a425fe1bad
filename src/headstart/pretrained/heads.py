"""Heads that a model of transformers may have within it, whose outputs are then the features: one row a head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OwnHead:
    """A head that is part of the module."""

    name: str  # as a backbone's configuration has it; empty: there is none, and states are pooled
    finds_answers: bool = False  # features are (n, t, 2) scores of first and last tokens
    new: bool = False  # its numbers are random, and have yet to be trained
    through_pooler: bool = False  # features come through transformers' pooler


NO_HEAD = OwnHead("")
CLASSES = OwnHead("classes", through_pooler=True)
SPANS = OwnHead("spans", finds_answers=True)
NEW_SPANS = OwnHead("new spans", finds_answers=True, new=True)
HEADS = {row.name: row for row in (NO_HEAD, CLASSES, SPANS, NEW_SPANS)}


def own_head(config: Mapping[str, Any]) -> OwnHead:
    """The head that the configuration of a backbone names."""
    return HEADS[config.get("head", NO_HEAD.name)]
