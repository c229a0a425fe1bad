"""Explanations as HTML: a page, and a piece of one for notebooks."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from headstart.explain.drawing import AGAINST, FOR, drawn
from headstart.explain.evidence import Evidence, HeatMap, Word
from headstart.explain.neighbours import Neighbour
from headstart.report.document import Section, document
from headstart.report.gallery import Example, Gallery, Group
from headstart.report.html import bar, breakable, table, text

if TYPE_CHECKING:
    from headstart.explain.explanation import Explanation

_QUALITY = 82  # of WebP
_MOST_WORDS = 12  # in the table
_KEY = "neighbours"


def page(found: Explanation) -> str:
    """The whole page as text, to be written as UTF-8."""
    what, photo = _named(found.target), found.evidence.heat is not None
    unit = "places of the photo" if photo else "words"
    note = f"Orange {unit} speak for {what}, blue ones against; the stronger the colour, the more."
    if photo:
        note += " What is dark, the model does not see."
    sections = [Section(f"What speaks for {what}", _picture(found.evidence), note), _answer(found)]
    if found.words is not None:
        sections.append(Section("Word by word", _table(found.words), "Those that weigh most.", folded=True))
    gallery = _gallery(found.neighbours)
    if found.neighbours:
        note = "Of the examples that the model learned from, those that it finds most like this one."
        sections.append(Section("It looks like these", gallery.figures(range(len(gallery.examples))), note))
    if found.notes:
        items = "".join(f"<li>{text(each)}</li>" for each in found.notes)
        sections.append(Section("Good to know", f"<ul>{items}</ul>"))
    name = str(found.row.get("input", ""))
    return document(
        title="Why this answer?" if found.target is None else f"Why “{found.target}”?",
        eyebrow="headstart explanation",
        subtitle=name if len(name) <= 200 else f"{name[:199]}…",
        sections=sections,
        gallery=gallery,
    )


def snippet(found: Explanation) -> str:
    """For notebooks, which have no style sheet of ours."""
    said = f"<p><b>{text(found.said)}</b>, and what speaks for {_named(found.target)}</p>"
    return f"<div>{said}{_picture(found.evidence)}</div>"


def _named(target: str | None) -> str:
    return "the answer" if target is None else f"“{breakable(target)}”"


def _picture(evidence: Evidence) -> str:
    if evidence.heat is not None:
        return _photo(evidence.heat)
    words = evidence.words or ()
    most = max((abs(word.weight) for word in words), default=0.0) or 1.0
    return "".join(
        f'<p dir="auto" style="line-height:1.9;overflow-wrap:anywhere">{_marked(each, _of(words, number), most)}</p>'
        for number, each in enumerate(evidence.texts, start=1)
    )


def _of(words: Iterable[Word], number: int) -> list[Word]:
    return [word for word in words if word.of in (None, number)]


def _photo(heat: HeatMap) -> str:
    written = io.BytesIO()
    drawn(heat).save(written, "WEBP", quality=_QUALITY)
    there = base64.b64encode(written.getvalue()).decode()
    said = "the photo in greys, with what speaks for the answer in orange and what speaks against it in blue"
    style = "max-width:100%;height:auto;border-radius:6px"
    return f'<img src="data:image/webp;base64,{there}" alt="{said}" style="{style}">'


def _marked(whole: str, words: Sequence[Word], most: float) -> str:
    """The text with each word on a ground of its colour; a pointer over it says its weight."""
    parts, at = [], 0
    for word in words:
        parts.append(text(whole[at : word.start]))
        red, green, blue = FOR if word.weight > 0 else AGAINST
        ground = f"background:rgb({red} {green} {blue} / {0.75 * abs(word.weight) / most:.2f})"
        shown = text(whole[word.start : word.end])
        parts.append(
            f'<span title="{word.weight:+.3f}" style="{ground};border-radius:3px;padding:1px 0">{shown}</span>'
        )
        at = word.end
    return "".join([*parts, text(whole[at:])]).replace("\n", "<br>")


def _table(words: Sequence[Word]) -> str:
    ranked = sorted(words, key=lambda word: -abs(word.weight))[:_MOST_WORDS]
    rows = (
        f'<th scope="row">{text(word.text)}</th><td class="n">{word.weight:+.3f}</td>'
        f'<td class="n">{"" if word.of is None else f"text {word.of}, "}{word.start:,} to {word.end:,}</td>'
        for word in ranked
    )
    return table(("Word", "Weight", "Characters"), rows, label="Words and their weights", numbers=(1, 2))


def _answer(found: Explanation) -> Section:
    """What the model says; of classes the most probable ones."""
    top = found.row.get("top")
    if not top:
        return Section("The answer", f"<p>{breakable(found.said)}</p>")
    rows = (f'<th scope="row">{text(each["label"])}</th><td>{bar(each["probability"])}</td>' for each in top)
    return Section("The answer", table(("Class", "Probability"), rows, label="Probabilities"))


def _gallery(neighbours: Sequence[Neighbour]) -> Gallery:
    examples = []
    for near in neighbours:
        examples.append(Example(near.where, near.shown, label=near.named, note=f"similarity {near.similarity:.2f}"))
    return Gallery(examples, [Group(_KEY, "It looks like these", tuple(range(len(examples))))] if examples else [])
