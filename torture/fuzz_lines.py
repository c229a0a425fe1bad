"""Mutations of files of lines: delimited tables, JSON lines, texts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import fuzz_bytes
import fuzz_json

_ENDS = ("\n", "\r\n", "\r", "\n\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\n\n")
_CELLS: tuple[str, ...] = (
    "",
    " ",
    '"',
    '""',
    '"""',
    "'",
    "\0",
    "a\0b",
    "\ufeff",
    "\ud800",
    "nan",
    "NaN",
    "None",
    "-1",
    "1e999",
    "0x1",
)
_CELLS += (
    "=1+1",
    "a" * 200_000,
    "\u202e",
    "e\u0301" * 50,
    "\U0001f600",
    "x\ny",
    "x\ry",
    '"x',
    'x"y',
    "/dev/zero",
    "..",
)
_CELLS += (
    "~nobody/x.jpg",
    "1.jpg",
    "a" * 300 + ".jpg",
    "ABC:x y",
    ":",
    ";",
    ",",
    "\t",
    "\x1a",
    "\x7f",
    "label",
    "text",
)
_MOST = 2_000_000  # characters that a repeated line comes to
_ENCODINGS: tuple[str, ...] = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "utf-7", "shift_jis")


def mutated(rng: random.Random, content: bytes) -> tuple[bytes, str]:
    """The table after one to four changes of its lines, and now and then of its bytes."""
    lines, told = content.decode("utf-8", "surrogateescape").split("\n"), []
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        told.append(rng.choice(_ALL)(rng, lines))
    end = rng.choice(_ENDS) if rng.random() < 0.15 else "\n"
    text = end.join(lines)
    if rng.random() < 0.05:
        text = "".join(line + rng.choice(_ENDS) for line in lines)
        told.append("mixed line ends")
    elif end != "\n":
        told.append(f"line ends {end!r}")
    encoding = rng.choice(_ENCODINGS) if rng.random() < 0.12 else "utf-8"
    if encoding != "utf-8":
        told.append(f"as {encoding}")
    try:
        out = text.encode(encoding, "surrogateescape")
    except UnicodeError:
        out = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.15:
        out, what = fuzz_bytes.mutated(rng, out, [content])
        told.append(what)
    return out, "; ".join(told)


def _some(rng: random.Random, lines: list[str]) -> int:
    """The first line is as likely as all others together."""
    return 0 if len(lines) < 2 or rng.random() < 0.4 else rng.randrange(len(lines))


def _delete(rng: random.Random, lines: list[str]) -> str:
    at = _some(rng, lines)
    n = rng.choice((1, 1, 3, len(lines)))
    del lines[at : at + n]
    return f"{n} lines deleted at {at}"


def _repeat(rng: random.Random, lines: list[str]) -> str:
    at, n = _some(rng, lines), rng.choice((1, 5, 2500))
    n = min(n, _MOST // (sum(map(len, lines[at : at + 1])) + 1))
    lines[at:at] = lines[at : at + 1] * n
    return f"line {at} {n} times more"


def _swap(rng: random.Random, lines: list[str]) -> str:
    rng.shuffle(lines)
    return "lines shuffled"


def _insert(rng: random.Random, lines: list[str]) -> str:
    at, put = _some(rng, lines), rng.choice((*_CELLS, "," * 500, "\t" * 500, ";" * 500, "{" * 3000, "[1]", "null"))
    lines[at:at] = [put]
    return f"line {fuzz_json.shown(put)} at {at}"


def _cell(rng: random.Random, lines: list[str]) -> str:
    if not lines:
        return "nothing"
    at, put = _some(rng, lines), rng.choice(_CELLS)
    delimiter = next((d for d in ("\t", ";", ",", ":") if d in lines[at]), ",")
    cells = lines[at].split(delimiter)
    column = rng.randrange(len(cells))
    what = rng.randrange(4)
    if what == 0:
        cells[column] = put
    elif what == 1:
        cells.insert(column, put)
    elif what == 2:
        del cells[column]
    else:
        cells[column] += put
    lines[at] = delimiter.join(cells)
    return f"line {at} cell {column}: {('set', 'inserted', 'deleted', 'added')[what]} {fuzz_json.shown(put)}"


def _column(rng: random.Random, lines: list[str]) -> str:
    put, delimiter = rng.choice(_CELLS), rng.choice((",", ";", "\t"))
    lines[:] = [line + delimiter + put for line in lines]
    return f"a column of {fuzz_json.shown(put)} more"


def _delimiter(rng: random.Random, lines: list[str]) -> str:
    old, new = rng.sample((",", ";", "\t", "|", " ", ":"), 2)
    lines[:] = [line.replace(old, new) for line in lines]
    return f"{old!r} becomes {new!r}"


def _put(rng: random.Random, lines: list[str]) -> str:
    if not lines:
        return "nothing"
    at, put = _some(rng, lines), rng.choice(_CELLS)
    place = rng.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:place] + put + lines[at][place:]
    return f"{fuzz_json.shown(put)} in line {at} at {place}"


def _cut(rng: random.Random, lines: list[str]) -> str:
    if not lines:
        return "nothing"
    at = _some(rng, lines)
    del lines[at + 1 :]
    lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    return f"cut in line {at}"


def _row(rng: random.Random, lines: list[str]) -> str:
    """A line of JSON changed as JSON."""
    rows = [at for at, line in enumerate(lines) if line.startswith("{")]
    if not rows:
        return _cell(rng, lines)
    at = rng.choice(rows)
    new, told = fuzz_json.mutated(rng, lines[at].encode("utf-8", "surrogatepass"))
    lines[at] = new.decode("utf-8", "surrogateescape")
    return f"line {at}: {told}"


def _objects(rng: random.Random, lines: list[str]) -> str:
    """Every line of JSON with the same key changed."""
    try:
        rows = [json.loads(line) for line in lines if line.strip()]
    except (ValueError, RecursionError):
        return _column(rng, lines)
    if not all(isinstance(row, dict) for row in rows) or not rows or not rows[0]:
        return "nothing"
    key = rng.choice(list(rows[0]))
    name, put = rng.choice((key, key, "", "text", "label", "image", "context")), fuzz_json.value(rng)
    keep = rng.random() < 0.4
    lines[:] = [json.dumps({**row, name: row.get(key) if keep else put}) for row in rows]
    return f"in all rows {name!r} := {f'what {key!r} is' if keep else fuzz_json.shown(put)}"


_ALL: tuple[Callable[[random.Random, list[str]], str], ...] = (
    *(_delete, _repeat, _swap, _insert, _insert, _cell, _cell, _cell, _column, _delimiter, _put, _put, _cut),
    *(_row, _row, _objects),
)
