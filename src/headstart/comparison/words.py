"""A comparison in words and lines, from its JSON: on the terminal, and at the top of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.report.terminal import filled


@dataclass(frozen=True)
class Point:
    """The models of a way from so many labels, taken together."""

    labels: int
    mean: float  # of the metric, over the seeds
    low: float
    high: float
    seconds: float  # the mean
    n: int  # models

    @staticmethod
    def of(rows: Sequence[Mapping[str, Any]], metric: str) -> Point:
        """rows: as JSON has them, of one way and number of labels."""
        values = [row[metric] for row in rows]
        seconds = sum(row["seconds"] for row in rows) / len(rows)
        return Point(rows[0]["labels"], sum(values) / len(values), min(values), max(values), seconds, len(rows))


def points_of(result: Mapping[str, Any], way: str) -> list[Point]:
    """The points of a way, few labels first."""
    rows = [row for row in result["rows"] if row["way"] == way]
    labels = sorted({row["labels"] for row in rows})
    return [Point.of([row for row in rows if row["labels"] == n], result["metric"]) for n in labels]


def sentence(result: Mapping[str, Any]) -> str:
    """What the comparison says, in one sentence."""
    worth, name = result["equivalent_labels"], result["model"]
    if worth is None:
        return _best(result)
    n, classes = worth["probe_labels"], result["n_classes"]
    each = f"{n / classes:.3g} labels a class ({n:,} in all)" if classes else f"{n:,} labels"
    level = [row["labels"] for row in result["rows"] if row["way"] == "scratch" and row["levelled_off"]]
    low = f"fewer than {min(level):,}" if worth["low"] is None else f"{worth['low']:,}"
    high = "no end to be seen" if worth["high"] is None else f"{worth['high']:,}"
    beyond = "; extrapolated, for nobody has trained with as many" if worth["extrapolated"] else ""
    beyond = beyond or ("; its end is extrapolated" if worth["high"] is None or worth["high"] > max(level) else "")
    return (
        f"with {each} the pre-trained {name} is where training from scratch needs {worth['scratch_labels']:,}: "
        f"{times(worth)} times the labels (95 % interval {low} to {high}{beyond})"
    )


def times(worth: Mapping[str, Any]) -> str:
    """How many times as many labels that is: "2.4", "48"."""
    value = worth["times"]
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _best(result: Mapping[str, Any]) -> str:
    """How far the pre-trained model gets with few labels, where nothing can be said of equivalent ones."""
    metric, ways = result["metric"].replace("_", " "), result["ways"]
    points = {way: some for way in ways if (some := points_of(result, way))}
    if not points:
        return "there was no time for any model"
    ahead = _ahead(result, points)
    if ahead is not None:
        return ahead
    said = ", ".join(f"{ways[way]} {some[-1].mean:.3f} with {some[-1].labels:,} labels" for way, some in points.items())
    return f"{metric}: {said}"


def _ahead(result: Mapping[str, Any], points: Mapping[str, Sequence[Point]]) -> str | None:
    """With how few labels the pre-trained model is as good as what was made without one from its most labels; None
    where it needs as many."""
    sign = -1 if result["better"] == "lower" else 1
    without = [(way, some[-1]) for way, some in points.items() if way not in ("probe", "tuned")]
    way, other = max(without, key=lambda each: sign * each[1].mean, default=(None, None))
    first = next((p for p in points.get("probe", ()) if other and sign * p.mean >= sign * other.mean), None)
    if other is None or first is None or first.labels >= other.labels:
        return None
    cut = way == "scratch" and not all(
        row["levelled_off"] for row in result["rows"] if (row["way"], row["labels"]) == (way, other.labels)
    )
    short = ", which the budget cut short while it was still learning" if cut else ""
    metric = result["metric"].replace("_", " ")
    return (
        f"with {first.labels:,} labels the pre-trained {result['model']} is as good ({metric} {first.mean:.3f}) as the "
        f"best that was made without it, {result['ways'][way]} with {other.labels:,} labels ({other.mean:.3f}{short})"
    )


def as_text(result: Mapping[str, Any]) -> str:
    """What `compare` prints."""
    return "\n".join(_lines(result))


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    classes = f", {result['n_classes']:,} classes" if result["n_classes"] else ""
    yield f"{result['data']}: {result['task']}{classes}, {result['model']}, {result['n_test']:,} test examples"
    if result["n_rejected"]:
        yield filled(
            f"left out   {result['n_rejected']:,} examples: {kinds(result, rejected=True)}; --json lists them", 11
        )
    if kept := kinds(result, rejected=False):
        yield filled(f"found      {kept}", 11)
    yield from table(result)
    yield filled(sentence(result))
    yield from (filled(f"note: {note}", 6) for note in result["notes"])
    yield from (filled(f"warning: {each['text']}", 9) for each in result["warnings"])
    if result["out"]:
        yield f"saved      {result['out']} (open report.html)"


def kinds(result: Mapping[str, Any], *, rejected: bool) -> str:
    """What was found of examples that were left out, or of others, by kind: "2 x blank-text, 1 x unreadable"."""
    counts = Counter(finding["kind"] for finding in result["findings"] if finding["rejected"] is rejected)
    return ", ".join(f"{n:,} x {kind}" for kind, n in sorted(counts.items()))


def table(result: Mapping[str, Any]) -> Iterator[str]:
    """A row a number of labels, a column a way: the mean over the seeds, and how far they are apart."""
    points = {way: {p.labels: p for p in points_of(result, way)} for way in result["ways"]}
    ways = {way: title for way, title in result["ways"].items() if points[way]}
    wide = {way: max(len(title), 13) for way, title in ways.items()}
    yield f"{'labels':>8}  " + "  ".join(f"{title:>{wide[way]}}" for way, title in ways.items())
    for labels in sorted({n for some in points.values() for n in some}):
        cells = (f"{cell(points[way].get(labels)):>{wide[way]}}" for way in ways)
        yield f"{labels:>8,}  " + "  ".join(cells)
    several = any(point.n > 1 for each in points.values() for point in each.values())
    spread = ": the mean over seeds, and half of how far they are apart" if several else ""
    yield f"in {result['metric'].replace('_', ' ')}{spread}"


def cell(point: Point | None) -> str:
    """A point in a table; a dash where there is none."""
    if point is None:
        return "-"
    apart = f" ±{(point.high - point.low) / 2:.3f}" if point.n > 1 else ""
    return f"{point.mean:.3f}{apart}"
