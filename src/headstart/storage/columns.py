"""Columns of a large data set in a few bytes a row: strings in a buffer, codes of few values, elements made when asked.

A list of a million strings costs its own 8 megabytes and about 60 bytes a string besides the text. These are sequences
as lists are, so that whoever reads a data set by row need not know them; who goes through all rows of one may ask for
what makes it cheap: `Coded.codes` and `Coded.map`, `Strings.lengths`.
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Any, Self, TypeVar, overload

import numpy as np

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
U = TypeVar("U")
_AT_ONCE = 4096  # rows whose positions are Python numbers at the same time, while a column is gone through


class Column(Sequence[T_co]):
    """A sequence that knows how to take some of its rows without a copy of what they are made from."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> Self:
        """The elements in these rows, in this order."""

    @abstractmethod
    def _at(self, row: int) -> T_co:
        """The element in a row that there is."""

    @overload
    def __getitem__(self, row: int) -> T_co: ...
    @overload
    def __getitem__(self, row: slice) -> Self: ...
    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return self.take(np.arange(*row.indices(len(self))))
        position = operator.index(row)
        position += len(self) if position < 0 else 0
        if not 0 <= position < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return self._at(position)

    def __iter__(self) -> Iterator[T_co]:
        return map(self._at, range(len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Strings(Column[str]):
    """Strings as one buffer of UTF-8 and where each begins: the bytes of the text and 8 a row."""

    data: np.ndarray  # (bytes,) uint8; may be a view of a file, or of somebody else's memory
    offsets: np.ndarray  # (m + 1,) int32 or int64, ascending: string i is data[offsets[i]:offsets[i + 1]]
    rows: np.ndarray | None = None  # (n,) which of the m; None: all, in order

    @staticmethod
    def of(strings: Iterable[str]) -> Strings:
        """These strings, which need not be in memory together; lone surrogates are kept, as file names have them."""
        data, offsets = bytearray(), array("q", [0])
        for string in strings:
            data += string.encode("utf-8", "surrogatepass")
            offsets.append(len(data))
        return Strings(np.frombuffer(data, dtype=np.uint8), smallest(np.frombuffer(offsets, dtype=np.int64)))

    def __len__(self) -> int:
        return len(self.offsets) - 1 if self.rows is None else len(self.rows)

    def _at(self, row: int) -> str:
        at = row if self.rows is None else self.rows[row]
        return _text(self.data[self.offsets[at] : self.offsets[at + 1]])

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            at = (
                np.arange(start, min(start + _AT_ONCE, len(self)))
                if self.rows is None
                else self.rows[start:][:_AT_ONCE]
            )
            for begin, end in zip(self.offsets[at].tolist(), self.offsets[at + 1].tolist(), strict=True):
                yield _text(self.data[begin:end])

    @property
    def lengths(self) -> np.ndarray:
        """(n,) the bytes of each string."""
        lengths = np.diff(self.offsets)
        return lengths if self.rows is None else lengths[self.rows]

    def take(self, rows: np.ndarray) -> Strings:
        """The strings in these rows; the buffer is shared."""
        return replace(self, rows=rows if self.rows is None else self.rows[rows])


def _text(data: np.ndarray) -> str:
    return data.tobytes().decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True, eq=False)
class Coded(Column[T_co]):
    """Elements of which few are distinct, as targets, parts and groups are: 4 bytes a row and each value once."""

    codes: np.ndarray  # (n,) int32, which of `values`
    values: tuple[T_co, ...]  # distinct; some may be in no row

    @staticmethod
    def of(elements: Iterable[T_co]) -> Coded[T_co]:
        """These elements, which need not be in memory together; values are in the order in which they first come.

        Values that are equal become one, so that 1, 1.0 and True may not be mixed.
        """
        known: dict[T_co, int] = {}
        codes = array("i", (known.setdefault(element, len(known)) for element in elements))
        return Coded(np.frombuffer(codes, dtype=np.int32), tuple(known))

    def __len__(self) -> int:
        return len(self.codes)

    def _at(self, row: int) -> T_co:
        return self.values[int(self.codes[row])]

    def __iter__(self) -> Iterator[T_co]:
        for start in range(0, len(self), _AT_ONCE):
            yield from map(self.values.__getitem__, self.codes[start:][:_AT_ONCE].tolist())

    def __contains__(self, value: object) -> bool:
        return value in self.values and bool((self.codes == self.values.index(value)).any())

    def take(self, rows: np.ndarray) -> Coded[T_co]:
        """The elements in these rows; the values stay."""
        return Coded(self.codes[rows], self.values)

    @property
    def counts(self) -> np.ndarray:
        """(n_values,) int64: in how many rows each value is."""
        return np.bincount(self.codes, minlength=len(self.values))

    @property
    def present(self) -> tuple[T_co, ...]:
        """The values that are in a row."""
        return tuple(value for value, n in zip(self.values, self.counts.tolist(), strict=True) if n)

    @property
    def first_rows(self) -> np.ndarray:
        """(n_values,) int64: the first row of each value; as many as there are rows, of one that is in none."""
        first = np.full(len(self.values), len(self), dtype=np.int64)
        for start in reversed(range(0, len(self), _AT_ONCE)):
            codes = self.codes[start : start + _AT_ONCE]
            first[codes[::-1]] = np.arange(start + len(codes) - 1, start - 1, -1)
        return first

    def map(self, make: Callable[[T_co], U]) -> Coded[U]:
        """What is made of each element, by one call a value, those that come first called first; what comes out equal
        becomes one."""
        known: dict[U, int] = {}
        code, first = np.zeros(len(self.values), dtype=np.int32), self.first_rows
        for number in np.argsort(first, kind="stable")[: np.count_nonzero(first < len(self))].tolist():
            code[number] = known.setdefault(make(self.values[number]), len(known))
        return Coded(code[self.codes], tuple(known))


@dataclass(frozen=True, slots=True, eq=False)
class Lazy(Column[T_co]):
    """Elements that are made from a number when they are asked for, and not kept: 8 bytes a row, or none."""

    make: Callable[[int], T_co]
    rows: np.ndarray | range  # (n,) what each element is made from

    def __len__(self) -> int:
        return len(self.rows)

    def _at(self, row: int) -> T_co:
        return self.make(int(self.rows[row]))

    def take(self, rows: np.ndarray) -> Lazy[T_co]:
        """The elements in these rows: only their numbers are taken."""
        mine = self.rows
        if isinstance(mine, range):  # mostly from 0 on, and then columns have one array of them together
            plain = mine.start == 0 and mine.step == 1
            return Lazy(self.make, rows if plain else mine.start + mine.step * rows)
        return Lazy(self.make, mine[rows])


class Joined(Sequence[T]):
    """Some sequences one after the other, as one that is equal to any sequence of equal elements."""

    def __init__(self, parts: Iterable[Sequence[T]]) -> None:
        self._parts = [part for part in parts if len(part)]
        self._ends = list(accumulate(map(len, self._parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self[number] for number in range(*place.indices(len(self))))
        position = range(len(self))[place]
        part = bisect_right(self._ends, position)
        return self._parts[part][position - self._ends[part]]  # from its end

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]


def taken(column: Sequence[T], rows: np.ndarray) -> Sequence[T]:
    """The elements in these rows: without making them, where the column knows how."""
    return column.take(rows) if isinstance(column, Column) else [column[row] for row in in_blocks(rows)]


def coded(column: Sequence[T]) -> Coded[T]:
    """The column as codes of its values."""
    return column if isinstance(column, Coded) else Coded.of(column)


def mapped(column: Sequence[T], make: Callable[[T], U]) -> Sequence[U]:
    """What is made of each element; by one call a value, where the column has codes."""
    return column.map(make) if isinstance(column, Coded) else [make(element) for element in column]


def smallest(numbers: np.ndarray) -> np.ndarray:
    """(n,) int64, as int32 where that is enough."""
    fits = not len(numbers) or (numbers.max() < 2**31 and numbers.min() >= -(2**31))
    return numbers.astype(np.int32) if fits else numbers


def in_blocks(numbers: np.ndarray) -> Iterator[int]:
    """The numbers one by one, of which few are Python's at the same time."""
    for start in range(0, len(numbers), _AT_ONCE):
        yield from numbers[start : start + _AT_ONCE].tolist()
