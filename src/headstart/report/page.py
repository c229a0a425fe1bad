"""The page about a fit: what the pages of all tasks share."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from headstart.report.document import Section, document
from headstart.report.examples import APART, DOUBTFUL
from headstart.report.gallery import NO_EXAMPLES, Gallery
from headstart.report.how_made import how_made
from headstart.report.html import breakable, calm, percent, table, text
from headstart.report.trust import learning, trust
from headstart.report.verdict import WORSE
from headstart.values import Interval

if TYPE_CHECKING:
    from headstart.record import Record

MISTAKES = "Most confident mistakes"
FIRST_MISTAKES = 20
SEEN_FINDINGS, FIRST_FINDINGS = 8, 50

_NOT_MEASURED = Section(
    "Result",
    "<p>Nothing was measured: no example has a label. <code>headstart evaluate MODEL FILE</code> measures it on "
    "labelled examples, and a fit of these makes a better model.</p>",
)

Wrong = TypeVar("Wrong")


def report(record: Record, gallery: Gallery | None = None) -> str:
    """The whole page as text, to be written as UTF-8: how good the model is, where it errs, and how it came about.

    Args:
        gallery: the examples that it shows; None: it shows none.
    """
    gallery = gallery or NO_EXAMPLES
    result, *others = record.task.words.sections(record, gallery) if record.n_test else [_NOT_MEASURED]
    sections = [
        *_cautions(record),
        result,
        _next_steps(record, gallery),
        *_doubtful(record, gallery),
        *others,
        *trust(record),
        *learning(record),
        _found(record, gallery),
        how_made(record),
    ]
    return document(
        title=record.data or "headstart",
        eyebrow="headstart report",
        subtitle=f"{record.title} · {record.model} · {record.method} · {record.date}",
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


def mistakes(
    gallery: Gallery, found: Sequence[Wrong], listed: Callable[[Sequence[Wrong]], str], *, title: str, note: str
) -> Section:
    """The section of mistakes, most confident first: pictures or texts of the first ones, then a list; those behind
    the first are folded away.

    Args:
        found: all that are known. listed: makes HTML of some.
    """
    if not found:
        return no_mistakes(title)
    group = gallery.group("mistakes")
    if group is None:
        return Section(title, folded(found, listed, first=FIRST_MISTAKES), note)
    places = group.examples
    seen = folded(places, gallery.figures, first=2 * gallery.a_row)
    return Section(title, f"{seen}<details><summary>As a list</summary>{listed(found)}</details>", note)


def no_mistakes(title: str = MISTAKES) -> Section:
    return Section(title, calm("There are none on this test part."))


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


def _next_steps(record: Record, gallery: Gallery) -> Section:
    """What somebody does now that the model is there."""
    doubtful = Counter(finding.kind for finding in record.findings)[DOUBTFUL]
    steps = list(record.task.words.advice(record, gallery)) if record.n_test else []
    if doubtful:
        words = f"Look at {doubtful:,} label{'s' if doubtful > 1 else ''} that may be wrong"
        steps.insert(0, gallery.opener(f"finding-{DOUBTFUL}", words))
    name = Path(record.out).name if record.out else "MODEL"  # not where it lies: folders are passed on
    command = f"headstart {record.task.words.asking.format(shlex.quote(name))}"
    ask = "Ask it"
    if WORSE in {caution.kind for caution in record.cautions}:
        steps.insert(0, "Do not use it as it is: begin with another model, or give more examples")
        ask = "See where it fails"
    steps.append(f"{ask}: <code>{breakable(command)}</code>")
    return Section("What to do next", f"<ul>{''.join(f'<li>{step}</li>' for step in steps)}</ul>", look="steps")


def _doubtful(record: Record, gallery: Gallery) -> Iterator[Section]:
    """Labels that may be wrong, each with its picture or text."""
    group = gallery.group(f"finding-{DOUBTFUL}")
    if group is not None:
        note = "Most doubtful first. Where you agree, repair the label in your data, and fit again."
        if group.of > len(group.examples):
            note += f" {len(group.examples):,} of {group.of:,} are shown; all are in metrics.json."
        body = folded(group.examples, gallery.figures, first=gallery.a_row)
        yield Section("Labels that look doubtful", body, note)


def _found(record: Record, gallery: Gallery) -> Section:
    findings = record.findings
    if not findings:
        return Section("Found in the data", calm("Nothing to report."))
    counts = Counter(f.kind for f in findings)
    chips = "".join(
        f"<li>{gallery.opener(f'finding-{kind}', f'<strong>{n:,}</strong> {text(kind)}')}</li>"
        for kind, n in sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    )
    listed = [f for f in findings if f.kind not in APART]
    rows = [
        f'<td class="nowrap">{text(f.kind)}</td><td class="where">{breakable(f.where)}</td>'
        f'<td class="why">{breakable(f.reason)}</td>'
        f"<td>{'left out' if f.rejected else 'kept'}</td>"
        for f in listed[:FIRST_FINDINGS]
    ]
    more = len(listed) - FIRST_FINDINGS
    left_out = f"{record.n_rejected:,} left out and listed in rejected.csv." if record.n_rejected else ""
    found = table(("Kind", "Where", "Why", "Example"), rows, label="Findings") if rows else ""
    if more > 0:
        found += f'<p class="small">and {more:,} more in metrics.json</p>'
    if len(rows) > SEEN_FINDINGS:
        found = f"<details><summary>One by one</summary>{found}</details>"
    return Section("Found in the data", f'<ul class="chips">{chips}</ul>{found}', left_out)
