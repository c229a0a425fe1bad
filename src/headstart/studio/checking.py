"""A look at the examples before anything is learned: what is odd about them, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from headstart.studio.examples import ClassFacts, Source, SourceFacts
from headstart.studio.facts import Facts, write_facts
from headstart.studio.findings import as_json
from headstart.studio.plain_words import plain_words
from headstart.studio.trail import Trail

RESULT = "result.json"
STAGES = {"read": (0.0, 0.1), "check": (0.1, 0.4), "encode": (0.4, 0.95), "findings": (0.95, 1.0)}
_MOST = 2000  # findings


class Options(Facts):
    """What a look at the examples is asked for with."""

    source: SourceFacts
    table: str | None = None
    fingerprint: str | None = None


class ExampleFacts(Facts):
    """An example that a finding is about."""

    photo: str | None = None
    text: str | None = None
    label: Any = None


class FindingFacts(ExampleFacts):
    """Something odd."""

    kind: str
    where: str
    reason: str
    rejected: bool = False
    suggestion: Any = None
    probably_wrong: bool | None = None
    other: ExampleFacts | None = None


class WarningFacts(Facts):
    """What a score would be worth less by."""

    kind: str
    text: str


class Result(Facts):
    """What `result.json` of a look at the examples holds."""

    n: int = Field(ge=0)
    n_rejected: int = Field(ge=0)
    task: str
    table: str | None
    classes: list[ClassFacts]
    findings: list[FindingFacts]
    n_findings: int = Field(ge=0)
    notes: list[str]
    warnings: list[WarningFacts]


def work(folder: Path, options: Mapping[str, Any], trail: Trail) -> None:
    """Check the examples as they are, and write down what is odd about them."""
    import headstart as hs

    project = folder.parents[1]
    source = Source.of_facts(options["source"], project)
    checked = hs.check(source.data, task=source.task, columns=source.columns, progress=trail)
    findings = checked.findings  # which encodes all examples
    with trail.step("findings"):
        facts = checked.to_json()
        shortcuts = [{"kind": "shortcut", "text": each["reason"]} for each in facts["shortcuts"]]
        warnings = [{"kind": each["kind"], "text": plain_words(each["text"])} for each in facts["warnings"]]
        result = {
            "n": facts["n"],
            "n_rejected": facts["n_rejected"],
            "task": facts["task"],
            "table": options["table"],
            "classes": [{"name": each["name"], "n": each["count"]} for each in facts["counts"]],
            "findings": as_json(findings[:_MOST], checked, source.data),
            "n_findings": len(findings),
            "notes": [said for note in facts["notes"] if (said := plain_words(note))],
            "warnings": [each for each in (*shortcuts, *warnings) if each["text"]],
        }
        write_facts(folder / RESULT, result)
