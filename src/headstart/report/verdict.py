"""Whether a model beats what needs none, in one plain sentence, and what its scores warn of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from headstart.errors import short_name
from headstart.evaluate.learning_curve import LearningCurve
from headstart.report.html import amount
from headstart.task import Metric
from headstart.values import Caution, Interval

WORSE = "worse-than-constant"  # the kind of a caution
_LISTED = 5  # classes that are named


@dataclass(frozen=True)
class Verdict:
    """How an interval lies to what has to be beaten, and the sentence that says it (not escaped)."""

    outcome: Literal["better", "worse", "unclear", "asked"]  # asked: so that other mistakes are avoided
    text: str


def judged(
    ends: Interval, beat: float, name: str, *, better: Literal["higher", "lower"] = "higher", more: str = "examples"
) -> Verdict:
    """The verdict on a metric.

    Args:
        ends: its 95 % interval. beat: the value of what needs no model. name: of that: "always giving the mean".
        more: what would tell, where it is not clear.
    """
    low, high = (ends.low, ends.high) if better == "higher" else (-ends.high, -ends.low)
    beat = beat if better == "higher" else -beat
    if low > beat:
        return Verdict("better", f"Better than {name}, beyond chance.")
    if high < beat:
        return Verdict("worse", f"Worse than {name}: do not use this model.")
    return Verdict("unclear", f"Not clearly better than {name}: more {more} would tell.")


def cautions(verdict: Verdict, of_names: Iterable[Mapping[str, Any]] = (), named: str = "classes") -> list[Caution]:
    """What a reader of the score has to know: that it beats nothing, and which names were never given rightly.

    Args:
        of_names: name, count of the test examples and recall, a class or label. named: what these are.
    """
    kind = WORSE if verdict.outcome == "worse" else "not-better-than-constant"
    found = [] if verdict.outcome in ("better", "asked") else [Caution(kind, verdict.text)]
    never = [(each["name"], each["count"]) for each in of_names if each["count"] and not each["recall"]]
    if never:
        some = ", ".join(f"{short_name(name)} (0 of {count:,})" for name, count in never[:_LISTED])
        more = f" and {len(never) - _LISTED:,} more" if len(never) > _LISTED else ""
        found.append(Caution("never-found", f"{named} of which no test example was recognised: {some}{more}"))
    return found


def more_labels(curve: LearningCurve, metrics: Iterable[Metric], n_test: int) -> str:
    """Whether more labels would help, in one plain sentence (not escaped); metrics: of the task."""
    before, last = curve.points[-2:]
    metric = next((metric for metric in metrics if metric.key == curve.metric), None)
    name = curve.metric if metric is None else metric.in_words
    share = metric is None or metric.unit == "share"
    times = round(last.labels / before.labels, 1)
    many = "twice as many labels" if times == 2 else f"{times:g} times as many labels"
    improved = f"improved {name} by {_step(curve.gain, share)}" if curve.gain > 0 else f"did not improve {name}"
    if curve.trend == "falling":
        improved = f"made {name} worse by {_step(-curve.gain, share)}"
    values = [f"{point.value:.3f}" if share else amount(point.value) for point in (before, last)]
    found = f"{many} {improved} ({values[0]} with {before.labels:,}, {values[1]} with {last.labels:,})"
    if curve.trend == "rising":
        return f"still rising: {found}, so more would help"
    if curve.trend == "falling":
        return f"falling: {found}, which is more than chance: look at the doubtful labels"
    if curve.trend == "level":
        return f"levelled off: {found}, so more of the same kind would change little"
    return f"cannot be told yet: {found}, and on {n_test:,} test examples {_step(curve.noise, share)} may be chance"


def _step(size: float, share: bool) -> str:
    return f"{100 * size:.1f} points" if share else amount(size)
