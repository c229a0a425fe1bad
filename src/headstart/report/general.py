"""What is told of any task from its list of metrics: lines in the terminal, sections of the page, the model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headstart.report.html import percent
from headstart.report.markdown import data, front, plain, quoted, whole
from headstart.report.page import hero, strip, tiles
from headstart.report.terminal import fitted_lines, listed_figures
from headstart.task import Metric, Scores
from headstart.values import Backbone, Interval

if TYPE_CHECKING:
    from headstart.record import Record


@dataclass(frozen=True)
class Baseline:
    """What a model has to beat on one of its metrics."""

    name: str  # "always giving the mean"
    short: str  # for a strip: "the mean"
    value: float


def figure(metric: Metric, value: float) -> str:
    """A value as people read it: shares in percent, all else in three digits."""
    if value != value:
        return "–"
    return percent(value) if metric.unit == "share" else f"{value:.3f}"


def verdict(scores: Scores, metric: Metric, baseline: Baseline) -> str:
    """Whether the model beats what needs none, in one plain sentence (not escaped)."""
    ends = scores.intervals[metric.key]
    good, bad = (ends.low, ends.high) if metric.better == "higher" else (-ends.high, -ends.low)
    beat = baseline.value if metric.better == "higher" else -baseline.value
    if good > beat:
        return f"Better than {baseline.name}, beyond chance."
    if bad < beat:
        return f"Worse than {baseline.name}: do not use this model."
    return f"Not clearly better than {baseline.name}: more examples would tell."


def headline(scores: Scores, metric: Metric, baseline: Baseline, said: str) -> str:
    """The first figure of the page with its interval, beside what it has to beat; a share, or a part of one."""
    ends, value = scores.intervals[metric.key], scores.values[metric.key]
    measured = (
        f"95 % interval <strong>{percent(ends.low)}</strong> to <strong>{percent(ends.high)}</strong>,\n"
        f"measured on {scores.n:,} examples the model did not see."
    )
    shown = Interval(_share(ends.low), _share(ends.high))
    line = strip(metric.title, _share(value), shown, than=baseline.short, than_share=_share(baseline.value))
    return hero([(metric.title, value, measured, line)], said)


def others(scores: Scores, metrics: Sequence[Metric], baseline: Sequence[tuple[str, str, str]] = ()) -> str:
    """Boxes with the other figures."""
    boxes = [(m.title, figure(m, scores.values[m.key]), _with_interval(scores, m)) for m in metrics]
    return tiles([*baseline, *boxes])


def card(
    record: Record,
    backbone: Backbone,
    folder: str,
    *,
    metrics: Sequence[Metric],
    about: str,
    use: str,
    sample: str,
    more: Sequence[str] = (),
    results: Sequence[str] = (),
) -> str:
    """The model card as text, to be written as UTF-8. No example and no file name of the user's is in it, only counts.

    Args:
        folder: name of the saved folder, for the snippet.
        about: what it does, in half a sentence. use: what it is for. sample: an input, as Python has it.
        more: lines about the making. results: lines of Markdown behind the table of figures.
    """
    scores = record.scores
    made = f"{about}: {plain(record.model)}, adapted by {plain(record.method)} with headstart on {plain(record.date)}."
    rows = [
        f"| {m.title} | {figure(m, scores.values[m.key])} {_with_interval(scores, m, plain_text=True)} |"
        for m in metrics
    ]
    table = "\n".join(
        [
            "## Results",
            "",
            f"Measured on {scores.n:,} examples that took no part in training or in any choice.",
            "",
            "| measure | value (95 % interval) |",
            "|---|---|",
            *rows,
            *results,
        ]
    )
    load = f"""## How to load it

```python
import headstart as hs

model = hs.load({quoted(folder)})
print(model.predict({sample}))
```"""
    parts = [
        front(record, task=record.title, metrics=[m.key for m in metrics], licence=backbone.licence, base=record.model),
        f"# {plain(record.data)}",
        made,
        table,
        f"## Intended use\n\n{use}",
        data(record, things="examples", more=more),
        load,
    ]
    return whole(parts, None)


def terminal_scores(told: Mapping[str, Any], metrics: Sequence[Metric], lines: Sequence[str] = ()) -> str:
    """What `evaluate` prints."""
    return "\n".join([*listed_figures(told, metrics), *lines])


def terminal_fit(told: dict[str, Any], metrics: Sequence[Metric], lines: Sequence[str] = ()) -> str:
    """What `fit` prints."""
    return fitted_lines(told, terminal_scores(told, metrics, lines))


def _share(value: float) -> float:
    return min(1.0, max(0.0, value)) if value == value else 0.0


def _with_interval(scores: Scores, metric: Metric, *, plain_text: bool = False) -> str:
    ends = scores.intervals.get(metric.key)
    if ends is None:
        return "" if plain_text else metric.meaning
    shown = f"{figure(metric, ends.low)} to {figure(metric, ends.high)}"
    return f"({shown})" if plain_text else f"{metric.meaning}; interval {shown}"


def every(sections: Sequence[str]) -> Iterator[str]:
    """Those that say something."""
    return (section for section in sections if section)
