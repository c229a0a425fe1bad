"""Which column of a table holds the label, and which the text or the image: by name, then by content."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath

from headstart.errors import DataError
from headstart.values import Columns, Kind

LABELS = ("label", "labels", "class", "category", "target", "intent", "sentiment", "y", "tag", "topic")
TEXTS = ("text", "sentence", "question", "review", "message", "content", "query", "utterance", "comment", "x")
IMAGES = ("image", "image_path", "path", "file", "filename", "file_name", "filepath", "img", "photo")
PARTS = ("split", "part", "fold", "subset")
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".jfif", ".ppm", ".pgm", ".avif")
)


@dataclass(frozen=True)
class Found:
    """Which columns were taken, and as what."""

    kind: Kind
    value: str
    label: str | None
    part: str | None
    notes: tuple[str, ...]


def find_columns(sample: dict[str, list[str | None]], asked: Columns, *, where: str, need_label: bool = True) -> Found:
    """Pick columns from the first rows of a table, as text.

    Raises:
        DataError: a column that was asked for is not there, or none fits.
    """
    for flag, name in (("--text", asked.text), ("--image", asked.image), ("--label", asked.label)):
        if name is not None and name not in sample:
            near = difflib.get_close_matches(name, list(sample), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(f"no column {name!r}", where=f"{where}, {flag}", fix=f"{hint}columns: {listed(sample)}")
    taken = {asked.text, asked.image, asked.label}
    label = asked.label or _by_name(sample, LABELS, taken)
    image = asked.image or (None if asked.text else _image_column(sample, taken | {label}))
    text = asked.text or (None if image else _by_name(sample, TEXTS, taken | {label}))
    notes = []
    if image is None and text is None:
        text = _longest(sample, taken | {label})
        if text is not None and label is None and len(sample) == 2:
            label = next(name for name in sample if name != text)
        if text is not None and not asked.text:
            notes.append(f"{where}: column {text!r} taken as the text")
    value = image or text
    if value is None:
        raise DataError(
            f"no column of texts or image paths among: {listed(sample)}", where=where, fix="--text or --image"
        )
    if label is None:
        label = _few_values(sample, {value, *taken})
        if label is not None:
            notes.append(f"{where}: column {label!r} taken as the label")
    if label is None and need_label:
        raise DataError(f"no label column among: {listed(sample)}", where=where, fix="name it with --label COLUMN")
    part = _by_name(sample, PARTS, {value, label})
    return Found("image" if image else "text", value, label, part, tuple(notes))


def listed(names: Collection[str]) -> str:
    """The names, or as many of them as a line has room for."""
    some = ", ".join(name if name.isprintable() else repr(name) for name in islice(names, 30))
    more = f" and {len(names) - 30} more" if len(names) > 30 else ""
    return (some if len(some) <= 1000 else f"{some[:1000]}...") + more


def _by_name(sample: dict[str, list[str | None]], names: tuple[str, ...], taken: set[str | None]) -> str | None:
    lower = {name.strip().lower(): name for name in reversed(list(sample)) if name not in taken}
    return next((lower[name] for name in names if name in lower), None)


def _image_column(sample: dict[str, list[str | None]], taken: set[str | None]) -> str | None:
    def paths(name: str) -> bool:
        values = [v for v in sample[name] if v]
        return bool(values) and sum(PurePath(v).suffix.lower() in SUFFIXES for v in values) > len(values) / 2

    named = _by_name(sample, IMAGES, taken)
    if named is not None and paths(named):
        return named
    return next((name for name in sample if name not in taken and paths(name)), None)


def _longest(sample: dict[str, list[str | None]], taken: set[str | None]) -> str | None:
    mean = {
        name: sum(len(v or "") for v in values) / max(1, len(values))
        for name, values in sample.items()
        if name not in taken and not all(_number(v) for v in values if v)
    }
    return max(mean, key=lambda name: mean[name], default=None)


def _few_values(sample: dict[str, list[str | None]], taken: set[str | None]) -> str | None:
    """The column whose values repeat most; none where every value is another."""
    distinct = {
        name: len({v for v in values if v}) / max(1, sum(1 for v in values if v))
        for name, values in sample.items()
        if name not in taken and len({v for v in values if v}) >= 2
    }
    best = min(distinct, key=lambda name: distinct[name], default=None)
    return best if best is not None and distinct[best] <= 0.5 else None


def _number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
