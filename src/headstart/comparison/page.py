"""The page of a comparison, and its two charts: accuracy against labels, and against seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headstart.comparison.words import cell, kinds, points_of, sentence, times
from headstart.report.charts import Axis, Line, Mark, line_chart
from headstart.report.document import Section, document
from headstart.report.html import breakable, table, text

AGAINST = {"labels": "Against labels", "seconds": "Against time"}
_FINDINGS = 50  # in the table
_AXIS = {"labels": "labels", "seconds": "seconds to learn"}


def chart(result: Mapping[str, Any], against: str) -> str:
    """The metric against labels or seconds, a line a way, as SVG. Bands span the seeds.

    Args:
        result: a comparison as JSON. against: "labels" or "seconds".

    Raises:
        ValueError: there is no model to show.
    """
    named = result["metric"].replace("_", " ")
    lines = [_line(result, way, title, against) for way, title in result["ways"].items() if points_of(result, way)]
    worth, marks = result["equivalent_labels"], []
    if worth is not None and against == "labels":
        goal = next(p.mean for p in points_of(result, "probe") if p.labels == worth["probe_labels"])
        as_good = [(float(worth["probe_labels"]), goal), (float(worth["scratch_labels"]), goal)]
        lines.append(Line(f"the same {named}", as_good, supposed=True))
        marks = [Mark(*as_good[1], f"{times(worth)} times")]
    return line_chart(
        lines,
        x=Axis(_AXIS[against], log=True),
        y=Axis(named, share=result["unit"] == "share"),
        title=f"{named} against {_AXIS[against]}",
        marks=marks,
    )


def _line(result: Mapping[str, Any], way: str, title: str, against: str) -> Line:
    points = points_of(result, way)
    if against == "labels":
        return Line(title, [(p.labels, p.mean) for p in points], [(p.low, p.high) for p in points])
    points = sorted(points, key=lambda p: p.seconds)
    return Line(title, [(max(p.seconds, 1e-3), p.mean) for p in points])


def page(result: Mapping[str, Any]) -> str:
    """The page as HTML.

    Args:
        result: a comparison as JSON, with a model at least.
    """
    said = sentence(result)
    classes = f" · {result['n_classes']:,} classes" if result["n_classes"] else ""
    return document(
        title=f"What the head start is worth: {result['data']}",
        eyebrow=f"headstart compare · {result['task']}",
        subtitle=f"{result['model']} · {result['n_test']:,} test examples{classes}",
        sections=list(_sections(result, said[:1].upper() + said[1:])),
    )


def _sections(result: Mapping[str, Any], said: str) -> Iterator[Section]:
    warned = "".join(f"<li>{breakable(each['text'])}</li>" for each in result["warnings"])
    if warned:
        yield Section("What the figures are worth", f"<ul>{warned}</ul>", look="cautions")
    yield Section("The result", f'<p class="verdict">{breakable(said)}.</p>', look="hero")
    charts = "".join(f"<div><h3>{title}</h3>{chart(result, against)}</div>" for against, title in AGAINST.items())
    yield Section(
        "What is learned from how much",
        f'<div class="charts">{charts}</div>',
        note=f"All models are asked about the same test examples; {result['better']} is better. Bands span the seeds. "
        "Seconds are those from labelled examples to the model on this machine, with decoding and encoding.",
    )
    yield Section("In figures", _figures(result))
    trained = [row for row in result["rows"] if "epochs" in row]
    if trained:
        note = (
            "Training from scratch goes on at its full rate until the loss of the training examples has levelled off."
        )
        yield Section("What was trained", _trained(result, trained), note=note, folded=True)
    if result["findings"]:
        yield _found_in_data(result)
    notes = "".join(f"<li>{breakable(note)}</li>" for note in result["notes"])
    if notes:
        yield Section("Notes", f"<ul>{notes}</ul>", folded=True)


def _found_in_data(result: Mapping[str, Any]) -> Section:
    """Those of examples that were left out come first."""
    findings = sorted(result["findings"], key=lambda finding: not finding["rejected"])
    rows = [
        f'<td class="nowrap">{text(finding["kind"])}</td><td class="where">{breakable(finding["where"])}</td>'
        f'<td class="why">{breakable(finding["reason"])}</td><td>{"left out" if finding["rejected"] else "kept"}</td>'
        for finding in findings[:_FINDINGS]
    ]
    body = table(("Kind", "Where", "Why", "Example"), rows, label="Findings")
    if len(findings) > _FINDINGS:
        body += f'<p class="small">and {len(findings) - _FINDINGS:,} more in comparison.json</p>'
    left_out = f"{result['n_rejected']:,} examples were left out: {kinds(result, rejected=True)}."
    return Section("Found in the data", body, left_out if result["n_rejected"] else "", folded=True)


def _figures(result: Mapping[str, Any]) -> str:
    """A row a number of labels, a column a way."""
    points = {way: {p.labels: p for p in points_of(result, way)} for way in result["ways"]}
    ways = {way: title for way, title in result["ways"].items() if points[way]}
    rows = [
        f'<th scope="row" class="n">{labels:,}</th>'
        + "".join(f'<td class="n">{cell(points[way].get(labels))}</td>' for way in ways)
        for labels in sorted({n for some in points.values() for n in some})
    ]
    head = ("Labels", *map(text, ways.values()))
    return table(head, rows, label="the metric by labels and way", numbers=tuple(range(len(head))))


def _trained(result: Mapping[str, Any], trained: Sequence[Mapping[str, Any]]) -> str:
    head = ("Way", "Labels", "Seed", "Epochs", "Loss", "Levelled off", "Seconds")
    rows = [
        f'<th scope="row">{text(result["ways"][row["way"]])}</th><td class="n">{row["labels"]:,}</td>'
        f'<td class="n">{row["seed"]}</td><td class="n">{row["epochs"]:,.1f}</td>'
        f'<td class="n">{"–" if row["loss"] is None else format(row["loss"], ".3f")}</td>'
        f"<td>{ {True: 'yes', False: 'no', None: '–'}[row['levelled_off']] }</td>"
        f'<td class="n">{row["seconds"]:,.0f}</td>'
        for row in trained
    ]
    return table(head, rows, label="what was trained", numbers=(1, 2, 3, 4, 6))
