"""Pieces of HTML that the report's sections are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

_LONG_WORD = 16  # characters
_LONG_TABLE = 20  # rows, beyond which one looks for those that one wants
_JOINT = re.compile(r"(?<=\w)([_/.-]|::)(?=\w)")  # in names: lost_or_stolen, birds/owl


def percent(share: float) -> str:
    """A share as "93.4 %"; less than everything never reads as 100.0 %, and what is no number as a dash."""
    if share != share:
        return "–"
    shown = round(100 * share, 1)
    return f"{min(shown, 99.9) if share < 1 else shown:.1f}\u00a0%"


def amount(value: float) -> str:
    """A figure in a unit of the user's: three digits behind the point, or four that count where those say little."""
    return f"{value:.3f}" if value == 0 or 0.001 <= abs(value) < 1e6 else f"{value:.4g}"


def text(value: str) -> str:
    # file names that are not UTF-8 reach us with lone surrogates, which no UTF-8 file can hold
    return escape(value.encode("utf-8", "replace").decode("utf-8"), quote=True)


def breakable(value: str) -> str:
    """The text, where a long word in it may break on a narrow page: behind signs, not within a name."""
    return " ".join(
        text(word) if len(word) < _LONG_WORD else _JOINT.sub("\\1<wbr>", text(word)) for word in value.split(" ")
    )


def decimals(value: float | None, spec: str) -> str:
    """A number as `spec` has it; a dash where there is none."""
    return "–" if value is None else format(value, spec)


def bar(share: float | None) -> str:
    if share is None:
        return "–"
    return (
        f'<span class="value">{percent(share)}</span>'
        f'<span class="bar" aria-hidden="true"><span style="width:{100 * share:.1f}%"></span></span>'
    )


def calm(words: str) -> str:
    return f'<p class="calm">{words}</p>'


def table(
    head: Sequence[str], rows: Iterable[str], *, label: str, numbers: tuple[int, ...] = (), find: str = ""
) -> str:
    """A table in a box of its own that scrolls; `head` and each row are HTML already.

    Args:
        numbers: columns of figures. find: what a row is, by which those of a long table are found.
    """
    top = "".join(f'<th scope="col"{" class=n" if i in numbers else ""}>{name}</th>' for i, name in enumerate(head))
    each = [f"<tr>{row}</tr>" for row in rows]
    body, field, more = "".join(each), "", ""
    if find and len(each) > _LONG_TABLE:
        field = (
            f'<label class="find" hidden>Find a {find} <input type="search" data-finds="each-{find}"> '
            '<span role="status"></span></label>'
        )
        more = f' id="each-{find}"'
    look = "scroll tall" if more else "scroll"
    return (
        f'{field}<div class="{look}"{more} role="region" tabindex="0" aria-label="{label}"><table>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
