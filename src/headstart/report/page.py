"""What the pages of all models share: one self-contained HTML file. No scripts, nothing fetched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from headstart.report.how_made import how_made
from headstart.report.html import breakable, calm, percent, section, table, text
from headstart.report.style import CSS
from headstart.values import Interval

if TYPE_CHECKING:
    from headstart.record import Record

MISTAKES = "Most confident mistakes"
FIRST_MISTAKES = 20
FIRST_FINDINGS = 50

Wrong = TypeVar("Wrong")


def report(record: Record) -> str:
    """The whole page as text, to be written as UTF-8: the title, the task's sections, and how it all came about."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{text(record.data)} · headstart report</title>
<style>{CSS}</style>
</head>
<body>
<main>
<header>
<p class="eyebrow">headstart report</p>
<h1>{text(record.data)}</h1>
<p class="sub">{text(record.model)} · {text(record.method)} · {text(record.date)}</p>
</header>
{_cautions(record)}{"".join(record.task.words.sections(record))}{_found(record)}{how_made(record)}
<footer>Made by headstart on {text(record.date)}. This page needs no network and sends nothing.</footer>
</main>
</body>
</html>
"""


def hero(figures: Iterable[tuple[str, float, str, str]], verdict: str) -> str:
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
    return f"""<section class="hero" aria-label="Result">
{"".join(rows)}<p class="verdict">{breakable(verdict)}</p>
</section>
"""


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


def tiles(figures: Iterable[tuple[str, str, str]]) -> str:
    """Boxes of name, figure and what it means (not escaped)."""
    boxes = (
        f'<div><p class="label">{name}</p><p class="figure">{figure}</p><p class="small">{breakable(meaning)}</p></div>'
        for name, figure, meaning in figures
    )
    return f"""<section class="tiles" aria-label="More figures">
{"".join(boxes)}
</section>
"""


def mistakes(found: Sequence[Wrong], listed: Callable[[Sequence[Wrong]], str], *, note: str) -> str:
    """The section of mistakes, most confident first; those behind the first are folded away. listed: gives HTML."""
    body = folded(found, listed, first=FIRST_MISTAKES)
    return section(MISTAKES, note, body) if found else no_mistakes()


def no_mistakes() -> str:
    return section(MISTAKES, "", calm("There are none on this test part."))


def folded(found: Sequence[Wrong], listed: Callable[[Sequence[Wrong]], str], *, first: int) -> str:
    """A list whose first ones are in sight, the others behind a line to click on."""
    rest = found[first:]
    more = f"<details><summary>Show {len(rest)} more</summary>{listed(rest)}</details>" if rest else ""
    return listed(found[:first]) + more


def _cautions(record: Record) -> str:
    """What a reader has to know before the figures; nothing where there is nothing."""
    if not record.cautions:
        return ""
    lines = "".join(f"<li>{breakable(caution.text)}</li>" for caution in record.cautions)
    return f'<section class="cautions" aria-label="Warnings"><h2>Read this first</h2><ul>{lines}</ul></section>\n'


def _found(record: Record) -> str:
    findings = record.findings
    if not findings:
        return section("Found in the data", "", calm("Nothing to report."))
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
    return section("Found in the data", left_out, body)
