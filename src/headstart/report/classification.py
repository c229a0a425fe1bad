"""How classification is told: sections of the page, the model card, and lines in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.report.document import Section
from headstart.report.gallery import NO_EXAMPLES, Gallery
from headstart.report.general import others, unseen
from headstart.report.html import bar, breakable, calm, percent, table
from headstart.report.page import MISTAKES, hero, mistakes, strip
from headstart.report.verdict import Verdict, cautions, judged
from headstart.task import Scores
from headstart.values import Caution

if TYPE_CHECKING:
    from headstart.record import Record

MATRIX_CLASSES = 25  # above this a confusion matrix is too wide to read
_MOST_PAIRS, _MOST_ROWS = 300, 1000  # of tables
_ENOUGH, _WEAK = 5, 0.9  # test examples of a class that is called weak, and the recall below which it is
_SHORT = 3  # letters of a name that stands upright over its column
_OFTEN = 3  # times, from which on a confusion is worth a look


def verdict(scores: Scores) -> Verdict:
    """Whether the model beats always giving the same answer, unless a threshold was asked for that costs just that."""
    name, likeliest = f"always answering “{scores.majority_class}”", scores.details.get("accuracy_of_the_likeliest")
    judgement = judged(scores.accuracy_interval, scores.majority_accuracy, name)
    if judgement.outcome == "better" or likeliest is None:
        return judgement
    what = f"The threshold decides as was asked, and is right no more often than {name}"
    return Verdict("asked", f"{what}; answering the likelier class would be right in {percent(likeliest)}.")


def cautions_of(scores: Scores) -> list[Caution]:
    """What a reader of the scores has to know."""
    if not scores.n:
        return []
    return cautions(verdict(scores), scores.per_class)


def sections(record: Record, gallery: Gallery = NO_EXAMPLES) -> Iterator[Section]:
    """The score first, then the most confident mistakes, what is taken for what, and class by class."""
    scores = record.scores
    yield _headline(record)
    most = ("Always the most common class", percent(scores.majority_accuracy), f"answering “{scores.majority_class}”")
    yield _mistakes(scores, gallery)
    few = len(scores.confusion["classes"]) <= MATRIX_CLASSES
    yield _matrix(scores, gallery) if few else _pairs(scores, gallery)
    yield _classes(scores, gallery)
    yield others(record, beside=["accuracy"], baseline=[most])


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


def advice(record: Record, gallery: Gallery) -> Iterator[str]:
    """The class that is found least often, and the two that are mixed up most."""
    scores = record.scores
    if "accuracy_of_the_likeliest" in scores.details:
        return  # what is found and taken for another is as the threshold has it
    tested = [(c["recall"], number, c) for number, c in enumerate(scores.per_class) if c["count"] >= _ENOUGH]
    if tested and (weakest := min(tested))[0] < min(_WEAK, scores.accuracy):
        recall, number, c = weakest
        found = f"{round(recall * c['count']):,} of {c['count']:,}"
        among = f"of those with {_ENOUGH} test examples or more"
        words = f"Add examples of “{breakable(c['name'])}”, found least often {among}: {found} times"
        yield gallery.opener(f"missed-{number}", words)
    confused = max(((n, i, j) for i, j, n in _cells(scores) if i != j), default=(0, 0, 0))
    if confused[0] >= _OFTEN:
        n, i, j = confused
        one, other = (breakable(scores.confusion["classes"][k]) for k in (i, j))
        words = f"Look whether labels agree: “{one}” is taken for “{other}” {n:,} times"
        yield gallery.opener(f"cell-{i}-{j}", words)


def _classes(scores: Scores, gallery: Gallery) -> Section:
    numbered = enumerate(scores.per_class)
    ordered = sorted(numbered, key=lambda item: (item[1]["count"] == 0, item[1]["f1"], item[1]["name"]))
    rows = (_class_row(number, c, gallery) for number, c in ordered[:_MOST_ROWS])
    head = ("Class", "Test examples", "Not found", "Precision", "Recall", "F1")
    more = len(ordered) - _MOST_ROWS
    left = f" The {more:,} best ones are in metrics.json." if more > 0 else ""
    return Section(
        "Class by class",
        table(head, rows, label="Scores of each class", numbers=(1, 2), find="class"),
        "Weakest first. Precision: of the times this class was answered, how often it was right. "
        f"Recall: of the examples of this class, how many were found.{left}",
        folded=len(ordered) > MATRIX_CLASSES,
    )


def _class_row(number: int, c: Mapping[str, Any], gallery: Gallery) -> str:
    bars = [bar(c[key]) for key in ("precision", "recall", "f1")] if c["count"] else ("–", "–", "–")
    cells = "".join(f"<td>{b}</td>" for b in bars)
    missed = c["count"] - round(c["recall"] * c["count"])
    shown = gallery.opener(f"missed-{number}", f"{missed:,}", of=f"{c['name']}, not found") if missed else "0"
    return (
        f'<th scope="row">{breakable(c["name"])}</th><td class="n">{c["count"]:,}</td><td class="n">{shown}</td>{cells}'
    )


def _matrix(scores: Scores, gallery: Gallery) -> Section:
    classes, confusion = scores.confusion["classes"], np.array(scores.confusion["rows"])
    head = "".join(f'<th scope="col"><span>{breakable(name)}</span></th>' for name in classes)
    totals = np.maximum(confusion.sum(axis=1), 1)
    flat = " flat" if max(map(len, classes)) <= _SHORT else ""
    rows = []
    for i, name in enumerate(classes):
        cells = []
        for j, n in enumerate(confusion[i].tolist()):
            of = f"{name}, found" if i == j else f"{name}, taken for {classes[j]}"
            cells.append(_cell(gallery.opener(f"cell-{i}-{j}", f"{n:,}", of=of), n, n / int(totals[i]), i == j))
        rows.append(f'<tr><th scope="row">{breakable(name)}</th>{"".join(cells)}</tr>')
    table = (
        f'<div class="scroll" role="region" tabindex="0" aria-label="Confusion matrix"><table class="matrix{flat}">'
        f'<thead><tr><td class="corner">true ↓ &nbsp; predicted →</td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    opens = " A click on a number shows the examples." if gallery.groups else ""
    return Section(
        "What is taken for what",
        table,
        "Each row is a true class, each column an answer. Blue cells are right, orange ones wrong; "
        f"the deeper, the larger the share of the row.{opens}",
    )


def _cell(shown: str, n: int, share: float, right: bool) -> str:
    if n == 0:
        return '<td class="zero">·</td>'
    kind = "hit" if right else "miss"
    return f'<td class="{kind}" style="--s:{0.1 + 0.45 * share:.2f}" title="{percent(share)} of the row">{shown}</td>'


def _pairs(scores: Scores, gallery: Gallery) -> Section:
    classes = scores.confusion["classes"]
    counts = [each["count"] for each in scores.per_class]
    everything = sorted((-n, i, j) for i, j, n in _cells(scores) if i != j)
    found = [(-n, i, j) for n, i, j in everything[:_MOST_PAIRS]]
    rows = (
        f"<td>{breakable(classes[i])}</td><td>{breakable(classes[j])}</td>"
        f'<td class="n">{gallery.opener(f"cell-{i}-{j}", f"{n:,}", of=f"{classes[i]}, taken for {classes[j]}")}'
        f" of {counts[i]:,}</td><td>{bar(n / max(1, counts[i]))}</td>"
        for n, i, j in found
    )
    head = ("True class", "Taken for", "Examples", "Share of the true class")
    body = calm("No example was mistaken.")
    if found:
        body = table(head, rows, label="Most confused pairs", numbers=(2,), find="pair")
    note = f"The {len(found)} most frequent confusions among {len(classes)} classes." if found else ""
    note += gallery.lacking(f"cell-{i}-{j}" for _, i, j in found)
    return Section("What is taken for what", body, note)


def _cells(scores: Scores) -> list[tuple[int, int, int]]:
    """True class, predicted class and count, where there is one."""
    if "cells" in scores.confusion:
        return [(i, j, n) for i, j, n in scores.confusion["cells"]]
    rows = np.array(scores.confusion["rows"])
    return [(i, j, int(rows[i, j])) for i, j in np.argwhere(rows > 0).tolist()]


def _mistakes(scores: Scores, gallery: Gallery) -> Section:
    total = scores.n - sum(n for i, j, n in _cells(scores) if i == j)
    wrong = "1 example was" if total == 1 else f"{total:,} examples were"
    note = f"{wrong} answered wrongly. The most confident ones are worth a look: some may carry a wrong label."
    return mistakes(gallery, scores.mistakes, _mistake_table, title=MISTAKES, note=note)


def _mistake_table(some: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        f'<td class="where">{breakable(m["where"])}</td><td>{breakable(m["true"])}</td>'
        f"<td>{breakable(m['predicted'])}</td><td>{bar(m['probability'])}</td>"
        for m in some
    )
    return table(("Example", "Label", "Model's answer", "Its probability"), rows, label="Mistakes")
