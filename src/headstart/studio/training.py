"""Training: what a run of a project is, and what its process does."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from headstart.clock import seconds_of
from headstart.studio.examples import Source
from headstart.studio.facts import write_facts
from headstart.studio.trail import Trail

MODEL, RESULT, DOUBTS = "model.headstart", "result.json", "doubts.json"
STAGES = {
    "read": (0.0, 0.02),
    "check": (0.02, 0.06),
    "time": (0.06, 0.1),
    "rank": (0.06, 0.3),
    "choose": (0.06, 0.3),
    "encode": (0.3, 0.5),
    "adapt": (0.5, 0.55),
    "tune": (0.55, 0.9),
    "encode tuned": (0.9, 0.94),
    "evaluate": (0.94, 0.97),
    "save": (0.97, 0.99),
    "doubts": (0.99, 1.0),
}


def seconds_in(options: Mapping[str, Any]) -> float:
    """The budget."""
    return seconds_of(options["budget"])


def work(folder: Path, options: Mapping[str, Any], trail: Trail) -> None:
    """Fit, and say what came of it. Where a process before this one has saved the model, only the latter is left."""
    import headstart as hs

    source, out = Source.of_facts(options["source"], folder), folder / MODEL
    if out.exists():
        model = hs.load(out)
    else:
        model = hs.fit(
            source.data,
            task=source.task,
            model=options["model"],
            how=options["how"],
            budget=options["budget"],
            columns=source.columns,
            feedback=source.feedback,
            out=out,
            progress=trail,
        )
        if trail.heard:
            trail.note("it was stopped early, and keeps what it had learned until then")
    write_facts(folder / RESULT, {"headline": headline(model)})
    with trail.step("doubts"):
        _write_doubts(folder, source, model)


def headline(model: Any) -> dict[str, Any] | None:
    """The first figure of a model's score, and what it is to be held beside; None: nobody has measured it."""
    scores, metric = model.scores, model.task.scorer.metrics[0]
    if scores is None or metric.key not in scores.values:
        return None
    ends, details = scores.intervals.get(metric.key), scores.details
    simple = details.get("baseline")
    beside = details.get(f"majority_{metric.key}", simple.get(metric.key) if isinstance(simple, dict) else None)
    value = scores.values[metric.key]
    return {
        "key": metric.key,
        "title": metric.title,
        "value": value if isfinite(value) else None,
        "unit": metric.unit,
        "better": metric.better,
        "interval": [ends.low, ends.high] if ends is not None and ends.known else None,
        "baseline": None if beside is None else {"value": beside, "label": details.get("majority_class")},
        "n": scores.n,
    }


def _write_doubts(folder: Path, source: Source, model: Any) -> None:
    """The labels that the fit doubts, with the examples."""
    import headstart as hs
    from headstart.studio.findings import as_json

    doubts = [finding for finding in model.record.findings if finding.looks_like is not None]
    found: list[dict[str, Any]] = []
    if doubts:
        checked = hs.check(source.data, task=source.task, columns=source.columns, model=None)
        found = as_json(doubts, checked)
    write_facts(folder / DOUBTS, {"table": source.data.name, "findings": found})
