"""A look at the examples before anything is learned: what is odd about them, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.studio.examples import Source
from headstart.studio.facts import write_facts
from headstart.studio.findings import as_json
from headstart.studio.plain_words import plain_words
from headstart.studio.trail import Trail

RESULT = "result.json"
STAGES = {"read": (0.0, 0.1), "check": (0.1, 0.4), "encode": (0.4, 0.95), "findings": (0.95, 1.0)}
_MOST = 2000  # findings


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
            "findings": as_json(findings[:_MOST], checked),
            "n_findings": len(findings),
            "notes": [said for note in facts["notes"] if (said := plain_words(note))],
            "warnings": [each for each in (*shortcuts, *warnings) if each["text"]],
        }
        write_facts(folder / RESULT, result)
