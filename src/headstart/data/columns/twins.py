"""Columns of one name that disagree: which of them is meant, the user has to say."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from headstart.errors import DataError
from headstart.values import Columns


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
        again = (f"{name}.{number}" for number in range(1, len(columns) + 1))  # of pandas from 1, here from 2
        others = [one for one in again if one in columns and one not in taken and _differ(columns[name], columns[one])]
        if not others:
            continue
        several = "two" if len(others) == 1 else f"{len(others) + 1}"
        what, rest = f"{several} columns {name!r}, and they differ", "the other" if len(others) == 1 else "another"
        other = " or ".join(f"{option} {shlex.quote(one)}" for one in others)
        if name not in named:
            fix = f"{option} {shlex.quote(name)} takes the first, {other} {rest}" if option else "keep one of them"
            raise DataError(what, where=where, fix=fix)
        notes.append(f"{where}: {what}: the first is taken{f'; {other} takes {rest}' if option else ''}")
    return notes


def _differ(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two columns say different things in a row; nothing said is not different."""
    return any(str(b) not in ("None", "", str(a)) for a, b in zip(one, other, strict=False))
