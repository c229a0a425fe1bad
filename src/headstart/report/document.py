"""A page of headstart's: one file of HTML that needs no network, made of sections and of examples to look at."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from headstart.report.gallery import NO_EXAMPLES, Gallery
from headstart.report.html import text
from headstart.report.rendering import render, source

MOST_BYTES = 5_000_000  # of a page; it has to open at once on any machine


@dataclass(frozen=True)
class Section:
    """A part of a page."""

    title: str  # HTML
    body: str  # HTML
    note: str = ""  # HTML, under the title
    folded: bool = False  # whether it is closed until it is clicked
    look: str = ""  # a class of style.css; the title of a "hero" and of "tiles" is for screen readers alone

    @property
    def html(self) -> str:
        """The section as it stands in the page."""
        note = f'<p class="note">{self.note}</p>' if self.note else ""
        look = f' class="{self.look}"' if self.look else ""
        if self.look in ("hero", "tiles"):
            return f'<section{look} aria-label="{text(self.title)}">{note}{self.body}</section>'
        if self.folded:
            return (
                f'<section{look}><details class="part"><summary><h2>{self.title}</h2></summary>{note}{self.body}'
                "</details></section>"
            )
        return f"<section{look}><h2>{self.title}</h2>{note}{self.body}</section>"


def document(
    *, title: str, eyebrow: str, subtitle: str, sections: Sequence[Section], gallery: Gallery | None = None
) -> str:
    """The whole page as text, to be written as UTF-8.

    It has a policy by which a browser runs no script but the page's own and fetches nothing. It is at most 5 MB: groups
    of the gallery are left out from the last on where they do not fit, and the page says so.

    Args:
        title: what the page is about. eyebrow: what kind of page it is. subtitle: a line under the title.
        sections: from the top down.
        gallery: what `data-group` in them opens; None: they show no examples.
    """
    script = source("page.js")
    policy = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    style = source("style.css")
    taken = sum(len(section.html.encode("utf-8", "replace")) for section in sections) + len(script) + len(style)
    kept = (gallery or NO_EXAMPLES).within(MOST_BYTES - taken - 20_000)
    return render(
        "document.html",
        title=title,
        eyebrow=eyebrow,
        subtitle=subtitle,
        sections=sections,
        script=script,
        script_hash=policy,
        style=style,
        photos=kept.as_css(),
        gallery=kept.as_html() if kept.groups else "",
        dropped=kept.dropped,
    )
