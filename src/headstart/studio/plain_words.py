"""What errors and notes say, for people who type no commands and write no code."""

from __future__ import annotations

import re

from headstart.errors import UserError

_FOR_PROGRAMMERS = re.compile(r"--\w|\bheadstart \w|\bpip install|\bhs\.|\w=\S|\bColumns\(|\bmodel\.\w+\(")


def plain_words(said: UserError | str) -> str:
    """The sentence without what names options, commands or code; empty where nothing else is left."""
    if isinstance(said, UserError):
        parts = [said.what, said.where, *re.split(r"; ", said.fix)]
    else:
        parts = re.split(r"; ", said)
    return "; ".join(part for part in parts if part and not _FOR_PROGRAMMERS.search(part))
