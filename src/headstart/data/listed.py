"""How many findings a record lists, where there are very many of a kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from headstart.values import Finding

MOST = 100_000  # of a kind: about 20 MB of JSON


def listed(findings: Iterable[Finding], *, most: int = MOST) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The first findings of each kind, and a note on each kind that there are more of, which says where all are."""
    counts: Counter[str] = Counter()
    kept: list[Finding] = []
    left_out = set[str]()
    for finding in findings:
        counts[finding.kind] += 1
        left_out |= {finding.kind} if finding.rejected else set()
        kept += [finding] if counts[finding.kind] <= most else []
    notes = [
        f"of {n:,} findings of the kind {kind!r} the first {most:,} are listed; {_all(kind in left_out)}"
        for kind, n in counts.items()
        if n > most
    ]
    return tuple(kept), tuple(notes)


def _all(left_out: bool) -> str:
    return "all are in rejected.csv" if left_out else "headstart check lists all of them"
