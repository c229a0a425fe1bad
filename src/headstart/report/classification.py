"""How classification is told: sections of the page, the model card, and lines in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.report.document import Section
from headstart.report.general import others, unseen
from headstart.report.html import bar, breakable, calm, percent, table, text
from headstart.report.page import hero, mistakes, strip
from headstart.report.verdict import Verdict, cautions, judged
from headstart.task import Scores
from headstart.values import Caution

if TYPE_CHECKING:
    from headstart.record import Record

MATRIX_CLASSES = 25  # above this a confusion matrix is too wide to read
PAIRS = 25


def verdict(scores: Scores) -> Verdict:
    """Whether the model beats always giving the same answer."""
    name = f"always answering “{scores.majority_class}”"
    return judged(scores.accuracy_interval, scores.majority_accuracy, name)


def cautions_of(scores: Scores) -> list[Caution]:
    """What a reader of the scores has to know."""
    return cautions(verdict(scores), scores.per_class)


def sections(record: Record) -> Iterator[Section]:
    """The score first, then class by class, what is taken for what, and the most confident mistakes."""
    scores = record.scores
    yield _headline(record)
    most = ("Always the most common class", percent(scores.majority_accuracy), f"answering “{scores.majority_class}”")
    yield others(record, beside=["accuracy"], baseline=[most])
    yield _classes(scores)
    yield _matrix(scores) if len(scores.confusion["classes"]) <= MATRIX_CLASSES else _pairs(scores)
    yield _mistakes(scores)


def _headline(record: Record) -> Section:
    scores = record.scores
    interval = scores.accuracy_interval
    measured = (
        f"95 % interval <strong>{percent(interval.low)}</strong> to <strong>{percent(interval.high)}</strong>,\n"
        f"measured on {unseen(record)}."
    )
    against = strip(
        "accuracy", scores.accuracy, interval, than="most common class", than_share=scores.majority_accuracy
    )
    return hero([("Accuracy", scores.accuracy, measured, against)], verdict(scores).text)


def _classes(scores: Scores) -> Section:
    rows = (_class_row(c) for c in sorted(scores.per_class, key=lambda c: (c["count"] == 0, c["f1"], c["name"])))
    head = ("Class", "Test examples", "Precision", "Recall", "F1")
    return Section(
        "Class by class",
        table(head, rows, label="Scores of each class", numbers=(1,)),
        "Weakest first. Precision: of the times this class was answered, how often it was right. "
        "Recall: of the examples of this class, how many were found.",
    )


def _class_row(c: Mapping[str, Any]) -> str:
    bars = [bar(c[key]) for key in ("precision", "recall", "f1")] if c["count"] else ("–", "–", "–")
    cells = "".join(f"<td>{b}</td>" for b in bars)
    return f'<th scope="row">{breakable(c["name"])}</th><td class="n">{c["count"]:,}</td>{cells}'


def _matrix(scores: Scores) -> Section:
    classes, confusion = scores.confusion["classes"], np.array(scores.confusion["rows"])
    head = "".join(f'<th scope="col"><span>{breakable(name)}</span></th>' for name in classes)
    totals = np.maximum(confusion.sum(axis=1), 1)
    rows = []
    for i, name in enumerate(classes):
        cells = "".join(_cell(int(n), int(n) / int(totals[i]), i == j) for j, n in enumerate(confusion[i]))
        rows.append(f'<tr><th scope="row">{breakable(name)}</th>{cells}</tr>')
    table = (
        '<div class="scroll" role="region" tabindex="0" aria-label="Confusion matrix"><table class="matrix">'
        f'<thead><tr><td class="corner">true ↓ &nbsp; predicted →</td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    return Section(
        "What is taken for what",
        table,
        "Each row is a true class, each column an answer. Blue cells are right, orange ones wrong; "
        "the deeper, the larger the share of the row.",
    )


def _cell(n: int, share: float, right: bool) -> str:
    if n == 0:
        return '<td class="zero">·</td>'
    kind = "hit" if right else "miss"
    return f'<td class="{kind}" style="--s:{0.1 + 0.45 * share:.2f}" title="{percent(share)} of the row">{n:,}</td>'


def _pairs(scores: Scores) -> Section:
    classes = scores.confusion["classes"]
    counts = [each["count"] for each in scores.per_class]
    found = sorted((-n, classes[i], classes[j], counts[i]) for i, j, n in _cells(scores) if i != j)[:PAIRS]
    rows = (
        f"<td>{breakable(true)}</td><td>{breakable(other)}</td>"
        f'<td class="n">{-n:,} of {total:,}</td><td>{bar(-n / max(1, total))}</td>'
        for n, true, other, total in found
    )
    head = ("True class", "Taken for", "Examples", "Share of the true class")
    body = table(head, rows, label="Most confused pairs", numbers=(2,)) if found else calm("No example was mistaken.")
    note = f"The {len(found)} most frequent confusions among {len(classes)} classes." if found else ""
    return Section("What is taken for what", body, note)


def _cells(scores: Scores) -> list[tuple[int, int, int]]:
    """True class, predicted class and count, where there is one."""
    if "cells" in scores.confusion:
        return [(i, j, n) for i, j, n in scores.confusion["cells"]]
    rows = np.array(scores.confusion["rows"])
    return [(i, j, int(rows[i, j])) for i, j in np.argwhere(rows > 0).tolist()]


def _mistakes(scores: Scores) -> Section:
    total = scores.n - sum(n for i, j, n in _cells(scores) if i == j)
    wrong = "1 example was" if total == 1 else f"{total:,} examples were"
    note = f"{wrong} answered wrongly. The most confident ones are worth a look: some may carry a wrong label."
    return mistakes(scores.mistakes, _mistake_table, note=note)


def _mistake_table(some: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        f'<td class="where">{text(m["where"])}</td><td>{breakable(m["true"])}</td><td>{breakable(m["predicted"])}</td>'
        f"<td>{bar(m['probability'])}</td>"
        for m in some
    )
    return table(("Example", "Label", "Model's answer", "Its probability"), rows, label="Mistakes")
