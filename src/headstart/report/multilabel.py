"""How labels of which an example may have several are told on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headstart.evaluate.multilabel import METRICS
from headstart.report import general
from headstart.report.document import Section
from headstart.report.gallery import NO_EXAMPLES, Gallery
from headstart.report.html import bar, breakable, table, text
from headstart.report.page import mistakes
from headstart.task import Scores

if TYPE_CHECKING:
    from headstart.record import Record

MACRO = next(metric for metric in METRICS if metric.key == "macro_f1")
_MOST_ROWS = 1000  # of a table
_ENOUGH, _WEAK = 5, 0.9  # test examples of a label that is called weak, and the recall below which it is


def baseline(scores: Scores) -> general.Baseline:
    """Always giving all labels: nothing constant has a higher macro F1."""
    return general.Baseline("always giving all labels", "all labels", of_all_labels(scores.details, scores.n))


def of_all_labels(details: Mapping[str, Any], n: int) -> float:
    """Macro F1 of giving every label to each of n examples: a label that c of them have has 2 c / (n + c)."""
    counts = [each["count"] for each in details["per_label"]]
    return sum(2 * count / max(1, n + count) for count in counts) / max(1, len(counts))


def advice(record: Record, gallery: Gallery) -> Iterator[str]:
    """The label that is found least often."""
    labels = [(c["recall"], k, c) for k, c in enumerate(record.scores.details["per_label"]) if c["count"] >= _ENOUGH]
    if labels and (weakest := min(labels))[0] < _WEAK:
        recall, number, c = weakest
        found = f"{round(recall * c['count']):,} of {c['count']:,}"
        words = f"Add examples of “{breakable(c['name'])}”, which is found least often: {found} times"
        yield gallery.opener(f"missed-{number}", words)


def sections(record: Record, gallery: Gallery = NO_EXAMPLES) -> Iterator[Section]:
    """The score first, then the examples that are furthest off, and label by label."""
    scores = record.scores
    yield general.headline(record, MACRO, baseline(scores))
    note = "Worth a look: some may carry wrong labels."
    yield mistakes(gallery, scores.mistakes, _mistake_table, title="Furthest off", note=note)
    ordered = sorted(
        enumerate(scores.details["per_label"]), key=lambda item: (item[1]["count"] == 0, item[1]["f1"], item[1]["name"])
    )
    head = ("Label", "Test examples", "Not given", "Threshold", "Precision", "Recall", "F1")
    note = "Weakest first. A label is given where its probability reaches its threshold, tuned on held-out folds."
    more = len(ordered) - _MOST_ROWS
    left = f" The {more:,} best ones are in metrics.json." if more > 0 else ""
    rows = (_label_row(number, c, gallery) for number, c in ordered[:_MOST_ROWS])
    labels = table(head, rows, label="Scores of each label", numbers=(1, 2, 3), find="label")
    yield Section("Label by label", labels, note + left)
    yield general.others(record, beside=["macro_f1"])


def _label_row(number: int, c: Mapping[str, Any], gallery: Gallery) -> str:
    missed = c["count"] - round(c["recall"] * c["count"])
    shown = gallery.opener(f"missed-{number}", f"{missed:,}", of=f"{c['name']}, not given") if missed else "0"
    bars = "".join(f"<td>{bar(c[key]) if c['count'] else '–'}</td>" for key in ("precision", "recall", "f1"))
    figures = "".join(f'<td class="n">{said}</td>' for said in (f"{c['count']:,}", shown, f"{c['threshold']:.2f}"))
    return f'<th scope="row">{breakable(c["name"])}</th>{figures}{bars}'


def _mistake_table(some: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        f'<td class="where">{breakable(m["where"])}</td><td>{text(", ".join(m["true"]) or "none")}</td>'
        f"<td>{text(', '.join(m['predicted']) or 'none')}</td>"
        for m in some
    )
    return table(("Example", "Labels", "Model's answer"), rows, label="Mistakes")
