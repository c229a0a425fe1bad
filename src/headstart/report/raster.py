"""A chart of `charts` as PNG: its very SVG, drawn with Pillow, in the light colours of the pages."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.etree import ElementTree

from PIL import Image, ImageDraw, ImageFont

from headstart.report.rendering import source

_DRAWN_AT = 4  # times the units of the SVG; half of that is kept, so that edges are smooth
_KEPT_AT = 2
_LETTER = 14  # units, as style.css has them
_STYLE = {  # of style.css's classes: colour, width
    "grid": ("--line", 1.0),
    "axis": ("--soft", 1.0),
    "ideal": ("--soft", 1.0),
    "supposed": ("", 1.4),
}
_WIDTH = 2.2
_DASHES = {
    "d1": (7, 4),
    "d2": (2, 4),
    "d3": (9, 4, 2, 4),
    "d4": (14, 4),
    "d5": (4, 2),
    "supposed": (2, 5),
    "ideal": (4, 4),
}
_FAINT = 0.16  # of areas
_MOVES = re.compile(r"([MLHVhv])(-?[\d.]+)(?: (-?[\d.]+))?")

Point = tuple[float, float]


def style() -> str:
    """What a chart needs of the pages' CSS, to be a file of its own; light whatever the reader's screen is."""
    ours = (".chart", ".line.", ".dot.")
    rules = [rule for rule in source("style.css").splitlines() if rule.startswith(ours)]
    colours = ";".join(f"{name}:{value}" for name, value in _colours().items())
    return (
        f":root{{{colours}}}svg{{background:var(--card);font-family:system-ui,sans-serif}}{''.join(rules)}"
        ".chart{max-width:none}"
    )


def as_png(svg: str) -> bytes:
    """The chart as PNG, 800 pixels wide.

    Args:
        svg: from `charts.line_chart`.
    """
    root, colours = ElementTree.fromstring(svg), _colours()  # that we have just written
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    size = round(_DRAWN_AT * width), round(_DRAWN_AT * height)
    pen = _Pen(Image.new("RGB", size, colours["--card"]), colours)
    for element in root.iter():
        draw = {"path": pen.path, "polyline": pen.polyline, "polygon": pen.area, "circle": pen.dot, "text": pen.text}
        draw.get(element.tag, pen.nothing)(element, element.attrib.get("class", "").split())
    kept, content = pen.image.resize((size[0] // _KEPT_AT, size[1] // _KEPT_AT), Image.Resampling.BOX), io.BytesIO()
    kept.quantize(128, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return content.getvalue()


class _Pen:
    """Draws the elements that charts are made of."""

    def __init__(self, image: Image.Image, colours: dict[str, str]) -> None:
        self.image, self._colours = image, colours

    def nothing(self, element: ElementTree.Element, looks: Sequence[str]) -> None:
        """Titles and the like."""

    def path(self, element: ElementTree.Element, looks: Sequence[str]) -> None:
        for start, end in pairwise(_places(element.attrib["d"])):
            self._stroke([start, end], looks)

    def polyline(self, element: ElementTree.Element, looks: Sequence[str]) -> None:
        self._stroke(_points(element), looks)

    def area(self, element: ElementTree.Element, looks: Sequence[str]) -> None:
        mask = Image.new("L", self.image.size)
        ImageDraw.Draw(mask).polygon(_scaled(_points(element)), fill=round(255 * _FAINT))
        self.image.paste(self._colour(looks), (0, 0, *self.image.size), mask)

    def dot(self, element: ElementTree.Element, looks: Sequence[str]) -> None:
        x, y, r = (_DRAWN_AT * float(element.attrib[name]) for name in ("cx", "cy", "r"))
        ring = {"fill": self._colours["--card"], "outline": self._colours["--ink"], "width": round(2.5 * _DRAWN_AT)}
        look = ring if "mark" in looks else {"fill": self._colour(looks)}
        ImageDraw.Draw(self.image).ellipse((x - r, y - r, x + r, y + r), **look)

    def text(self, element: ElementTree.Element, looks: Sequence[str]) -> None:
        place = _DRAWN_AT * float(element.attrib["x"]), _DRAWN_AT * float(element.attrib["y"])
        anchor = "rs" if "end" in looks else "ms" if "middle" in looks else "ls"
        colour = self._colours["--ink" if "said" in looks else "--soft"]
        font = ImageFont.load_default(_DRAWN_AT * _LETTER)
        ImageDraw.Draw(self.image).text(
            place, (element.text or "").replace("\u00a0", " "), fill=colour, font=font, anchor=anchor
        )

    def _stroke(self, points: Sequence[Point], looks: Sequence[str]) -> None:
        named = next((look for look in looks if look in _STYLE), "")
        colour, width = _STYLE.get(named, ("", _WIDTH))
        dashes = next((_DASHES[look] for look in looks if look in _DASHES), ())
        fill = self._colours[colour] if colour else self._colour(looks)
        for piece in _dashed(points, dashes) if dashes else [points]:
            wide = max(1, round(_DRAWN_AT * width))
            ImageDraw.Draw(self.image).line(_scaled(piece), fill=fill, width=wide, joint="curve")

    def _colour(self, looks: Sequence[str]) -> str:
        return next(self._colours[f"--{look}"] for look in looks if re.fullmatch(r"c\d", look))


def _colours() -> dict[str, str]:
    """The light ones of the pages."""
    light = source("style.css").partition("@media")[0]
    return dict(re.findall(r"(--\w+):(#[0-9a-f]{3,6})\b", light))


def _points(element: ElementTree.Element) -> list[Point]:
    pairs = (pair.split(",") for pair in element.attrib["points"].split())
    return [(float(x), float(y)) for x, y in pairs]


def _places(moves: str) -> Iterator[Point]:
    """Where a path goes, in straight lines."""
    x = y = 0.0
    for letter, first, second in _MOVES.findall(moves):
        value = float(first)
        if letter in "ML":
            x, y = value, float(second)
        elif letter in "Hh":
            x = value if letter == "H" else x + value
        else:
            y = value if letter == "V" else y + value
        yield x, y


def _dashed(points: Sequence[Point], dashes: Sequence[float]) -> Iterator[list[Point]]:
    """The pieces of a line that are drawn; dashes: lengths that are drawn and left out by turns."""
    number, left, piece = 0, float(dashes[0]), [points[0]] if points else []
    for (x, y), (to_x, to_y) in pairwise(points):
        whole = math.dist((x, y), (to_x, to_y))
        gone = 0.0
        while whole - gone > left:
            gone += left
            here = (x + (to_x - x) * gone / whole, y + (to_y - y) * gone / whole)
            if number % 2 == 0:
                yield [*piece, here]
            piece, number = [here], number + 1
            left = float(dashes[number % len(dashes)])
        left -= whole - gone
        piece.append((to_x, to_y))
    if number % 2 == 0 and len(piece) > 1:
        yield piece


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [(_DRAWN_AT * x, _DRAWN_AT * y) for x, y in points]
