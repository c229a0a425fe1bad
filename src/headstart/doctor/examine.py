"""What is odd about checked data, beyond what reading them says: with a model's features, and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from headstart.backbone import Backbone
from headstart.doctor.by_model import by_model
from headstart.doctor.shortcuts import Shortcut, shortcuts
from headstart.encode.encode import encode_rows
from headstart.pretrained import catalog
from headstart.session import Session
from headstart.values import Dataset, Doubts, Finding, Split

AUTO = "auto"
_SMALL = 10  # examples of a class
_BY_MODEL = "doubtful labels, outliers and confused classes are not looked for"


@dataclass(frozen=True)
class Examined:
    """What the data doctor found in checked data, and what it did not look for."""

    findings: tuple[Finding, ...] = ()  # but the doubtful labels
    doubts: Doubts = field(default_factory=Doubts)
    shortcuts: tuple[Shortcut, ...] = ()
    notes: tuple[str, ...] = ()  # what was not looked for, and why
    model: str | None = None  # whose features were used


def examine(dataset: Dataset, parts: Split, session: Session, *, model: str | None, seed: int) -> Examined:
    """Look at all checked examples, those of the test part too: nothing is learned here that is kept.

    Args:
        model: a catalog name, a hub name or a folder; "auto": the starter, if it is at hand, or the smallest model that
            is; None: none.

    Raises:
        ModelError: a model that was named cannot be used.
    """
    with session.step("examine", shown=False):
        facts = dataset.modality.facts(dataset, dataset.modality.known())
        in_classes = bool(dataset.classes) and dataset.y.ndim == 1
        ways = shortcuts(dataset, facts.columns) if in_classes else []
    found, notes = [*_small_classes(dataset), *facts.findings], list(facts.notes)
    if not in_classes:
        notes.append("shortcuts and confused classes are not looked for: examples do not have one class each")
    backbone, why = _opened(dataset, model, session)
    if backbone is None:
        unknown = Doubts(looked=False)
        return Examined(tuple(found), unknown, tuple(ways), (*notes, f"{_BY_MODEL}: {why}"))
    with session.step("encode", len(dataset)) as advance:
        features = encode_rows(dataset, np.arange(len(dataset)), backbone, advance=advance)
    with session.step("examine", shown=False):
        more, doubts, worth = by_model(dataset, parts, features, seed=seed)
    return Examined((*found, *more), doubts, tuple(ways), (*notes, *worth), backbone.name)


def _small_classes(dataset: Dataset) -> Iterator[Finding]:
    counts = dataset.counts(np.arange(len(dataset))) if dataset.classes else ()
    for name, n in zip(dataset.classes, counts, strict=True):
        if n < _SMALL:
            yield Finding("small-class", name, f"{n} examples, from which little can be learned and less be tested")


def _opened(dataset: Dataset, model: str | None, session: Session) -> tuple[Backbone | None, str]:
    """The model whose features are used; or none, and why."""
    modality, learner = dataset.modality, dataset.task.learner
    if model is None:
        return None, "they take a model, and none was wanted"
    if not learner.encodes:
        return None, f"there are no features of {modality.noun}s by themselves"
    if model == AUTO:
        there = sorted(
            catalog.choosable(modality.kind), key=lambda card: (card.name != modality.default_model, card.gmacs)
        )
        if not there:
            return None, f"no model for {modality.kind}s is at hand; headstart models lists them"
        model = there[0].name
    return learner.load(model, kind=modality.kind, progress=session.download), ""
