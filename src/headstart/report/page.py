"""The page about a fit: what the pages of all tasks share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from headstart.report.document import Section, document
from headstart.report.gallery import Gallery
from headstart.report.how_made import how_made
from headstart.report.html import breakable, calm, percent, table, text
from headstart.values import Interval

if TYPE_CHECKING:
    from headstart.record import Record

MISTAKES = "Most confident mistakes"
FIRST_MISTAKES = 20
FIRST_FINDINGS = 50

Wrong = TypeVar("Wrong")


def report(record: Record, gallery: Gallery | None = None) -> str:
    """The whole page as text, to be written as UTF-8: the task's sections, what was found, and how it all came about.

    Args:
        gallery: the examples that it shows; None: it shows none.
    """
    words = record.task.words
    sections = [*_cautions(record), *words.sections(record), _found(record), how_made(record)]
    return document(
        title=record.data,
        eyebrow="headstart report",
        subtitle=f"{record.model} · {record.method} · {record.date}",
        sections=sections,
        gallery=gallery,
    )


def hero(figures: Iterable[tuple[str, float, str, str]], verdict: str) -> Section:
    """The figures that a page begins with.

    Args:
        figures: name, share, and in HTML how it was measured and its strip.
        verdict: what they come to, in plain words (not escaped).
    """
    rows = (
        f"""<div class="score"><div><p class="label">{name}</p><p class="big">{percent(share)}</p></div>
<div class="herotext">
<p>{measured}</p>
{drawn}
</div></div>
"""
        for name, share, measured, drawn in figures
    )
    return Section("Result", f'{"".join(rows)}<p class="verdict">{breakable(verdict)}</p>', look="hero")


def strip(name: str, share: float, interval: Interval | None, *, than: str, than_share: float) -> str:
    """A share with its interval, where it has one, on a line from 0 to 100 %, and a tick for what it has to beat."""
    said, band, key = "", "", ""
    if interval is not None:
        low, high = interval.low, interval.high
        said = f", interval {percent(low)} to {percent(high)}"
        band = f'<span class="band" style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></span>'
        key = ' <i class="k-band"></i>interval'
    label = f"{name} {percent(share)}{said}, {than} {percent(than_share)}"
    return f"""<div class="strip" role="img" aria-label="{label}">{band}\
<span class="tick" style="left:{100 * than_share:.2f}%"></span>\
<span class="dot" style="left:{100 * share:.2f}%"></span></div>
<p class="scale"><span>0 %</span><span class="key"><i class="k-dot"></i>{name}{key} \
<i class="k-tick"></i>{than}</span><span>100 %</span></p>"""


def tiles(figures: Iterable[tuple[str, str, str]]) -> Section:
    """Boxes of name, figure and what it means (not escaped)."""
    boxes = (
        f'<div><p class="label">{name}</p><p class="figure">{figure}</p><p class="small">{breakable(meaning)}</p></div>'
        for name, figure, meaning in figures
    )
    return Section("More figures", "".join(boxes), look="tiles")


def mistakes(found: Sequence[Wrong], listed: Callable[[Sequence[Wrong]], str], *, note: str) -> Section:
    """The section of mistakes, most confident first; those behind the first are folded away. listed: gives HTML."""
    body = folded(found, listed, first=FIRST_MISTAKES)
    return Section(MISTAKES, body, note) if found else no_mistakes()


def no_mistakes() -> Section:
    return Section(MISTAKES, calm("There are none on this test part."))


def folded(found: Sequence[Wrong], listed: Callable[[Sequence[Wrong]], str], *, first: int) -> str:
    """A list whose first ones are in sight, the others behind a line to click on."""
    rest = found[first:]
    more = f"<details><summary>Show {len(rest)} more</summary>{listed(rest)}</details>" if rest else ""
    return listed(found[:first]) + more


def _cautions(record: Record) -> Iterator[Section]:
    """What a reader has to know before the figures; nothing where there is nothing."""
    if record.cautions:
        lines = "".join(f"<li>{breakable(caution.text)}</li>" for caution in record.cautions)
        yield Section("Read this first", f"<ul>{lines}</ul>", look="cautions")


def _found(record: Record) -> Section:
    findings = record.findings
    if not findings:
        return Section("Found in the data", calm("Nothing to report."))
    counts = Counter(f.kind for f in findings)
    chips = "".join(
        f"<li><strong>{n:,}</strong> {text(kind)}</li>"
        for kind, n in sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    )
    rows = (
        f'<td class="nowrap">{text(f.kind)}</td><td class="where">{text(f.where)}</td>'
        f'<td class="why">{text(f.reason)}</td>'
        f"<td>{'left out' if f.rejected else 'kept'}</td>"
        for f in findings[:FIRST_FINDINGS]
    )
    more = len(findings) - FIRST_FINDINGS
    left_out = f"{record.n_rejected:,} left out and listed in rejected.csv." if record.n_rejected else ""
    body = f'<ul class="chips">{chips}</ul>' + table(("Kind", "Where", "Why", "Example"), rows, label="Findings")
    if more > 0:
        body += f'<p class="small">and {more:,} more</p>'
    return Section("Found in the data", body, left_out)
