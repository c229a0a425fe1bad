"""Examples that a page shows: their photos or texts, with what is said of each, in groups that a click opens."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

from PIL import Image

from headstart.inputs.shown import LONGEST_SIDE
from headstart.report.html import text
from headstart.report.rendering import render

_MARKUP = 420  # bytes around the words of an example
_RULE = 130  # bytes around a photo
_PHOTOS_IN_A_ROW, _TEXTS_IN_A_ROW = 5, 3


@dataclass(frozen=True)
class Example:
    """One example, and what is said of it."""

    where: str  # how the user finds it
    shown: str | bytes = ""  # its text, or a small picture: JPEG, WebP or PNG
    label: str = ""  # as it was labelled
    answer: str = ""  # what a model says
    answer_is: str = "Answer"  # what that is called
    probability: float | None = None  # of that answer
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Examples that are shown together. An element of a page with `data-group` of its key opens it."""

    key: str  # "cell-3-5"
    title: str
    examples: tuple[int, ...]  # their places in the gallery
    of: int = 0  # how many there are in all; 0: all are shown


@dataclass(frozen=True)
class Gallery:
    """Everything that a page can show of examples."""

    examples: Sequence[Example] = ()
    groups: Sequence[Group] = ()  # the most important ones first
    dropped: int = 0  # groups that there was no room for

    @cached_property
    def photos(self) -> dict[bytes, int]:
        """Every photo once, with the number that it goes by on the page."""
        found: dict[bytes, int] = {}
        for example in self.examples:
            if isinstance(example.shown, bytes):
                found.setdefault(example.shown, len(found))
        return found

    @property
    def a_row(self) -> int:
        """How many examples stand side by side on a wide page."""
        return _PHOTOS_IN_A_ROW if self.photos else _TEXTS_IN_A_ROW

    def group(self, key: str) -> Group | None:
        """The group of this key, where there is one."""
        return next((group for group in self.groups if group.key == key), None)

    def figures(self, examples: Iterable[int]) -> str:
        """Some of the examples side by side, as HTML."""
        return render("figures.html", figures=[self._figure(each) for each in examples])

    def opener(self, key: str, words: str, *, of: str = "") -> str:
        """Words that open a group when they are clicked, as HTML; plain ones where there is no such group.

        Args:
            words: HTML. of: what a mere number is the number of, for who does not see the table around it.
        """
        if key not in self._keys:
            return words
        said = f' aria-label="{words}: {text(of)}"' if of else ""
        return f'<button type="button" class="opens" data-group="{text(key)}"{said}>{words}</button>'

    def lacking(self, keys: Iterable[str]) -> str:
        """A sentence for where some of these groups are not there, though others are; else nothing."""
        if not self.groups or self._keys.issuperset(keys):
            return ""
        return " Behind numbers that are not underlined are more examples than this page has room for."

    def within(self, most: int) -> Gallery:
        """The groups that fit into so many bytes of a page, from the first on; how many do not is counted.

        Examples keep their places; photos of those in no group that is left are not on the page.
        """
        seen: set[int] = set()
        photos: set[bytes] = set()
        spent = 0

        def fits(group: Group) -> bool:
            nonlocal spent
            spent += len(group.title) + 12 * len(group.examples) + 80
            for place in set(group.examples) - seen:
                seen.add(place)
                spent += self._bytes(place, photos)
            return spent <= most

        kept = tuple(takewhile(fits, self.groups))
        return replace(self, groups=kept, dropped=self.dropped + len(self.groups) - len(kept))

    def as_html(self) -> str:
        """All of it, in a template that nobody sees until a group of it is opened."""
        position = {place: number for number, place in enumerate(self._places)}
        groups = [
            {"key": g.key, "title": g.title, "places": " ".join(str(position[e]) for e in g.examples), "of": g.of}
            for g in self.groups
        ]
        return render("gallery.html", groups=groups, figures=[self._figure(place) for place in self._places])

    def as_css(self) -> str:
        """A rule a photo: what it is and how large it is shown."""
        there = {self.examples[place].shown for place in self._places}
        return "".join(_rule(number, photo) for photo, number in self.photos.items() if photo in there)

    @cached_property
    def _places(self) -> list[int]:
        """Of the examples that are in a group."""
        return sorted({place for group in self.groups for place in group.examples})

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(group.key for group in self.groups)

    def _figure(self, place: int) -> dict[str, object]:
        example = self.examples[place]
        return {
            "example": example,
            "photo": self.photos[example.shown] if isinstance(example.shown, bytes) else None,
        }

    def _bytes(self, place: int, photos: set[bytes]) -> int:
        """About what an example adds to a page."""
        example = self.examples[place]
        words = sum(len(said.encode("utf-8", "replace")) for said in (example.where, example.label, example.answer))
        words += len(example.note.encode("utf-8", "replace")) + _MARKUP
        if isinstance(example.shown, str):
            return words + len(example.shown.encode("utf-8", "replace"))
        if example.shown in photos:
            return words
        photos.add(example.shown)
        return words + _RULE + 4 * len(example.shown) // 3


NO_EXAMPLES = Gallery()


def _rule(number: int, photo: bytes) -> str:
    with Image.open(io.BytesIO(photo), formats=["JPEG", "WEBP", "PNG"]) as opened:  # ours, and not decoded
        (width, height), kind = opened.size, opened.get_format_mimetype()
    scale = LONGEST_SIDE / max(width, height)
    sharp = ";image-rendering:pixelated" if scale > 2 else ""
    there = base64.b64encode(photo).decode()
    size = f"width:{max(1, round(width * scale))}px;height:{max(1, round(height * scale))}px"
    return f".p{number}{{{size}{sharp};background-image:url(data:{kind};base64,{there})}}\n"
