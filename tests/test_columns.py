"""Columns of large data sets: they read as the list that they were made from, in a few bytes a row."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
import pytest

from headstart.storage.columns import Coded, Lazy, Strings

TEXTS = ["", "one", "zwei Bäume", "", "漢字 \U0001f600", "a name with a stray byte \udce9", "one"] * 700
ROWS = np.array([5, 0, 0, 4899, 17])


def by_number(number: int) -> str:
    return f"photo {number:06d}"


COLUMNS = {
    "strings": (Strings.of(TEXTS), TEXTS),
    "codes": (Coded.of([text or None for text in TEXTS]), [text or None for text in TEXTS]),
    "made": (Lazy(by_number, range(100, 10_000, 2)), [by_number(n) for n in range(100, 10_000, 2)]),
    "made in any order": (Lazy(by_number, np.arange(4900)[::-1]), [by_number(n) for n in range(4899, -1, -1)]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_reads_as_its_list(name):
    column, whole = COLUMNS[name]
    assert len(column) == len(whole)
    assert list(column) == whole
    assert [column[0], column[np.int64(5)], column[-1]] == [whole[0], whole[5], whole[-1]]
    assert list(column[3:4000:7]) == whole[3:4000:7]
    assert whole[4] in column
    assert "nowhere" not in column
    for row in (len(whole), -len(whole) - 1):
        with pytest.raises(IndexError):
            column[row]


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_of_a_column_are_taken_again_and_again(name):
    column, whole = COLUMNS[name]
    some = column.take(ROWS)
    assert type(some) is type(column)
    assert list(some) == [whole[row] for row in ROWS]
    assert list(some.take(np.array([4, 1]))) == [whole[17], whole[0]]
    assert list(column.take(np.arange(0))) == []
    assert list(pickle.loads(pickle.dumps(some))) == list(some)


@pytest.mark.parametrize("kind", [Strings, Coded])
def test_a_column_of_nothing(kind):
    assert list(kind.of([])) == []
    assert list(kind.of([]).take(np.arange(0))) == []


def test_strings_take_their_text_and_four_bytes_a_row():
    column = Strings.of(TEXTS)
    assert column.data.nbytes + column.offsets.nbytes == sum(len(t.encode("utf-8", "replace")) for t in TEXTS) + sum(
        2
        for t in TEXTS
        if "\udce9" in t  # a surrogate is three bytes, the mark in its place one
    ) + 4 * (len(TEXTS) + 1)
    assert np.shares_memory(column.take(ROWS).data, column.data)
    assert column.lengths.tolist() == [len(t.encode("utf-8", "surrogatepass")) for t in TEXTS]
    assert column.take(ROWS).lengths.tolist() == column.lengths[ROWS].tolist()


def test_strings_of_somebody_elses_buffer():
    """As Arrow has them: 32-bit offsets that need not begin at nothing."""
    column = Strings(np.frombuffer(b"..onetwo", dtype=np.uint8), np.array([2, 5, 5, 8], dtype=np.int32))
    assert list(column) == ["one", "", "two"]


def test_values_are_gone_through_once_each():
    column = Coded.of(["b ", "a", "b", None, "c"] * 1000).take(np.arange(4000))
    asked = []

    def tidy(value: str | None) -> str | None:
        asked.append(value)
        return value and value.strip()

    tidied = column.take(np.flatnonzero(column.codes != 4)).map(tidy)
    assert asked == ["b ", "a", "b", None]  # "c" is in no row
    assert tidied.values == ("b", "a", None)
    assert list(tidied) == ["b", "a", "b", None] * 800
    assert tidied.codes.itemsize == 4


def test_columns_are_made_of_what_is_nowhere_together():
    def many() -> Iterator[str]:
        for number in range(5000):
            yield f"text {number}"

    assert Strings.of(many())[4999] == "text 4999"
    assert len(Coded.of(text[-1] for text in many()).values) == 10
