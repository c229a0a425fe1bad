"""Claim: ten million texts are checked and split in at most 200 bytes a row, in a time that grows with their number.

    python bench/ten_million.py [--rows 10000 100000 1000000 10000000] [--photos 1000000]

No text is stored: each is made from its number when it is looked at, as a row of a table is that lies on a disk. Of
every fifty rows two are copies of others, one of them with another label, one differs from another in its case and
punctuation alone, one is a piece of another, one is blank and one has no label; all of these have to be found, and no
others. The same rows are then split once by the parts that they come in, where the copies are leaks.

No photo is decoded either: fingerprints are made of their number, every tenth hardly differs from that of another photo
and every tenth is the same. What is asked is which are nearly the same, and what a model keeps of them.

Each size is a process of its own. Peak memory is what the kernel counts above what the process takes once it has
checked a thousand rows. Ten million rows take about an hour on two slow cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, asked

from headstart.data.alike.duplicates import FINGERPRINT, near_pairs
from headstart.data.alike.equal import group
from headstart.data.alike.sketches import near_to_any, sketch_of_photos
from headstart.data.check import check
from headstart.data.split import split
from headstart.storage.columns import Coded, Lazy
from headstart.storage.rows_of_bytes import RowsOfBytes, room_for
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.modalities import TEXT
from headstart.values import Dataset

_OF = 50  # rows, of which those with these numbers are not as the others are:
_COPY, _NEAR, _CONFLICT, _PIECE, _BLANK, _UNLABELLED = 49, 48, 47, 46, 45, 44
_SOURCES = {_COPY: 0, _NEAR: 1, _CONFLICT: 2, _PIECE: 3}  # and what they are made from, in another fifty
_WORDS, _WORDS_OF_A_TEXT, _CLASSES = 200_003, 12, 10
_BLOCK = 1000  # photos that are made at once
_WARM = 1000  # rows that are checked before memory is measured


def source(row: int, rows: int) -> int:
    """The row that one is made from; itself, where it is as the others are."""
    block, number = divmod(row, _OF)
    blocks = rows // _OF
    return (block * 7 + 3) % blocks * _OF + _SOURCES[number] if number in _SOURCES and block < blocks else row


def mixed(number: int) -> int:
    """A number of 64 bits that looks like chance (splitmix64)."""
    number = (number + 0x9E3779B97F4A7C15) & (2**64 - 1)
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    number = (number ^ number >> 27) * 0x94D049BB133111EB & (2**64 - 1)
    return number ^ number >> 31


def text(row: int, *, rows: int) -> str:
    number = row % _OF
    if number == _BLANK:
        return " "
    made_from = source(row, rows)
    words = [f"w{mixed(made_from * _WORDS_OF_A_TEXT + k) % _WORDS:x}" for k in range(_WORDS_OF_A_TEXT)]
    if made_from != row and number == _PIECE:
        words = words[3:9]
    said = " ".join(words)
    return f"{said.upper()}!" if made_from != row and number == _NEAR else said


def place(row: int) -> str:
    return f"texts.parquet row {row + 1}"


def made(rows: int) -> Dataset:
    """So many rows, of which the last may be no whole fifty and have nothing in them."""
    row = np.arange(rows)
    block, number = row // _OF, row % _OF
    blocks, whole = rows // _OF, row < rows // _OF * _OF
    origin = row.copy()
    for copy, original in _SOURCES.items():
        mine = (number == copy) & whole
        origin[mine] = (block[mine] * 7 + 3) % blocks * _OF + original
    label = ((origin * 2_654_435_761 >> 7) + (number == _CONFLICT)) % _CLASSES
    label[number == _UNLABELLED] = _CLASSES
    values = (*(f"class {k}" for k in range(_CLASSES)), None)
    return Dataset(
        CLASSIFICATION,
        TEXT,
        "texts",
        inputs=Lazy(partial(text, rows=rows), range(rows)),
        targets=Coded(label.astype(np.int32), values),
        where=Lazy(place, range(rows)),
    )


def in_parts(dataset: Dataset, rows: int) -> Dataset:
    """The same with parts: every fifth row is a test row, and so are the copies, whose sources are not."""
    return replace(dataset, parts=Coded((np.arange(rows) % 5 == 4).astype(np.int32), ("train", "test")))


def fingerprints(photos: int) -> RowsOfBytes:
    """Of a block of photos by a generator of its own: noise, the last tenths changed by one level, or not at all."""
    prints = room_for(photos, FINGERPRINT)
    for start in range(0, photos, _BLOCK):
        rng = np.random.default_rng(start)
        some = rng.integers(30, 220, (min(_BLOCK, photos - start), FINGERPRINT))
        tenth = len(some) // 10
        some[tenth : 2 * tenth] = some[:tenth] + rng.integers(-1, 2, (tenth, FINGERPRINT))
        some[2 * tenth : 3 * tenth] = some[:tenth]
        prints[start : start + len(some)] = some.astype(np.uint8)
    return prints


def measured_photos(photos: int) -> dict[str, Any]:
    near_pairs(fingerprints(_WARM))
    base = memory("VmRSS")
    prints = fingerprints(photos)
    start = time.perf_counter()
    sketches, groups = sketch_of_photos(prints), group(photos, near_pairs(prints))
    took = time.perf_counter() - start
    peak, sizes = memory("VmHWM") - base, np.unique(groups, return_counts=True)[1]
    expected = sum(min(_BLOCK, photos - start) // 10 for start in range(0, photos, _BLOCK))
    known = near_to_any(sketches[:100], sketches[:100]).mean()
    found = {"of three": int((sizes == 3).sum()), "else": int((sizes == 2).sum() + (sizes > 3).sum())}
    return {"seconds": took, "bytes": peak / photos, "found": found, "planted": expected, "known": known}


def measured(rows: int) -> dict[str, Any]:
    """Seconds, bytes a row, and what was found."""
    split(check(made(_WARM)))
    base, start = memory("VmRSS"), time.perf_counter()
    dataset = check(made(rows))
    parts = split(dataset)
    counts = dataset.counts(parts.train)
    took, peak = time.perf_counter() - start, memory("VmHWM") - base
    found = Counter(finding.kind for finding in dataset.findings)
    del dataset
    leaks = Counter(finding.kind for finding in split(check(in_parts(made(rows), rows))).findings)
    return {
        "seconds": took,
        "bytes": peak / rows,
        "found": found | leaks,
        "learned": int(counts.sum()),
        "tested": len(parts.test),
        "with parts": (memory("VmHWM") - base) / rows,
    }


def memory(name: str) -> int:
    """Bytes of this process, as the kernel counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def planted(rows: int) -> dict[str, int]:
    blocks = rows // _OF
    return {
        "blank-text": blocks,
        "missing-label": blocks,
        "duplicate": 2 * blocks,
        "near-duplicate": blocks,
        "conflicting-labels": blocks,
        "excerpt": blocks,
        "leak": blocks,
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000])
    parser.add_argument("--photos", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--one", nargs=2, help="texts or photos, and how many, in this process, as JSON")
    with asked(parser, lambda work: ["--rows", 1000, 2000, "--photos", 2000]) as options:
        if options.one is not None:
            what, n = options.one
            print(json.dumps((measured if what == "texts" else measured_photos)(int(n))))
            return
        for rows in options.rows:
            result = alone("texts", rows)
            found, expected = result["found"], planted(rows)
            odd = {kind: (found.get(kind, 0), expected.get(kind, 0)) for kind in {*found, *expected}}
            odd = {kind: pair for kind, pair in odd.items() if pair[0] != pair[1]}
            print(
                f"{rows:10,} texts   {pace(rows, result)}, {result['with parts']:,.0f} with parts; "
                f"{result['learned']:,} to learn from, {result['tested']:,} to test on; found all that was planted and "
                f"nothing else: {f'no, (found, planted) {odd}' if odd else 'yes'}",
                flush=True,
            )
        for photos in options.photos:
            result = alone("photos", photos)
            print(
                f"{photos:10,} photos  {pace(photos, result)}; groups of three: {result['found']['of three']:,} of "
                f"{result['planted']:,}, others: {result['found']['else']:,}",
                flush=True,
            )


def alone(what: str, n: int) -> dict[str, Any]:
    """What a process of its own measured."""
    command = [sys.executable, __file__, "--one", what, str(n)]
    result: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return result


def pace(n: int, result: dict[str, Any]) -> str:
    seconds = result["seconds"]
    return f"{seconds:8.1f} s {n / seconds:9,.0f} a second {result['bytes']:8,.0f} bytes a row over the base"


if __name__ == "__main__":
    main()
