"""Sections with charts: whether confidence can be relied on, and whether more labels would help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headstart.report.charts import Axis, Line, Mark, line_chart, reliability_diagram
from headstart.report.document import Section
from headstart.report.html import amount, percent, text

if TYPE_CHECKING:
    from headstart.record import Record

_RIGHT = Axis("right", share=True)


def trust(record: Record) -> Iterator[Section]:
    """How far answers can be relied on; nothing where a record was saved without the curves."""
    details = record.scores.details
    drawn = [
        *_reliability(details.get("reliability") or ()),
        *_risk_coverage(details.get("risk_coverage") or ()),
        *_precision_recall(details.get("precision_recall") or {}, record.facts.get("threshold")),
    ]
    if drawn:
        yield Section("How far to trust an answer", f'<div class="charts">{"".join(drawn)}</div>')


def learning(record: Record) -> Iterator[Section]:
    """What more labels would bring; nothing where nobody has looked."""
    points: Sequence[Mapping[str, Any]] = getattr(record, "learning_curve", None) or ()
    metric = next((m for m in record.task.scorer.metrics if points and m.key in points[0]), None)
    if metric is None or len(points) < 2:
        return
    line = Line(
        metric.title,
        [(point["labels"], point[metric.key]) for point in points],
        [(point["low"], point["high"]) for point in points],
    )
    y = Axis(metric.title, share=metric.unit == "share")
    chart = line_chart([line], x=Axis("labels", log=True), y=y, title=f"{metric.title} against the number of labels")
    first, last = points[0], points[-1]
    figure = percent if y.share else amount
    said = (
        f"With {first['labels']:,} labels {figure(first[metric.key])}, with all {last['labels']:,} "
        f"{figure(last[metric.key])}; the band is what smaller samples differ by."
    )
    body = f'<div class="charts"><div>{chart}</div></div>'
    yield Section("Would more labels help?", body, f"{_rising(points, metric.key, figure)} {said}")


def _rising(points: Sequence[Mapping[str, Any]], key: str, figure: Any) -> str:
    """What the last step of the curve brought, in words."""
    gain, more = points[-1][key] - points[-2][key], points[-1]["labels"] / max(1, points[-2]["labels"])
    spread = (points[-2]["high"] - points[-2]["low"]) / 2
    if gain > spread:
        return f"It was still rising: the last {more:.2g} times as many labels brought {figure(gain)}."
    return f"It has levelled off: the last {more:.2g} times as many labels brought no more than chance does."


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


def _precision_recall(curve: Mapping[str, Any], chosen: Any) -> Iterator[str]:
    points = curve.get("points") or ()
    if len(points) < 2:
        return
    value = chosen["value"] if isinstance(chosen, dict) and chosen.get("class") == curve["positive"] else 0.5
    there = min(points, key=lambda point: abs(point["threshold"] - value))
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
