"""Columns of one name that disagree: which of them is meant, the user has to say."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from headstart.errors import DataError
from headstart.values import Columns

_SECOND = (".2", ".1")  # what a second column of a name ends in as it is read here, and as pandas writes it


def by_option(columns: Columns) -> dict[str, str]:
    """The names of columns, each with the option that says it."""
    said = {option: [value] if isinstance(value, str) else value for option, value in columns.named.items()}
    return {name: f"--{option}" for option, names in said.items() for name in names}


def refuse_twins(
    columns: Mapping[str, Sequence[Any]], taken: Mapping[str, str], named: Collection[str], where: str
) -> list[str]:
    """Notes on taken columns beside which there is another of that name, with other values, where the user named one.

    Args:
        columns: by name, some rows of each. taken: of them, with the option that takes one; empty: none does.

    Raises:
        DataError: the user named none.
    """
    notes = []
    for name, option in taken.items():
        others = [other for end in _SECOND if (other := f"{name}{end}") in columns and other not in taken]
        others = [one for one in others if _differ(columns[name], columns[one])]
        if not others:
            continue
        what, other = f"two columns {name!r}, and they differ", others[0]
        if name not in named:
            one, two = shlex.quote(name), shlex.quote(other)
            fix = f"{option} {one} takes the first, {option} {two} the other" if option else "keep one of them"
            raise DataError(what, where=where, fix=fix)
        notes.append(f"{where}: {what}: the first is taken{f'; {option} {other} takes the other' if option else ''}")
    return notes


def _differ(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two columns say different things in a row; nothing said is not different."""
    return any(str(b) not in ("None", "", str(a)) for a, b in zip(one, other, strict=False))
