"""What is told of any task from its list of metrics: lines in the terminal, sections of the page, the model card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headstart.report.document import Section
from headstart.report.html import amount, percent
from headstart.report.page import hero, strip, tiles
from headstart.report.terminal import fitted_lines, listed_figures
from headstart.report.verdict import Verdict, judged
from headstart.task import Metric, Scores
from headstart.values import Interval

if TYPE_CHECKING:
    from headstart.inputs.modality import Modality
    from headstart.record import Record


Lines = Callable[[Mapping[str, Any]], Sequence[str]]  # of a summary in JSON


@dataclass(frozen=True)
class Baseline:
    """What a model has to beat on one of its metrics."""

    name: str  # "always giving the mean"
    short: str  # for a strip: "the mean"
    value: float


def figure(metric: Metric, value: float) -> str:
    """A value as people read it: shares in percent, all else in three digits or so."""
    if value != value:
        return "–"
    return percent(value) if metric.unit == "share" else amount(value)


def verdict(scores: Scores, metric: Metric, baseline: Baseline) -> Verdict:
    """Whether the model beats what needs none."""
    return judged(scores.intervals[metric.key], baseline.value, baseline.name, better=metric.better)


def unseen(record: Record, things: str = "examples") -> str:
    """On what a model was measured; what of that it has seen is said."""
    if not record.n_test:
        return "nothing"
    leaked = Counter(finding.kind for finding in record.findings)["leak"]
    seen = f", of which {leaked:,} are (nearly) the same as some that it learned from" if leaked else ""
    if record.out_of_fold:
        return f"all {record.n_test:,} {things}, each by a head that was made without its fold"
    then = "; it learned from them afterwards, with the settings found before (--final)" if record.final else ""
    return f"{record.n_test:,} {things}{seen or ' the model did not see'}{then}"


def headline(record: Record, metric: Metric, baseline: Baseline) -> Section:
    """The first figure of the page with its interval, beside what it has to beat; a share, or a part of one."""
    scores = record.scores
    ends, value = scores.intervals[metric.key], scores.values[metric.key]
    interval = f"95 % interval <strong>{percent(ends.low)}</strong> to <strong>{percent(ends.high)}</strong>,"
    measured = f"{interval if ends.known else 'No interval can be given;'}\nmeasured on {unseen(record)}."
    shown = Interval(_share(ends.low), _share(ends.high)) if ends.known else None
    line = strip(metric.title, _share(value), shown, than=baseline.short, than_share=_share(baseline.value))
    return hero([(metric.title, value, measured, line)], verdict(scores, metric, baseline).text)


def others(record: Record, *, beside: Sequence[str] = (), baseline: Sequence[tuple[str, str, str]] = ()) -> Section:
    """Boxes with the figures of the task, but for those that are told already.

    Args:
        beside: keys of those. baseline: boxes that come first.
    """
    scores = record.scores
    boxes = [(m.title, figure(m, scores.values[m.key]), _with_interval(scores, m)) for m in measured(record, beside)]
    return tiles([*baseline, *boxes])


def measured(record: Record, beside: Sequence[str] = ()) -> list[Metric]:
    """The task's metrics that a record has, but for these: one that was saved earlier may lack some of today's."""
    return [m for m in record.task.scorer.metrics if m.key in record.scores.values and m.key not in beside]


def rows(record: Record, beside: Sequence[str] = ()) -> list[str]:
    """Lines of a table in Markdown, one a metric."""
    scores = record.scores
    return [
        f"| {m.title} | {' '.join([figure(m, scores.values[m.key]), *_interval(scores, m)])} |"
        for m in measured(record, beside)
    ]


def modality(record: Record) -> Modality:
    names = record.task.titles
    return next(modality for name, modality in record.task.modalities.items() if names[name] == record.title)


def terminal_scores(beside: Lines) -> Callable[[dict[str, Any], Sequence[Metric]], str]:
    """What `evaluate` prints: a line a metric, and those of the task."""
    return lambda result, metrics: "\n".join([*listed_figures(result, metrics), *beside(result)])


def terminal_fit(beside: Lines) -> Callable[[dict[str, Any], Sequence[Metric]], str]:
    """What `fit` prints: how it was made, then what `evaluate` prints."""
    scores = terminal_scores(beside)
    return lambda result, metrics: fitted_lines(result, scores(result, metrics), metrics)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value)) if value == value else 0.0


def _with_interval(scores: Scores, metric: Metric) -> str:
    ends = scores.intervals.get(metric.key)
    if ends is None or not ends.known:
        return metric.meaning
    return f"{metric.meaning}; interval {figure(metric, ends.low)} to {figure(metric, ends.high)}"


def _interval(scores: Scores, metric: Metric) -> list[str]:
    ends = scores.intervals.get(metric.key)
    if ends is None or not ends.known:
        return []
    return [f"({figure(metric, ends.low)} to {figure(metric, ends.high)})"]
