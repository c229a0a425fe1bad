"""What a score is worth, in lines beside it: what a reader has to know before believing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headstart.evaluate.learning_curve import LearningCurve
from headstart.report.verdict import more_labels
from headstart.task import Metric
from headstart.values import probably_wrong

Line = tuple[str, str]  # a word in front, and what is said
_TOO_HIGH = ("leak", "trained-on", "shared-groups", "shared-texts", "alike")
_WORDS = {  # by kind of warning; the others are of the data or the model, and said before
    **dict.fromkeys(_TOO_HIGH, "too high"),
    "one-group": "worthless",
    **dict.fromkeys(("worse-than-constant", "not-better-than-constant"), "verdict"),
    "never-found": "not found",
}
_UNBALANCED = 3.0  # times as many test examples as of the rarest class, from which accuracy hides rare ones


def beside(result: Mapping[str, Any]) -> Iterator[Line]:
    """What the JSON of `fit` or `evaluate` warns of the score itself."""
    for warning in result.get("warnings", ()):
        if warning["kind"] in _WORDS:
            yield _WORDS[warning["kind"]], warning["text"]


def too_high(kinds: Sequence[str]) -> bool:
    """Whether warnings of these kinds say that a score is too high."""
    return any(kind in _TOO_HIGH for kind in kinds)


def unbalanced(result: Mapping[str, Any]) -> bool:
    """Whether some classes have so many more test examples than others that accuracy is about these alone."""
    counts = [each["count"] for each in result["per_class"] if each["count"]]
    return bool(counts) and max(counts) > _UNBALANCED * min(counts)


def tested(result: Mapping[str, Any]) -> str:
    """On how many examples a fit was tested; it says which of these were learned from, too."""
    if result["split"] == "out-of-fold":
        return "scored out-of-fold"
    if not result["n_test"]:
        return "nothing to test on"
    leaked = sum(finding["kind"] == "leak" for finding in result["findings"])
    known = f"{result['n_test']:,} to test on, {leaked:,} of them (nearly) learned from, too"
    then = ", then learned from too" if result.get("final") else ""
    return (known if leaked else f"{result['n_test']:,} to test on") + then


def more(result: Mapping[str, Any], metrics: Sequence[Metric]) -> Iterator[Line]:
    """Whether more labels would help, where a fit has measured it; and how many labels look doubtful."""
    if result.get("learning_curve"):
        curve = LearningCurve.from_json(result["learning_curve"])
        whose = "" if result["how"] == "probe" else "of the probe: "
        yield "labels", f"{whose}{more_labels(curve, metrics, result['n_test'])}"
    doubtful = [finding for finding in result["findings"] if finding["kind"] == "doubtful-label"]
    if doubtful:
        n, wrong = len(doubtful), probably_wrong([finding.get("probably_wrong") for finding in doubtful])
        look = "1 label looks" if n == 1 else f"{n:,} labels look"
        most = (
            f", {wrong:,} of them more probably wrong than right"
            if wrong
            else f", {'which need not' if n == 1 else 'none of which has to'} be wrong"
        )
        most = "" if wrong is None else most
        yield "doubtful", f"{look} doubtful{most}: see {'report.html' if result['out'] else 'the findings'}"
