"""What is known of photos beside what they show, and what is odd about it: exposure, shape, size."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.alike.duplicates import light_of
from headstart.data.alike.known import HashTable
from headstart.data.files.accents import composed
from headstart.data.files.part_names import part_named
from headstart.inputs.modality import Fact, Facts
from headstart.inputs.photo_header import PhotoHeader, photo_header
from headstart.values import Dataset, Finding

_WORKERS = 2
_ROWS = 4096
_DARK, _BRIGHT, _UNLIKE = 20.0, 235.0, 50.0  # levels of 255; and how far from the median of all
_FLAT = 2.0  # levels of deviation
_LONG = 3.0  # times as long as wide; and twice as much so as the median of all
_SMALL, _SMALLER = 100, 4.0  # pixels of the shorter side, and times smaller than the median of all
_TINY = 8  # pixels, which the check has said


def photo_facts(dataset: Dataset, known: HashTable) -> Facts:
    """Of checked photos: files are opened as far as their headers, and light is taken from what the check has kept.

    Args:
        known: fingerprints by content.
    """
    with ThreadPoolExecutor(_WORKERS) as pool:
        headers = list(pool.map(photo_header, dataset.inputs))
    light, deviation = _light(dataset, known)
    missing = int(np.isnan(light).sum())
    notes = (f"the light of {missing:,} photos is not known, since the cache does not keep it",) if missing else ()
    return Facts(_columns(dataset, headers), tuple(_odd(dataset, headers, light, deviation)), notes)


def _columns(dataset: Dataset, headers: Sequence[PhotoHeader | None]) -> tuple[Fact, ...]:
    def numbers(*values: float | None) -> np.ndarray:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    def words(*values: str) -> np.ndarray:
        return np.array(values, dtype=object)

    sizes = [(h.width, h.height) if h else (0, 0) for h in headers]
    return (
        Fact("file-size", numbers(*(h.size if h else None for h in headers)), "{:,.0f} bytes".format),
        Fact("dimensions", words(*(f"{w} x {h}" if w else "" for w, h in sizes))),
        Fact("shape", numbers(*(w / h if h else None for w, h in sizes)), "{:.2f} times as wide as high".format),
        Fact("format", words(*(h.format if h else "" for h in headers))),
        Fact("jpeg-quality", numbers(*(h.quality if h else None for h in headers)), "JPEG quality {:.0f}".format),
        Fact("camera", words(*(h.camera if h else "" for h in headers))),
        Fact("day", words(*(h.day if h else "" for h in headers))),
        Fact("folder", words(*_folders(dataset))),
    )


def _folders(dataset: Dataset) -> list[str]:
    """Where each photo lies, without what names its class or its part: a folder of its own, of a camera or a day."""
    found = []
    for source, target in zip(dataset.inputs, dataset.targets, strict=True):
        folders = os.path.dirname(source).split(os.sep) if isinstance(source, str | Path) else []
        inner = (name for name in folders if composed(name) != target and not part_named(name))
        found.append(os.sep.join(inner))
    return found


def _light(dataset: Dataset, known: HashTable) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the mean level of each photo, and (n,) how much its cells differ; nan where it is not kept."""
    n = len(dataset)
    found = np.full((2, n), np.nan)
    handles = known.find(dataset.checked_digests)
    for start in range(0, n, _ROWS):
        here = np.arange(start, min(start + _ROWS, n))
        here = here[handles[here] >= 0]
        found[:, here] = light_of(known.rows(handles[here]))
    return found[0], found[1]


def _odd(
    dataset: Dataset, headers: Sequence[PhotoHeader | None], light: np.ndarray, deviation: np.ndarray
) -> list[Finding]:
    sides = np.array([sorted((h.width, h.height)) if h else (np.nan, np.nan) for h in headers]).reshape(-1, 2)
    longer = sides[:, 1] / np.maximum(sides[:, 0], 1)
    usual, usual_side, usual_longer = (_median(values) for values in (light, sides[:, 0], longer))
    found: list[Finding] = []

    def say(kind: str, rows: np.ndarray, reason: Any) -> None:
        found.extend(Finding(kind, dataset.where[row], reason(row)) for row in np.flatnonzero(rows).tolist())

    flat = deviation < _FLAT
    say("flat", flat, lambda row: "one colour all over: there is nothing to see in it")
    dark, bright = light < min(_DARK, usual - _UNLIKE), light > max(_BRIGHT, usual + _UNLIKE)
    say("too-dark", dark & ~flat, lambda row: f"nearly black: mean level {light[row]:.0f} of 255, of most {usual:.0f}")
    say("too-bright", bright & ~flat, lambda row: f"nearly white: level {light[row]:.0f} of 255, of most {usual:.0f}")
    odd = longer > max(_LONG, 2 * usual_longer)
    say("odd-shape", odd, lambda row: f"{longer[row]:.1f} times as long as wide, most are {usual_longer:.1f}")
    small = (sides[:, 0] < min(_SMALL, usual_side / _SMALLER)) & (sides[:, 0] >= _TINY)
    say("odd-size", small, lambda row: f"{sides[row, 0]:.0f} pixels on its shorter side, most have {usual_side:.0f}")
    return found


def _median(values: np.ndarray) -> float:
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else 0.0
