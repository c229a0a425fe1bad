"""What errors and notes say, for people who type no commands and write no code."""

from __future__ import annotations

import re

from headstart.errors import UserError

_FOR_PROGRAMMERS = re.compile(r"--\w|\bheadstart \w|\bpip install|\bhs\.|\w=\S|\bColumns\(|\bmodel\.\w+\(")


def plain_words(said: UserError | str) -> str:
    """The sentence without what names options, commands or code; empty where nothing else is left.

    Of an error, what is wrong is always said: its place alone says nothing.
    """
    if not isinstance(said, UserError):
        return _without_code(said)
    parts = (_without_code(said.what) or said.what, _without_code(said.where), _without_code(said.fix))
    return "; ".join(part for part in parts if part)


def _without_code(text: str) -> str:
    """The clauses that are for everybody; of one that ends in an option or code behind a colon, what is before that."""
    kept = []
    for clause in text.split("; "):
        while _FOR_PROGRAMMERS.search(clause):
            clause = clause.rpartition(": ")[0]
        kept.append(clause)
    return "; ".join(clause for clause in kept if clause)
