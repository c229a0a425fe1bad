"""A column that comes piece by piece: a list while it is short, and in a few bytes a row from there on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any, TypeVar

import numpy as np

from headstart.storage.columns import Coded, Column, Lazy, Strings

T = TypeVar("T")
U = TypeVar("U")
FEW = 100_000  # rows, up to which lists stay lists
_OF_ONE_TYPE = (frozenset((str,)), frozenset((int,)))  # whose equal values are the same


class Gathered:
    """Collects the pieces of a column; those that are lists become compact ones once there are many rows."""

    def __init__(self, *, recur: bool = False) -> None:
        """Args: recur: whether most values come again, as labels do, so that each is kept once."""
        self._recur, self._pieces, self._rows = recur, list[Sequence[Any]](), 0

    def __len__(self) -> int:
        return self._rows

    def add(self, piece: Sequence[Any]) -> None:
        """Behind those before it."""
        before, self._rows = self._rows, self._rows + len(piece)
        if self._rows > FEW >= before:
            self._pieces = [self._compact(one) for one in self._pieces]
        self._pieces.append(self._compact(piece) if self._rows > FEW else piece)

    def done(self) -> Sequence[Any]:
        """All of them as one column."""
        return joined(self._pieces)

    def _compact(self, piece: Sequence[Any]) -> Sequence[Any]:
        types = frozenset(map(type, piece)) if isinstance(piece, list) else frozenset()
        if self._recur and types - {type(None)} in (*_OF_ONE_TYPE, frozenset()) and types:
            return Coded.of(piece)
        return Strings.of(piece) if types == {str} else piece


def joined(pieces: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Columns one behind the other: a list of lists, and without a copy of what is lazy."""
    full = [piece for piece in pieces if len(piece)]
    if len(full) == 1:
        return full[0]
    if all(isinstance(piece, list) for piece in full):
        return list(chain.from_iterable(full))
    for kind, together in _TOGETHER.items():
        if all(isinstance(piece, kind) for piece in full):
            found = together(full)
            if found is not None:
                return found
    starts = np.cumsum([0, *map(len, full)])

    def at(row: int) -> Any:
        piece = int(np.searchsorted(starts, row, side="right")) - 1
        return full[piece][row - int(starts[piece])]

    return Lazy(at, range(int(starts[-1])))


def repeated(named: Sequence[tuple[str, int]]) -> Sequence[str]:
    """Each name so many times, one behind the other."""
    names, times = zip(*named, strict=True)
    if sum(times) <= FEW:
        return [name for name, n in named for _ in range(n)]
    known = {name: code for code, name in enumerate(dict.fromkeys(names))}
    codes = np.repeat(np.array([known[name] for name in names], dtype=np.int32), np.array(times, dtype=np.int64))
    return Coded(codes, tuple(known))


def mapped_lazily(column: Sequence[T], make: Callable[[T], U]) -> Sequence[U]:
    """What is made of each element: at once of a list, and of each value once; of others when it is asked for."""
    if isinstance(column, Coded):
        return column.map(make)
    if not isinstance(column, Column):
        return [make(element) for element in column]
    return Lazy(lambda row: make(column[row]), range(len(column)))


def _strings(pieces: Sequence[Strings]) -> Strings | None:
    """Of buffers in which all rows are, in order; others are left as they are."""
    if any(piece.rows is not None for piece in pieces):
        return None
    starts = np.cumsum([0, *(len(piece.data) for piece in pieces)])
    offsets = [piece.offsets[1:].astype(np.int64) + start for piece, start in zip(pieces, starts, strict=False)]
    return Strings(np.concatenate([piece.data for piece in pieces]), np.concatenate([np.zeros(1, np.int64), *offsets]))


def _coded(pieces: Sequence[Coded[Any]]) -> Coded[Any] | None:
    """With the values of all; None where values of several types would become one."""
    if len({type(value) for piece in pieces for value in piece.values} - {type(None)}) > 1:
        return None
    known: dict[Any, int] = {}
    codes = [
        np.array([known.setdefault(value, len(known)) for value in piece.values], dtype=np.int32)[piece.codes]
        for piece in pieces
    ]
    return Coded(np.concatenate(codes), tuple(known))


def _lazy(pieces: Sequence[Lazy[Any]]) -> Lazy[Any] | None:
    """Of those that are made in one way."""
    if any(piece.make != pieces[0].make for piece in pieces):
        return None
    rows = [piece.rows for piece in pieces]
    if all(isinstance(mine, range) and mine.step == 1 for mine in rows) and all(
        one[-1] + 1 == other[0] for one, other in pairwise(rows)
    ):
        return Lazy(pieces[0].make, range(rows[0][0], rows[-1][-1] + 1))
    return Lazy(pieces[0].make, np.concatenate([np.asarray(mine, dtype=np.int64) for mine in rows]))


_TOGETHER: dict[type, Callable[[Any], Sequence[Any] | None]] = {Strings: _strings, Coded: _coded, Lazy: _lazy}
