"""Text files of which each line is a label and a text, in the forms that data sets of texts have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.data.files.arrow import Block
from headstart.data.files.text_file import leave_out, open_text, suffix_of
from headstart.values import Finding

_NUMBERED = re.compile(r"([+-]?\d{1,2}) +(\S.*)")  # 3 It 's a lovely film; -1 It is not
_FASTTEXT = re.compile(r"((?:__label__\S+\s+)+)(.*)")  # __label__a __label__b a text
_TREE = re.compile(r"\((\d+) .*\)")  # (3 (2 It) (4 (2 's) (4 lovely)))
_LEAF = re.compile(r"\(\d+ ([^()]+)\)")
_WRITTEN = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
_MOST_LABELS = 20  # of numbers before texts

_Row = tuple[Any, str]  # label and text


@dataclass(frozen=True)
class LineForm:
    """How a line is read, and what is said of it."""

    said: str
    read: Callable[[str], _Row | None]  # None: the line is not of this form


def line_form(lines: list[str], path: Path) -> LineForm | None:
    """The form of a file by its first lines, of which all are of it; None: it has columns, or is something else."""
    full = [line.strip() for line in lines if line.strip()]
    if all(map(_FASTTEXT.fullmatch, full)):
        several = any(len(_labels(line)) > 1 for line in full)
        what = (
            "each line taken as __label__LABEL, perhaps several, and a text"
            if several
            else "each line taken as __label__LABEL text"
        )
        return LineForm(what, _several if several else _one)
    if all(map(_TREE.fullmatch, full)) and all(map(_LEAF.search, full)):
        return LineForm("each line taken as a tree: the label of the whole sentence, and its words", _tree)
    marks = [match[1] for line in full if (match := _NUMBERED.fullmatch(line))]
    some = 2 <= len(set(marks)) <= min(_MOST_LABELS, len(full) / 2)
    if suffix_of(path) not in (".csv", ".tsv") and len(marks) == len(full) and some and "\t" not in "".join(full):
        return LineForm("no header; each line taken as LABEL text, the label a number", _numbered)
    return None


def line_blocks(
    path: Path,
    encoding: str,
    form: LineForm,
    ragged: list[Finding],
    most: int,
    unread: dict[int, list[str]] | None = None,
) -> Iterator[Block]:
    """Labels and texts; a line of another form is left out and listed, and goes to `unread` by its number."""
    with open_text(path, encoding) as file:
        rows: list[_Row] = []
        for number, line in enumerate((line for line in file if line.strip()), start=1):
            row = form.read(line.strip())
            if row is None:
                reason = "no label before the text, or more of them than elsewhere"
                leave_out(ragged, "ragged-row", path, number, reason, written=["", line.strip()], unread=unread)
                continue
            rows.append(row)
            if len(rows) == most:
                yield _block(rows)
                rows = []
        if rows:
            yield _block(rows)


def _block(rows: list[_Row]) -> Block:
    return {"label": [label for label, _ in rows], "text": [text for _, text in rows]}


def _labels(line: str) -> list[str]:
    match = _FASTTEXT.fullmatch(line)
    return [] if match is None else [mark.removeprefix("__label__") for mark in match[1].split()]


def _one(line: str) -> _Row | None:
    match = _FASTTEXT.fullmatch(line)
    return None if match is None or len(marks := _labels(line)) > 1 else (marks[0], match[2])


def _several(line: str) -> _Row | None:
    match = _FASTTEXT.fullmatch(line)
    return None if match is None else (_labels(line), match[2])


def _numbered(line: str) -> _Row | None:
    match = _NUMBERED.fullmatch(line)
    return None if match is None else (match[1], match[2])


def _tree(line: str) -> _Row | None:
    match = _TREE.fullmatch(line)
    words = [_WRITTEN.get(word, word) for word in _LEAF.findall(line)]
    return None if match is None or not words else (match[1], " ".join(words))
