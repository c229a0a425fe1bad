"""Sections with charts: whether confidence can be relied on, and whether more labels would help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headstart.report.charts import Axis, Line, Mark, line_chart, reliability_diagram
from headstart.report.document import Section
from headstart.report.html import breakable, percent, text
from headstart.report.sureness import lines
from headstart.report.verdict import more_labels

if TYPE_CHECKING:
    from headstart.record import Record

_RIGHT = Axis("right", share=True)


def trust(record: Record) -> Iterator[Section]:
    """How far answers can be relied on; nothing where a record was saved without the curves."""
    details, threshold = record.scores.details, record.facts.get("threshold")
    chosen = threshold if isinstance(threshold, Mapping) else None  # of two classes; of answers it is another thing
    drawn = [
        *_reliability(details.get("reliability") or ()),
        *_risk_coverage(details.get("risk_coverage") or ()),
        *_precision_recall(details.get("precision_recall") or {}, details.get("per_class") or (), chosen),
    ]
    result = lines({"confidence": record.confidence, "threshold": chosen})
    said = "".join(f"<li>{breakable(f'{word.capitalize()} {what}')}</li>" for word, what in result)
    body = f"<ul>{said}</ul>" if said else ""
    body += f'<div class="charts">{"".join(drawn)}</div>' if drawn else ""
    if body:
        yield Section("How far to trust an answer", body)


def learning(record: Record) -> Iterator[Section]:
    """What more labels would bring; nothing where nobody has looked."""
    curve = record.learning_curve
    if curve is None:
        return
    metric = next((metric for metric in record.task.scorer.metrics if metric.key == curve.metric), None)
    title, share = (curve.metric, False) if metric is None else (metric.title, metric.unit == "share")
    points = [(point.labels, point.value) for point in curve.points]
    line = Line(title, points, [(point.low, point.high) for point in curve.points])
    x, y = Axis("labels", log=True), Axis(title, share=share)
    chart = line_chart([line], x=x, y=y, title=f"{title} against the number of labels")
    whose = "" if record.method == "probe" else "Of the frozen model. "
    said = more_labels(curve, record.task.scorer.metrics, record.n_test)
    note = f"{whose}{text(said[:1].upper() + said[1:])}. The band is what draws of so few labels differ by."
    yield Section("Would more labels help?", f'<div class="charts"><div>{chart}</div></div>', note)


def _reliability(bins: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if any(each["n"] for each in bins):
        note = "Each dot is a group of answers, large where there are many. On the dashed line confidence is honest."
        yield _chart("Is its confidence honest?", note, reliability_diagram(bins, title="Accuracy by confidence"))


def _risk_coverage(points: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(points) < 2:
        return
    half = min(points, key=lambda point: abs(point["coverage"] - 0.5))
    note = f"Of the surest {percent(half['coverage'])} of the answers {percent(half['accuracy'])} are right."
    line = Line("accuracy", [(point["coverage"], point["accuracy"]) for point in points])
    x = Axis("answered, the surest first", share=True, ends=(0, 1))
    chart = line_chart([line], x=x, y=_RIGHT, title="Accuracy of the surest answers")
    yield _chart("If it answers only where it is sure", note, chart)


def _precision_recall(
    curve: Mapping[str, Any], classes: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any] | None
) -> Iterator[str]:
    points = curve.get("points") or ()
    there = next((each for each in classes if each["name"] == curve.get("positive")), None)
    if len(points) < 2 or there is None:
        return
    value = chosen["value"] if chosen and chosen["class"] == curve["positive"] else 0.5
    line = Line("precision", [(point["recall"], point["precision"]) for point in points])
    mark = Mark(there["recall"], there["precision"], f"threshold {value:.2f}")
    ends = (0.0, 1.0)
    chart = line_chart(
        [line],
        x=Axis("recall", share=True, ends=ends),
        y=Axis("precision", share=True, ends=ends),
        title="Precision and recall",
        marks=[mark],
    )
    note = (
        f"Of “{text(curve['positive'])}”. At its threshold {percent(there['recall'])} of them are found, and "
        f"{percent(there['precision'])} of what is called so is it."
    )
    yield _chart("How many are found, how many are right", note, chart)


def _chart(title: str, note: str, svg: str) -> str:
    return f'<div><h3>{title}</h3><p class="small">{note}</p>{svg}</div>'
