"""The page of `check`: what is odd about the data, with the photos or texts in question."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.doctor.changes import label_of
from headstart.report.document import Section, document
from headstart.report.gallery import Example, Gallery, Group
from headstart.report.html import breakable, calm, percent, table, text
from headstart.report.page import tiles
from headstart.values import Finding

if TYPE_CHECKING:
    from headstart.report.checked import Checked

_FIRST = 12  # examples of a kind in sight
_MOST = 120  # examples of a kind that a click opens
_MOST_CLASSES = 200  # of which one is shown each
_ROWS = 200  # findings in the table
_TITLES = {
    "doubtful-label": "Doubtful labels",
    "conflicting-labels": "The same, with another label",
    "outlier": "Like no other example",
    "look-alike": "Perhaps the same",
    "leak": "In both parts",
}  # of kinds that are shown first; the others go by their names


def page(checked: Checked) -> str:
    """The whole page as text, to be written as UTF-8."""
    findings = checked.findings
    gallery = _gallery(checked, findings)
    sections = [*_cautions(checked), _counts(checked), *_shortcuts(checked), *_kinds(checked, findings, gallery)]
    sections += [_classes(checked, gallery), _all(checked, findings, gallery), _notes(checked)]
    return document(
        title=checked.dataset.name,
        eyebrow="headstart check",
        subtitle=f"{checked.dataset.title} · {len(checked.dataset):,} examples",
        sections=[section for section in sections if section.body],
        gallery=gallery,
    )


def _gallery(checked: Checked, findings: Sequence[Finding]) -> Gallery:
    """The examples that findings are about, a group a kind, and one of each class."""
    dataset = checked.dataset
    places = {where: row for row, where in enumerate(dataset.where)}
    of_kind: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.where in places:
            of_kind[finding.kind].append(finding)
    kinds = sorted(of_kind, key=lambda kind: (kind not in _TITLES, [*_TITLES, kind].index(kind)))
    asked = [(finding, places[finding.where]) for kind in kinds for finding in of_kind[kind][:_MOST]]
    firsts = [places[where] for where in checked.firsts.values()][:_MOST_CLASSES]
    rows = np.array([row for _, row in asked] + firsts, dtype=np.int64)
    shown = dataset.modality.shown(dataset, rows)
    examples = [
        Example(
            where=checked.placed(finding.where),
            shown=what,
            label=label_of(dataset.targets[row]),
            answer=finding.looks_like or "",
            note=finding.reason,
        )
        for (finding, row), what in zip(asked, shown, strict=False)
    ]
    start, groups = 0, []
    for kind in kinds:
        n = min(_MOST, len(of_kind[kind]))
        groups.append(Group(kind, _TITLES.get(kind, kind), tuple(range(start, start + n)), len(of_kind[kind])))
        start += n
    for number, (name, row) in enumerate(zip(checked.firsts, firsts, strict=False)):
        where = checked.placed(dataset.where[row])
        examples.append(Example(where=where, shown=shown[start + number], label=label_of(dataset.targets[row])))
        groups.append(Group(f"class-{number}", name, (start + number,)))
    return Gallery(examples, groups)


def _cautions(checked: Checked) -> Iterator[Section]:
    lines = "".join(f"<li>{breakable(caution.text)}</li>" for caution in checked.cautions)
    if lines:
        yield Section("Read this first", f"<ul>{lines}</ul>", look="cautions")


def _counts(checked: Checked) -> Section:
    doubts, n = checked.examined.doubts, len(checked.dataset.rejected)
    wrong = f"{doubts.wrong:,} of them are more probably wrong than right" if doubts.wrong else "none has to be wrong"
    wrong = "" if doubts.wrong is None else wrong
    looked = checked.examined.model is not None
    figures = [
        ("Examples", f"{len(checked.dataset):,}", f"{n:,} more cannot be used" if n else "all can be used"),
        ("Doubtful labels", f"{len(doubts.findings):,}" if looked else "–", wrong if looked else "not looked for"),
        ("Shortcuts", f"{len(checked.shortcuts):,}", "facts beside the content that tell the class"),
    ]
    return tiles(figures)


def _shortcuts(checked: Checked) -> Iterator[Section]:
    rows = (
        f'<td class="nowrap">{text(one.kind)}</td><td class="n">{percent(one.accuracy)}</td>'
        f'<td class="n">{percent(one.majority)}</td><td class="why">{breakable(one.reason)}</td>'
        for one in checked.shortcuts
    )
    if checked.shortcuts:
        head = ("Fact", "Told by it", "Commonest class", "What it tells")
        note = "A model may learn these in place of what you mean. Its score would then not hold on other data."
        yield Section("Shortcuts", table(head, rows, label="Shortcuts", numbers=(1, 2)), note)


def _kinds(checked: Checked, findings: Sequence[Finding], gallery: Gallery) -> Iterator[Section]:
    """The examples of each kind, the first of them in sight."""
    notes = {"doubtful-label": "Most doubtful first. Each is labelled as under it; the other name is a model's answer."}
    for kind, title in _TITLES.items():
        group = gallery.group(kind)
        if group is not None:
            more = f"<p>{gallery.opener(kind, f'Show all {group.of:,}')}</p>" if group.of > _FIRST else ""
            yield Section(title, gallery.figures(group.examples[:_FIRST]) + more, notes.get(kind, ""))


def _classes(checked: Checked, gallery: Gallery) -> Section:
    """Names and counts, the most frequent first; a click shows one of a class."""
    rows = (
        f'<th scope="row">{gallery.opener(f"class-{number}", breakable(name))}</th><td class="n">{count:,}</td>'
        for number, (name, count) in enumerate(checked.counts.items())
    )
    named = checked.dataset.task.words.named
    body = table((named.capitalize(), "Examples"), rows, label=named, numbers=(1,)) if checked.counts else ""
    return Section(named.capitalize(), body)


def _all(checked: Checked, findings: Sequence[Finding], gallery: Gallery) -> Section:
    if not findings:
        return Section("Findings", calm("Nothing to report."))
    chips = "".join(
        f"<li><strong>{n:,}</strong> {gallery.opener(kind, text(kind))}</li>"
        for kind, n in Counter(f.kind for f in findings).most_common()
    )
    rows = (
        f'<td class="nowrap">{text(f.kind)}</td><td class="where">{text(checked.placed(f.where))}</td>'
        f'<td class="why">{text(f.reason)}</td><td>{"left out" if f.rejected else "kept"}</td>'
        for f in findings[:_ROWS]
    )
    body = f'<ul class="chips">{chips}</ul>' + table(("Kind", "Where", "Why", "Example"), rows, label="Findings")
    more = f'<p class="small">and {len(findings) - _ROWS:,} more</p>' if len(findings) > _ROWS else ""
    return Section("Findings", body + more, "All of them are in findings.csv, with a column to say what to do.", True)


def _notes(checked: Checked) -> Section:
    lines = "".join(f"<li>{breakable(note)}</li>" for note in (*checked.notes, *checked.examined.notes))
    return Section("What was assumed, and what was not looked for", f"<ul>{lines}</ul>" if lines else "", folded=True)
