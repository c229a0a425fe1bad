"""The model card of a classifier: README.md of the saved folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headstart.backbone import Backbone, Head, Kind
from headstart.pretrained.plain_code import CLASSES, DECIDED
from headstart.report import general
from headstart.report.classification import verdict
from headstart.report.html import percent
from headstart.report.markdown import cautions, data, front, plain, whole
from headstart.report.sureness import threshold

if TYPE_CHECKING:
    from headstart.record import Record

_LISTED_CLASSES = 100
_DECIDED = """
One class is answered from a threshold on, and not where it is the likelier one. The figures above are of that. Whoever
loads the model without headstart has to apply the threshold, as the code below does."""


def card(record: Record, backbone: Backbone, head: Head, folder: str) -> str:
    """The card as text, to be written as UTF-8. No example and no file name of the user's is in it, only counts.

    Args:
        folder: name of the saved folder, for the snippet.
    """
    kind = backbone.kind
    about = (
        f"{kind.capitalize()} classification into {len(head.classes)} classes: {plain(record.model)}, "
        f"adapted by {plain(record.method)} with headstart on {plain(record.date)}."
    )
    more = [f"temperature {head.temperature:.3f}, folded into the last layer"]
    if head.class_weights:
        more.append("rare classes were given more weight in training")
    decided = record.facts.get("threshold")
    if decided:
        more.append(f"threshold: {plain(threshold(decided))}")
    parts = [
        front(
            record,
            task=record.title,
            metrics=("accuracy", "f1"),
            licence=backbone.licence,
            base=record.model,
            pipeline=general.pipeline(backbone),
        ),
        f"# {plain(record.data)}",
        about,
        _results(record),
        _use(len(head.classes), kind) + (_DECIDED if decided else ""),
        data(record, things=f"examples, {len(head.classes)} classes", more=more),
        general.how_to_load(record, folder),
        general.elsewhere(backbone, folder),
    ]
    return whole(parts, general.without_headstart(record, backbone, folder, DECIDED if decided else CLASSES))


def _results(record: Record) -> str:
    scores = record.scores
    low, high = percent(scores.accuracy_interval.low), percent(scores.accuracy_interval.high)
    lines = [
        "## Results",
        "",
        *cautions(record),
        f"Measured on {general.unseen(record)}. {plain(verdict(scores).text)}",
        "",
        "| measure | value |",
        "|---|---|",
        f"| accuracy | {percent(scores.accuracy)} (95 % interval {low} to {high}) |",
        f"| always answering {plain(scores.majority_class)} | {percent(scores.majority_accuracy)} |",
        f"| macro F1 | {percent(scores.macro_f1)} |",
        f"| expected calibration error | {percent(scores.ece)} |",
        f"| log loss (nats) | {scores.log_loss:.3f} |",
        *general.rows(record, beside=("accuracy", "macro_f1", "ece", "log_loss")),
        "",
        "| class | test examples | precision | recall | F1 |",
        "|---|---:|---:|---:|---:|",
    ]
    for c in scores.per_class[:_LISTED_CLASSES]:
        figures = [percent(c[key]) for key in ("precision", "recall", "f1")] if c["count"] else ("–", "–", "–")
        lines.append(f"| {plain(c['name'])} | {c['count']:,} | {' | '.join(figures)} |")
    more = len(scores.per_class) - _LISTED_CLASSES
    return "\n".join(lines) + (f"\n\nand {more:,} more classes, in `metrics.json`." if more > 0 else "")


def _use(n_classes: int, kind: Kind) -> str:
    return f"""## Intended use

Sorting {kind}s of the kind it was trained on into the {n_classes} classes above.
It always answers with one of them, also for {kind}s that belong to none. The figures hold for data like the test part;
measure again on data of your own, and do not let it decide alone where a mistake would harm someone.
What the pre-trained model learned, biases too, is still in it."""
