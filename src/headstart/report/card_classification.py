"""The model card of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headstart.backbone import Backbone, Head
from headstart.pretrained.plain_code import CLASSES, DECIDED
from headstart.report.card import CardWords, card, loading, pipeline_of, table_of_metrics, table_of_names
from headstart.report.classification import verdict
from headstart.report.html import percent
from headstart.report.markdown import plain
from headstart.report.sureness import threshold

if TYPE_CHECKING:
    from headstart.record import Record

_DECIDED = (
    "One class is answered from a threshold on, and not where it is the likelier one. The figures above are of that. "
    "Whoever loads the model without headstart has to apply the threshold, as the code below does."
)


def classification_card(record: Record, backbone: Backbone, head: Head, folder: str) -> str:
    """The card as text; folder: the name of the saved folder, for the snippets."""
    kind, n = backbone.kind, len(head.classes)
    more = [f"temperature {head.temperature:.3f}, folded into the last layer"]
    if head.class_weights:
        more.append("rare classes were given more weight in training")
    decided, limits = record.facts.get("threshold"), []
    if decided:
        more.append(f"threshold: {plain(threshold(decided))}")
        limits.append(_DECIDED)
    words = CardWords(
        about=f"{kind.capitalize()} classification into {n} classes",
        use=f"Sorting {kind}s of the kind it was trained on into the {n} classes above.",
        limits=[f"It always answers with one of the {n} classes, also for {kind}s that belong to none.", *limits],
        results=_results(record),
        more=more,
        pipeline=pipeline_of(backbone),
        loading=loading(record, backbone, folder, DECIDED if decided else CLASSES),
    )
    return card(record, backbone, folder, words)


def _results(record: Record) -> list[str]:
    scores = record.scores
    if not record.n_test:
        return ["No figure can be given: no example had a label. Measure it on labelled examples of your own."]
    majority = f"| always answering {plain(scores.majority_class)} | {percent(scores.majority_accuracy)} |"
    classes = table_of_names(record, scores.per_class, "class")
    return [plain(verdict(scores).text), "", *table_of_metrics(record, [majority]), "", *classes]
