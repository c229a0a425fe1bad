"""How sure a model can say that it is, in lines: of a fit, and of one prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from headstart.errors import short_name


def lines(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A word and what it says, of a fit's JSON."""
    sure = result.get("confidence") or {}
    parts = [(asked, share) for asked, share in sure.get("answered", {}).items() if share is not None]
    if result.get("threshold"):
        yield "threshold", threshold(result["threshold"])
    if sure.get("answered") and not parts:
        few = f"{sure['held_out']:,} held-out examples are too few, or too often wrong"
        yield "answers", f"all, none of which is promised to be right: {few}"
    if parts:
        said = ", ".join(f"{share:.0%} if {100 * float(asked):g} % are to be right" for asked, share in parts)
        yield "answers", f"{said} (predict --abstain {parts[0][0]})"
    scope = sure.get("out_of_scope")
    if scope is not None:
        from headstart.evaluate.out_of_scope import WAYS  # loads numpy, which `headstart --help` does without

        yield "strangers", f"are told by {WAYS[scope['method']].words}{_near(scope)}"


def _near(scope: Mapping[str, Any]) -> str:
    """How well classes are told that it never saw, in words for an AUROC."""
    if scope.get("unmeasured"):
        return f"; how well a class that it never saw is, was not measured: {scope['unmeasured']}"
    near = scope["near_auroc"]
    if near is None:
        return ""
    beside = f"looks stranger than a known one {100 * near:.0f} times in 100 (chance: 50)"
    return f"; an example of a class that it never saw {beside}"


def threshold(fact: Mapping[str, Any]) -> str:
    """The threshold of two classes, and what it came to on examples that were held out."""
    said = f"{short_name(fact['class'])!r} from a probability of {fact['value']:.3f} on"
    if fact.get("recall_held_out") is not None:
        said += f": finds {100 * fact['recall_held_out']:.1f} % of them held out"
    ends = fact.get("recall_interval") or [None]
    if None not in ends:
        said += f" (95 % interval {100 * ends[0]:.1f} to {100 * ends[1]:.1f} %)"
    if fact.get("precision_held_out") is not None:
        said += f"; {100 * fact['precision_held_out']:.1f} % of what is called so is so"
    return said


def assured(row: Mapping[str, Any], said: str) -> str:
    """A prediction with how sure it is, where there is anything to say of that."""
    if row.get("unsure"):
        said = f"unsure ({said})"
    return f"not like anything it learned from: {said}" if row.get("out_of_scope") else said
