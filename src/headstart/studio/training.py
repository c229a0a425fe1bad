"""Training: what a run of a project is, and what its process does."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import Field

from headstart.clock import seconds_of
from headstart.errors import UserError, shortened, some_of
from headstart.pretrained import catalog
from headstart.serve.refused import RefusedError
from headstart.studio.checking import FindingFacts
from headstart.studio.examples import Source, SourceFacts
from headstart.studio.facts import Facts, write_facts
from headstart.studio.plain_folders import inside
from headstart.studio.trail import Trail

MODEL, RESULT, DOUBTS = "model.headstart", "result.json", "doubts.json"
_LONGEST = 12 * 3600  # seconds of a budget
_WAYS = ("auto", "probe", "tune", "lora", "full")
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

_IN_WORDS = ("accuracy", "exact_match", "mae")


class Options(Facts):
    """What a training is asked for with."""

    budget: str
    model: str
    how: str
    source: SourceFacts
    fingerprint: str | None = None


class BaselineFacts(Facts):
    """What a score is to be held beside."""

    value: float
    label: str | None


class Headline(Facts):
    """The first figure of a score."""

    key: str
    title: str
    value: float | None
    unit: str
    better: str
    interval: list[float] | None = Field(max_length=2)
    baseline: BaselineFacts | None
    n: int


class Result(Facts):
    """What `result.json` of a training holds."""

    headline: Headline | None


class Doubts(Facts):
    """The labels that a training doubts, and the table whose rows they are of."""

    table: str | None
    findings: list[FindingFacts]


def refuse_odd(budget: str, model: str, how: str) -> None:
    """Raises RefusedError where no training is asked for so. Only models of the catalog are taken by name: a path
    would let whoever reaches the page, or sends a project, open any folder of this computer."""
    try:
        seconds = seconds_of(budget)
    except UserError as error:
        raise RefusedError(422, error.what, where="budget", fix="for example 30s, 2m or 10m") from None
    if seconds > _LONGEST:
        raise RefusedError(422, f"{shortened(budget, 20)} is more than 12 hours", where="budget", fix="take less time")
    if model != "auto" and catalog.find(model) is None:
        names = some_of([card.name for card in catalog.cards()], most=20)
        raise RefusedError(422, f"no model is called {shortened(model, 60)!r}", where="model", fix=f"one of: {names}")
    if how not in _WAYS:
        raise RefusedError(
            422, f"no way is called {shortened(how, 20)!r}", where="how", fix=f"one of: {some_of(_WAYS)}"
        )


def seconds_in(options: Mapping[str, Any]) -> float:
    """The budget."""
    return seconds_of(options["budget"])


def work(folder: Path, options: Mapping[str, Any], trail: Trail) -> None:
    """Fit, and say what came of it. Where a process before this one has saved the model, only the latter is left."""
    import headstart as hs

    refuse_odd(options["budget"], options["model"], options["how"])
    source, out = Source.of_facts(options["source"], folder), inside(folder, MODEL)
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
    """The figure of a model's score that takes the fewest words, and what it is to be held beside; None: nobody has
    measured it."""
    scores, metrics = model.scores, model.task.scorer.metrics
    metric = next((each for each in metrics if each.key in _IN_WORDS), metrics[0])
    if scores is None or metric.key not in scores.values:
        return None
    ends, details = scores.intervals.get(metric.key), scores.details
    simple = details.get("baseline")
    beside = details.get(f"majority_{metric.key}", simple.get(metric.key) if isinstance(simple, dict) else None)
    beside = beside if isinstance(beside, int | float) and isfinite(beside) else None
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
        found = as_json(doubts, checked, source.data)
    write_facts(folder / DOUBTS, {"table": source.data.name, "findings": found})
