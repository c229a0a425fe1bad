"""What errors and notes say, for people who type no commands and write no code."""

from __future__ import annotations

import os
import re
from pathlib import Path

from headstart.errors import UserError

_FOR_PROGRAMMERS = re.compile(r"--\w|(?<!\.)\bheadstart \w|\bpip install|\bhs\.|\w=\S|\bColumns\(|\bmodel\.\w+\(")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}
_BUDGET = re.compile(r"--budget (\d+)([smh])\b")
_SAID = [  # what is said on the command line, and what it is here
    (re.compile(r"no time to tune within (\d+) s"), r"\1 seconds were too little to learn anything"),
    (re.compile(r"give it more with --budget"), "choose a longer time"),
    (re.compile(r" \(it starts with b['\"].*['\"]\)$", re.DOTALL), ""),
    (re.compile(r"^not an image\b"), "this is no picture, whatever its name says"),
    (re.compile(r"^damaged image: .*", re.DOTALL), "the picture is damaged and cannot be opened"),
    (
        re.compile(r"^several columns may be the label: "),
        "it cannot be seen which column says what each text is; it may be: ",
    ),
]


def plain_words(said: UserError | str, *, about: Path | None = None) -> str:
    """The sentence without what names options, commands or code; empty where nothing else is left.

    Of an error, what is wrong is always said: its place alone says nothing.

    Args:
        about: the one file that it can be about, which need not be named, nor the folder that it is in.
    """
    if isinstance(said, UserError):
        known = () if about is None else (str(about), about.name, about.stem)
        where = "" if said.where in known else _without_code(said.where)
        parts = (_without_code(said.what) or said.what, where, _without_code(said.fix))
        words = "; ".join(part for part in parts if part)
    else:
        words = _without_code(said)
    return words if about is None else words.replace(f"{about.parent}{os.sep}", "")


def _without_code(text: str) -> str:
    """The clauses that are for everybody; of one that ends in an option or code behind a colon, what is before that."""
    for pattern, words in _SAID:
        text = pattern.sub(words, text)
    text = _BUDGET.sub(lambda match: f"{match[1]} {_UNITS[match[2]]}", text)
    kept = []
    for clause in text.split("; "):
        while _FOR_PROGRAMMERS.search(clause):
            clause = clause.rpartition(": ")[0]
        kept.append(clause)
    return "; ".join(clause for clause in kept if clause)
