"""Charts as SVG within a page: numbers in, text out. Each says in words what it shows, and is readable on a phone.

They are drawn 400 units wide with letters of 14, so that these are 11 pixels high where 320 pixels are left. Colours
are classes, of which style.css has a light and a dark form; lines differ by their dashes, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headstart.report.html import percent, text

WIDTH = 400
_PLOT = 240  # height
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 24, 34, 46  # around the plot: what is said of the axes
_LETTER = 7.4  # width of one, about
_ROW = 22  # height of a line of the legend
COLOURS = 6  # after which they are used again
_MOST_TICKS = 5
_MOST_DOTS = 24  # on a line; more would hide it


@dataclass(frozen=True)
class Axis:
    """What is along one side of a chart."""

    title: str
    log: bool = False
    share: bool = False  # whether numbers are shares, said in per cent
    ends: tuple[float, float] | None = None  # None: those of the numbers


@dataclass(frozen=True)
class Line:
    """Points in the order of x, joined."""

    name: str  # "": it is not in the legend
    points: Sequence[tuple[float, float]]  # x, y
    band: Sequence[tuple[float, float]] = ()  # low and high of each point; (): nothing is known of that
    supposed: bool = False  # whether it was not measured: thin, and without dots
    colour: int | None = None  # the number of the line whose colour it has; None: one of its own


@dataclass(frozen=True)
class Mark:
    """A point with a word beside it."""

    x: float
    y: float
    name: str


@dataclass(frozen=True)
class _Scale:
    """Numbers to places along one side."""

    low: float
    high: float
    log: bool
    start: float  # where the lowest number is
    end: float

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def line_chart(lines: Sequence[Line], *, x: Axis, y: Axis, title: str, marks: Sequence[Mark] = ()) -> str:
    """Lines over one axis, with their bands; points that are no numbers are left out, and of a log axis those below 0.

    Args:
        title: what it shows, in words. marks: points with words.

    Raises:
        ValueError: there is no point to draw.
    """
    lines = [_drawable(line, x, y, number) for number, line in enumerate(lines)]
    points = [point for line in lines for point in line.points] + [(mark.x, mark.y) for mark in marks]
    across = _scale(x, [point[0] for point in points], _LEFT, WIDTH - _RIGHT)
    values = [point[1] for point in points]
    values += [end for line in lines for ends in line.band for end in ends]
    up = _scale(y, values, _TOP + _PLOT, _TOP)
    drawn = [_axes(x, across, y, up)]
    drawn += [_band(line, across, up) for line in lines if line.band]
    drawn += [_line(line, across, up) for line in lines]
    drawn += [_mark(mark, across, up) for mark in marks]
    bottom = _TOP + _PLOT + _BOTTOM
    named = [line for line in lines if line.name] if len(lines) > 1 else []
    legend = "".join(_named(line, bottom + _ROW * row) for row, line in enumerate(named))
    said = " ".join(_said(line, x, y) for line in lines)
    return _svg(title, said, drawn=[*drawn, legend], height=bottom + _ROW * len(named) + 4)


def reliability_diagram(bins: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """How often answers of a confidence are right: on the diagonal where confidence is honest.

    Args:
        bins: confidence and accuracy, both as shares, and the number `n` of answers, each.

    Raises:
        ValueError: no bin has an answer.

    Source: Guo et al. 2017, On calibration of modern neural networks.
    """
    bins = [each for each in bins if each["n"]]
    if not bins:
        raise ValueError("there is no answer to draw")
    x, y = Axis("confidence", share=True, ends=(0, 1)), Axis("accuracy", share=True, ends=(0, 1))
    across, up = _Scale(0, 1, False, _LEFT, WIDTH - _RIGHT), _Scale(0, 1, False, _TOP + _PLOT, _TOP)
    most = max(each["n"] for each in bins)
    dots = [
        f'<circle class="dot c0" cx="{across(each["confidence"]):.1f}" cy="{up(each["accuracy"]):.1f}"'
        f' r="{3 + 9 * math.sqrt(each["n"] / most):.1f}"><title>{text(_of_bin(each))}</title></circle>'
        for each in bins
    ]
    gaps = [
        f'<path class="line c0 supposed" d="M{across(each["confidence"]):.1f} {up(each["accuracy"]):.1f}'
        f'V{up(each["confidence"]):.1f}"/>'
        for each in bins
    ]
    honest = f'<path class="ideal" d="M{across(0):.1f} {up(0):.1f}L{across(1):.1f} {up(1):.1f}"/>'
    drawn = [_axes(x, across, y, up), honest, *gaps, *dots]
    said = "On the dashed line confidence is honest; below it the model is too sure. "
    return _svg(title, said + " ".join(_of_bin(each) for each in bins), drawn=drawn, height=_TOP + _PLOT + _BOTTOM)


def stacked_bar(parts: Sequence[tuple[str, float]], *, title: str, figure: Callable[[float], str]) -> str:
    """One bar of parts, and beside it the name and figure of each.

    Args:
        parts: name and size, which is 0 or more. figure: a size in words: "2.5 s".

    Raises:
        ValueError: there is nothing to draw.
    """
    total = sum(size for _, size in parts)
    if not total > 0:
        raise ValueError("there is nothing to draw")
    at, drawn = 0.0, []
    for number, (name, size) in enumerate(parts):
        width = WIDTH * size / total
        what = f"{name}: {figure(size)}"
        drawn.append(
            f'<rect class="fill c{number % COLOURS}" x="{at:.2f}" width="{width:.2f}" height="26">'
            f"<title>{text(what)}</title></rect>"
        )
        at += width
    said = ", ".join(f"{name} {figure(size)}" for name, size in parts)
    rows = "".join(
        f'<li><i class="swatch c{number % COLOURS}"></i>{text(name)} <span>{text(figure(size))}</span></li>'
        for number, (name, size) in enumerate(parts)
    )
    return f'{_svg(title, said, drawn=drawn, height=26, look="chart stacked")}<ul class="legend">{rows}</ul>'


def ticks(low: float, high: float, *, log: bool = False) -> list[float]:
    """At most six round numbers from low to high: 1, 2 or 5 times a power of ten."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1, 2, 5), (1, 3), (1,)):
            found = [digit * 10.0**power for power in powers for digit in digits]
            found = [tick for tick in found if low <= tick * 1.0001 and tick <= high * 1.0001]
            if len(found) <= _MOST_TICKS:
                return found
        return found[:: math.ceil(len(found) / _MOST_TICKS)]
    step = 10.0 ** math.floor(math.log10((high - low) / _MOST_TICKS))
    step *= next(times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= _MOST_TICKS)
    first = math.ceil(low / step - 1e-9)
    return [(first + i) * step for i in range(math.floor(high / step + 1e-9) - first + 1)]


def written(value: float, *, share: bool = False) -> str:
    """A number at an axis: "20 %", "1,000", "0.5"."""
    if share:
        return f"{100 * value:.3g}\u00a0%"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def as_file(svg: str, style: str) -> str:
    """A chart as a file of its own, which opens elsewhere too: its size, colours and background are in it.

    Args:
        style: CSS of its classes, with colours.
    """
    opened = '<svg xmlns="http://www.w3.org/2000/svg" width="800"'
    return svg.replace("<svg", opened, 1).replace("<title>", f"<style>{style}</style><title>", 1)


def _drawable(line: Line, x: Axis, y: Axis, number: int) -> Line:
    """The line without points that have no place, and with its colour."""

    def has_place(point: tuple[float, float]) -> bool:
        return all(math.isfinite(v) and (v > 0 or not axis.log) for v, axis in zip(point, (x, y), strict=True))

    kept = [place for place, point in enumerate(line.points) if has_place(point)]
    points, band = [line.points[i] for i in kept], [line.band[i] for i in kept] if line.band else ()
    colour = (number if line.colour is None else line.colour) % COLOURS
    return replace(line, points=points, band=band, colour=colour)


def _scale(axis: Axis, values: Sequence[float], start: float, end: float) -> _Scale:
    """From the lowest number to the highest, with some room where the axis does not say its ends."""
    if not values:
        raise ValueError("there is no point to draw")
    low, high = axis.ends or (min(values), max(values))
    if axis.log:
        low, high = (low / 1.1, high * 1.1) if axis.ends is None else (low, high)
    elif axis.ends is None:
        room = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
        low, high = low - room, high + room
        if axis.share:
            low, high = max(low, 0.0 if min(values) >= 0 else low), min(high, 1.0 if max(values) <= 1 else high)
    if not high > low:
        high = low + (abs(low) or 1.0)
    return _Scale(low, high, axis.log, start, end)


def _axes(x: Axis, across: _Scale, y: Axis, up: _Scale) -> str:
    bottom = _TOP + _PLOT
    drawn = []
    for tick in ticks(up.low, up.high, log=y.log):
        drawn.append(f'<path class="grid" d="M{_LEFT} {up(tick):.1f}H{WIDTH - _RIGHT}"/>')
        drawn.append(f'<text class="end" x="{_LEFT - 6}" y="{up(tick) + 5:.1f}">{written(tick, share=y.share)}</text>')
    for tick in ticks(across.low, across.high, log=x.log):
        drawn.append(f'<path class="grid" d="M{across(tick):.1f} {bottom}v5"/>')
        drawn.append(
            f'<text class="middle" x="{across(tick):.1f}" y="{bottom + 20}">{written(tick, share=x.share)}</text>'
        )
    drawn.append(f'<path class="axis" d="M{_LEFT} {bottom}H{WIDTH - _RIGHT}"/>')
    drawn.append(f'<text class="title" x="2" y="14">{text(y.title)}</text>')
    drawn.append(f'<text class="title end" x="{WIDTH - _RIGHT}" y="{bottom + 40}">{text(x.title)}</text>')
    return "".join(drawn)


def _band(line: Line, across: _Scale, up: _Scale) -> str:
    xs = [across(point[0]) for point in line.points]
    lows = [f"{x:.1f},{up(low):.1f}" for x, (low, _) in zip(xs, line.band, strict=True)]
    highs = [f"{x:.1f},{up(high):.1f}" for x, (_, high) in zip(xs, line.band, strict=True)]
    return f'<polygon class="area c{line.colour}" points="{" ".join([*lows, *reversed(highs)])}"/>'


def _line(line: Line, across: _Scale, up: _Scale) -> str:
    places = [(across(x), up(y)) for x, y in line.points]
    drawn = f'<polyline class="{_look(line)}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'
    if line.supposed or len(places) > _MOST_DOTS:
        return drawn
    dots = (f'<circle class="dot c{line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places)
    return drawn + "".join(dots)


def _look(line: Line) -> str:
    return f"line c{line.colour} {'supposed' if line.supposed else f'd{line.colour}'}"


def _mark(mark: Mark, across: _Scale, up: _Scale) -> str:
    x, y = across(mark.x), up(mark.y)
    wide = _LETTER * len(mark.name)
    before = x + 10 + wide > WIDTH and x - 10 - wide > 0
    at, side = (x - 10, "end") if before else (x + 10, "start")
    below = y < _TOP + 24
    return (
        f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
        f'<text class="{side} said" x="{at:.1f}" y="{y + (20 if below else -8):.1f}">{text(mark.name)}</text>'
    )


def _named(line: Line, y: float) -> str:
    return (
        f'<path class="{_look(line)}" d="M{_LEFT} {y + 8:.0f}h28"/>'
        f'<text x="{_LEFT + 38}" y="{y + 13:.0f}">{text(line.name)}</text>'
    )


def _said(line: Line, x: Axis, y: Axis) -> str:
    if not line.points:
        return f"{line.name}: nothing was measured."
    ends = [line.points[0], line.points[-1]] if len(line.points) > 1 else [line.points[0]]
    result = (f"{_value(v, y)} at {x.title} {_value(u, x)}" for u, v in ends)
    return f"{line.name}: {', then '.join(result)}."


def _value(value: float, axis: Axis) -> str:
    return percent(value) if axis.share else written(value)


def _of_bin(each: Mapping[str, Any]) -> str:
    return f"{each['n']:,} answers at {percent(each['confidence'])}: {percent(each['accuracy'])} right."


def _svg(title: str, said: str, *, drawn: Sequence[str], height: float, look: str = "chart") -> str:
    return (
        f'<svg class="{look}" role="img" viewBox="0 0 {WIDTH} {height:.0f}"><title>{text(title)}</title>'
        f"<desc>{text(said)}</desc>{''.join(drawn)}</svg>"
    )
