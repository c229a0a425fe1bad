"""Whatever a user has as labels becomes a target, or is refused in words that name the row."""

from __future__ import annotations

import array
import contextlib
import datetime
import enum
import itertools
import os
import random
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data.columns.text import in_words
from headstart.data.labels.cells import is_one_hot, label_cells
from headstart.data.labels.column_of_labels import (
    looks_like_label_sets,
    looks_like_numbers,
    separator_of,
    separator_seen,
)
from headstart.data.labels.indicators import indicator_columns
from headstart.data.labels.targets import as_class, as_labels, as_number
from headstart.errors import DataError


class Plain(enum.Enum):
    GOOD = 1


class Text(str, enum.Enum):  # noqa: UP042  as users of Python 3.10 write it
    RED = "red"


class Number(enum.IntEnum):
    THREE = 3


class Hostile:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__

    def __ne__(self, other):
        raise RuntimeError("no comparison")

    __hash__ = None


class Shy:
    """A stranger's array, whose property fails."""

    @property
    def tolist(self):
        raise KeyError("tolist")


class Odd:
    def to_list(self):
        return "abc"


class LikePolars:
    """A Series of polars, as far as it is used."""

    shape = (2,)

    def to_list(self):
        return ["a", None]


def generated():
    yield "a"
    yield None


def tried(function, *arguments, **options):
    """What it gives, or how it refuses; any other exception ends the test."""
    try:
        return function(*arguments, **options)
    except DataError as error:
        return error


def class_labels():
    names = ["no", "yes"]
    kinds = {"one": datasets.ClassLabel(names=names), "several": datasets.List(datasets.ClassLabel(names=names))}
    rows = {"one": [1, 0, -1], "several": [[0, 1], [1, 0], [1, 0]]}
    return datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))


NAT = np.datetime64("NaT")
MASKED = np.ma.masked_array([[0, 1], [1, 0]], [[True, True], [False, False]])
RECORDS = np.array([(1, "a")], dtype=[("x", int), ("y", "U3")])
IN_BLACK_AND_WHITE = pd.DataFrame({"black": [1.0, 0.0, None], "white": [True, False, None]})

CELLS = {
    "texts as written": ([" a ", "", "1"], [" a ", "", "1"]),
    "numbers": ([1, 2.5, -1, True], [1, 2.5, -1, True]),
    "missing": ([None, float("nan"), pd.NA, pd.NaT, np.ma.masked, Decimal("sNaN"), NAT], [None] * 7),
    "tuple": (("a", "b"), ["a", "b"]),
    "generator": (generated(), ["a", None]),
    "values of a dict": ({1: "a", 2: "b"}.values(), ["a", "b"]),
    "range": (range(2), [0, 1]),
    "array of Python": (array.array("i", [3, 4]), [3, 4]),
    "none": ([], []),
    "numpy scalars": ([np.int8(1), np.float32(0.5), np.bool_(True), np.str_("a")], [1, 0.5, True, "a"]),
    "Enum": ([Plain.GOOD, Text.RED, Number.THREE], ["GOOD", "red", 3]),
    "other numbers": ([Decimal(2), Decimal("1.5"), Fraction(1, 4), Decimal("1E+999999")], [2, 1.5, 0.25, np.inf]),
    "days and paths": ([datetime.date(2020, 1, 2), Path("a/b")], ["2020-01-02", "a/b"]),
    "bytes": ([b"caf\xc3\xa9", bytearray(b"b"), memoryview(b"c")], ["café", "b", "c"]),
    "lists": ([["a", "b"], [], ("b", None, "b"), np.array(["c"])], [("a", "b"), (), ("b",), ("c",)]),
    "sets": ([{"b", "a", "c"}, frozenset()], [("a", "b", "c"), ()]),
    "2 and 2.0 are one label, 1 and true are two": ([[2, 2.0, 1, True]], [(2, 1, True)]),
    "lists of one length": ([["a", "b"], ["c", "d"]], [("a", "b"), ("c", "d")]),
    "lists of 0 and 1": ([[0, 1, 1], None, (0, 0, 0)], [("1", "2"), None, ()]),
    "one-hot lists": ([[0, 1], [1, 0]], [("1",), ("0",)]),
    "lists of numbers of different lengths": ([[0, 1], [1]], [(0, 1), (1,)]),
    "lists of one": ([[1], [0]], [(1,), (0,)]),
    "numpy integers": (np.array([1, 0], np.uint8), [1, 0]),
    "numpy fractions": (np.array([0.5, np.nan], np.float16), [0.5, None]),
    "numpy long": (np.array([0.5], np.longdouble), [0.5]),
    "numpy texts": (np.array(["a", "b"]), ["a", "b"]),
    "numpy strings": (np.array(["a", "b"], np.dtypes.StringDType()), ["a", "b"]),
    "numpy bytes": (np.array([b"a"]), ["a"]),
    "numpy objects": (np.array(["a", 1, None], object), ["a", 1, None]),
    "numpy days": (np.array(["2020-01-02", "NaT"], "M8[D]"), ["2020-01-02", None]),
    "numpy moments": (np.array(["2020-01-02", "NaT"], "M8[ns]"), ["2020-01-02 00:00:00", None]),
    "numpy column": (np.array([[1], [2]]), [1, 2]),
    "numpy matrix": (np.matrix([["a"], ["b"]]), ["a", "b"]),
    "numpy masked": (np.ma.masked_array([1, 2], [False, True]), [1, None]),
    "numpy masked matrix": (MASKED, [None, ("0",)]),
    "numpy indicators": (np.array([[True, False], [True, True]]), [("0",), ("0", "1")]),
    "numpy rows without values": (np.array([[np.nan, np.nan], [0, 1]]), [None, ("1",)]),
    "numpy rows of texts": (np.array([["1", None], ["b", "a"]], object), [("1",), ("b", "a")]),
    "torch": (torch.tensor([0.5, 2], requires_grad=True), [0.5, 2.0]),
    "torch bfloat16": (torch.tensor([0.5], dtype=torch.bfloat16), [0.5]),
    "torch indicators": (torch.tensor([[0, 1], [1, 1]]), [("1",), ("0", "1")]),
    "torch sparse": (torch.tensor([[0, 1], [1, 1]]).to_sparse(), [("1",), ("0", "1")]),
    "tensors": ([torch.tensor(3), torch.tensor([1, 2])], [3, (1, 2)]),
    "pandas": (pd.Series([1, None], index=[5, 9]), [1.0, None]),
    "pandas texts": (pd.Series(["a", None], dtype="string"), ["a", None]),
    "pandas nullable": (pd.Series([1, None], dtype="Int64"), [1, None]),
    "pandas nullable bool": (pd.array([True, None], dtype="boolean"), [True, None]),
    "pandas category": (pd.Categorical(["b", None]), ["b", None]),
    "pandas ranges": (pd.cut([1, 3], [0, 2, 4]), ["(0, 2]", "(2, 4]"]),
    "pandas moments": (pd.Series([pd.Timestamp("2020-01-02"), None]), ["2020-01-02 00:00:00", None]),
    "pandas lists": (pd.Series([["a"], ["b", "a"]]), [("a",), ("b", "a")]),
    "DataFrame of one column": (pd.DataFrame({"x": ["a", "b"]}), ["a", "b"]),
    "DataFrame": (IN_BLACK_AND_WHITE, [("black", "white"), (), None]),
    "pyarrow": (pa.chunked_array([["a"], [None]]), ["a", None]),
    "pyarrow dictionary": (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    "pyarrow lists": (pa.array([["a", "b"], None]), [("a", "b"), None]),
    "pyarrow scalars": (list(pa.array(["a", None])), ["a", None]),
    "pyarrow table": (pa.table({"x": [0, 1], "y": [1, 1]}), [("y",), ("x", "y")]),
    "polars": (LikePolars(), ["a", None]),
    "scipy": (scipy.sparse.csr_matrix([[0, 1], [0, 0]]), [("1",), ()]),
    "scipy column": (scipy.sparse.csc_matrix([[1], [0]]), [1, 0]),
    "scipy line": (scipy.sparse.coo_array(np.array([0, 2])), [0, 2]),
    "datasets": (class_labels()["one"], ["yes", "no", None]),
    "datasets lists": (class_labels()["several"], [("no", "yes"), ("yes", "no"), ("yes", "no")]),
    "datasets in torch": (class_labels().with_format("torch")["one"], ["yes", "no", None]),
}


@pytest.mark.parametrize(("values", "cells"), CELLS.values(), ids=CELLS)
def test_values_become_cells(values, cells):
    found = label_cells(values)
    assert found == cells
    flat = [part for cell in found for part in (cell if isinstance(cell, tuple) else (cell,))]
    wanted = [part for cell in cells for part in (cell if isinstance(cell, tuple) else (cell,))]
    assert list(map(type, flat)) == list(map(type, wanted))  # True == 1 == 1.0, and numpy's own are equal too


REFUSED = {  # values -> the row, what, and what to do
    "nothing": (None, "labels: None is no list of labels", "give a list"),
    "a text": ("abc", "labels: 'abc' is no list of labels", "give a list"),
    "a number": (np.float64(3), "labels: np.float64(3.0) is no list", "give a list"),
    "an array of no dimension": (torch.tensor(1), r"labels: tensor(1) is no list", "give a list"),
    "a dict": ({"a": 1}, "labels: the labels are in a dict", "in the order of the examples"),
    "a set": ({"a"}, "labels: the labels are in a set", "in the order of the examples"),
    "an object": (object(), "is no list of labels", "give a list"),
    "a data set": (class_labels(), "labels: the labels are a Dataset of columns", "give one of them"),
    "a cube": (np.zeros((2, 3, 4)), "labels: labels of shape (2, 3, 4)", "give a list"),
    "no columns": (np.zeros((2, 0)), "labels of shape (2, 0)", "give a list"),
    "no columns of a table": (pd.DataFrame(index=[1]), "a table without columns", "give a list"),
    "columns of one name": (pd.DataFrame([[0, 1]], columns=["a", "a"]), "the name 'a' twice", "name of its own"),
    "a tensor without data": (torch.empty(2, device="meta"), "labels: cannot be read: Cannot copy", "a label is"),
    "a dict in a row": (["a", {"b": 1}], "labels row 2: {'b': 1} is no label (dict)", "a label is a text"),
    "a struct": (pa.array([{"b": 1}]), "labels row 1: {'b': 1} is no label (dict)", "a label is a text"),
    "a record": (RECORDS, "labels row 1: np.void(", "a label is a text"),
    "a complex number": (np.array([0, 1j]), "labels row 1: 0j is no label (complex)", "a label is a text"),
    "a list in a list": (["a", ["b", ["c"]]], "labels row 2: ['c'] is a list within a list", "a label is a text"),
    "a pair of a map": (pa.array([[("a", 1)]], pa.map_("string", "int8")), "labels row 1: ['a', 1]", "a label is"),
    "no text": ([1, Hostile()], "labels row 2: <Hostile instance at", "a label is a text"),
    "no text in a set": ([frozenset({Shy()})], "labels row 1: cannot be read: KeyError", "a label is a text"),
    "no list": ([1, Shy()], "labels row 2: cannot be read: KeyError", "a label is a text"),
    "a list that is none": (["a", Odd()], "labels row 2: <test_labels.Odd object", "a label is a text"),
    "bytes of another encoding": ([b"a", b"\xff"], r"labels row 2: b'\xff' is not UTF-8", "decode it"),
    "a very large number": ([10**5000], "labels row 1: a whole number of 16610 bits", "write it as a text"),
    "a matrix of numbers": (np.array([[0, 1], [0.7, 2]]), "labels row 2: 0.7 in column '0'", "0 or 1 in a column for"),
    "a part of a row": (np.array([[1, np.nan]]), "labels row 1: no value in column '1'", "0 or 1 in a column for"),
    "a table of texts": (pd.DataFrame({"a": [1], "t": ["x"]}), "labels row 1: 'x' in column 't'", "0 or 1 in a column"),
    "a sparse matrix": (scipy.sparse.csr_matrix([[0, 1], [3, 1]]), "labels row 2: 3 in column '0'", "0 or 1 in a col"),
    "a sparse place twice": (scipy.sparse.coo_array(([1, 1], ([0, 0], [1, 1])), (2, 2)), "row 1: 2 in column", "0 or"),
    "a sparse place repeated": (scipy.sparse.csr_matrix(([1, 1], [1, 1], [0, 2]), (1, 2)), "row 1: 2 in", "0 or"),
}


@pytest.mark.parametrize(("values", "what", "fix"), REFUSED.values(), ids=REFUSED)
def test_other_values_are_refused_with_their_row(values, what, fix):
    with pytest.raises(DataError) as error:
        label_cells(values)
    first, second = str(error.value).splitlines()
    assert what in first
    assert fix in second


def test_what_raises_where_it_is_gone_through_is_said():
    with pytest.raises(DataError, match="y: cannot be read: ZeroDivisionError"):
        label_cells((1 // n for n in (1, 0)), where="y")


def test_labels_without_an_end_are_refused(monkeypatch):
    monkeypatch.setattr(sys.modules[label_cells.__module__], "MOST_ROWS", 1000)
    with pytest.raises(DataError, match="y: more than 20 million rows"):
        label_cells(itertools.count(), where="y")
    assert len(label_cells(range(1000))) == 1000


def test_names_are_those_of_numbers_and_of_columns():
    assert label_cells([1, 0.0, -1, None, "other", np.int64(1)], names=["no", "yes"]) == [
        *("yes", "no", None, None, "other", "yes")
    ]
    assert label_cells([True, False], names=["no", "yes"]) == ["yes", "no"]
    assert label_cells([[2, -1], [], {1, 0}], names=["c", "b", "a"]) == [("a",), (), ("b", "c")]
    assert label_cells(np.array([[1], [0]]), names=np.array(["no", "yes"])) == ["yes", "no"]
    for matrix in ([[1, 1], [0, 1]], np.array([[1, 1], [0, 1]]), scipy.sparse.csr_matrix([[1, 1], [0, 1]])):
        assert label_cells(matrix, names=["cat", "dog"]) == [("cat", "dog"), ("dog",)]
    assert label_cells(IN_BLACK_AND_WHITE, names=["b", "w"])[0] == ("b", "w")


@pytest.mark.parametrize(
    ("values", "names", "said"),
    [
        ([0, 2], ["a", "b"], "labels row 2: 2 where there are 2 names\nwhole numbers from 0 to 1, or -1"),
        ([-2], ["a", "b"], "labels row 1: -2 where there are 2 names"),
        ([0.5], ["a", "b"], "labels row 1: 0.5 where"),
        ([float("inf")], ["a", "b"], "labels row 1: inf where"),
        ([True], ["a", "b", "c"], "labels row 1: true where there are 3 names"),
        ([[0], [0, 3]], ["a", "b"], "labels row 2: 3 where"),
        (np.eye(3), ["a", "b"], "labels: 2 names and 3 columns\none name a column"),
        (scipy.sparse.eye(3).tocsr(), ["a", "b"], "labels: 2 names and 3 columns"),
        ([0], ["a", "a"], "labels: the name 'a' twice"),
        ([0], ["a", " "], "labels: a label without a name"),
        ([0], "ab", "labels: 'ab' as names"),
        ([0], [], "labels: no names"),
    ],
)
def test_numbers_without_a_name_are_refused(values, names, said):
    with pytest.raises(DataError, match=re.escape(said)):
        label_cells(values, names=names)


@pytest.mark.parametrize(
    ("values", "one"),
    [
        (np.eye(3), True),
        ([["a"], None, ["b"]], True),
        (np.array([[1, 1], [0, 1]]), False),
        (np.array([[0, 0], [0, 1]]), False),
        (["a", "b"], False),
        ([None], False),
    ],
)
def test_one_hot_is_seen(values, one):
    assert is_one_hot(label_cells(values)) is one


def test_what_was_given_is_left_as_it_was():
    matrix = scipy.sparse.csr_matrix(([0, 1], ([0, 1], [0, 1])), (2, 2))
    rows = [["a", "b"], ["c"]]
    assert label_cells(matrix) == [(), ("1",)]
    cells = label_cells(rows)
    assert (matrix.nnz, rows) == (2, [["a", "b"], ["c"]])
    assert cells is not rows


@pytest.mark.parametrize("seed", ["1", "2"])
def test_sets_are_the_same_in_every_process_and_no_library_is_loaded(seed):
    code = "import sys; from headstart.data.labels.cells import label_cells;"
    code += "print(label_cells([{'b', 'a', 'c', 1, '1', 2.5}]));"
    code += "print({'torch', 'pandas', 'scipy', 'datasets', 'polars'} & set(sys.modules))"
    env = {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.stdout.splitlines() == ["[(1, 2.5, 'a', 'b', 'c')]", "set()"], done.stderr


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        *((1, "1"), (1.0, "1"), ("1", "1"), (-0.0, "0"), (1.5, "1.5"), (True, "true"), (10**300, "1" + "0" * 300)),
        *((" a b\n", "a b"), ("", None), (" \t", None), (None, None), ("nan", "nan"), ("a|b", "a|b")),
        *(((), None), (("a",), "a"), ((1.0,), "1"), ((" ", "a"), "a"), ((1, "1 "), "1")),
    ],
)
def test_a_class(cell, name):
    assert as_class(cell) == name


def test_several_labels_are_no_class():
    with pytest.raises(DataError) as error:
        as_class(("a", "b"), where="labels row 3")
    assert str(error.value).startswith("labels row 3: 2 labels: ['a', 'b']\n")
    assert "multilabel" in error.value.fix


@pytest.mark.parametrize(
    ("cell", "separator", "labels"),
    [
        (None, None, None),
        ("", None, None),
        (" ", "|", None),
        ((), None, ()),
        ("[]", None, ()),
        ("|", "|", None),
        ("[null]", None, None),
        ('["", null]', None, None),
        (("", " "), None, None),
        (("b", "a", "b ", ""), None, ("b", "a")),
        ((1, 1.0, True), None, ("1", "true")),
        (3.0, "|", ("3",)),
        ("a|b", None, ("a|b",)),
        (" b | a||b ", "|", ("b", "a")),
        ("a, b", ", ", ("a", "b")),
        ("a", "", ("a",)),
        (("a|b",), "|", ("a|b",)),
        ('["a", "b|c"]', "|", ("a", "b|c")),
        ("['a', \"b's\"]", ",", ("a", "b's")),
        ("['a' 'b'\n 'c d']", None, ("a", "b", "c d")),
        ("['a', \"b' 'c\"]", None, ("a", "b' 'c")),
        ("['a', \"b' 'c\", 1]", None, ("a", "b' 'c", "1")),
        ('[1, 2.0, true, null, NaN, "1"]', None, ("1", "2", "true")),
        ("{'b', 'a'}", None, ("a", "b")),
        ("('a', 'b')", None, ("a", "b")),
        ("set()", None, ()),
        ("(1, 2)", None, ("(1, 2)",)),
        ("(0, 2]", None, ("(0, 2]",)),
        ("[spam]", None, ("[spam]",)),
        ("[a] and [b]", " and ", ("[a]", "[b]")),
    ],
)
def test_labels_of_an_example(cell, separator, labels):
    assert as_labels(cell, separator=separator) == labels


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a, b]", "'[a, b]' is no list that can be read\nwrite it as"),
        ("[0 1 0]", "is no list that can be read"),
        ("[['a' 'b']]", "['ab'] is a list within a list"),
        (repr(["a"] * 3000), "is no list that can be read"),
        ("['a' ... 'b']", "is no list that can be read"),
        ('["a", ["b"]]', "['b'] is a list within a list"),
        ('{"a": 1}', "{'a': 1} is no label (dict)"),
        ("[b'\\xff']", "is not UTF-8"),
    ],
)
def test_lists_that_cannot_be_read_are_refused(text, said):
    with pytest.raises(DataError, match=re.escape(said)) as error:
        as_labels(text, where="labels row 7")
    assert error.value.where == "labels row 7"
    assert error.value.fix


@pytest.mark.parametrize("depth", [90, 900, 4_900, 100_000])
@pytest.mark.parametrize("sign", ["[]", "()", "-1", "{}"])
def test_deep_texts_do_no_harm(depth, sign):
    text = f"[{sign[0] * depth}'a',{sign[1] * depth}]"
    with contextlib.suppress(DataError):
        assert as_labels(text) == (text,)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *(
            (3, 3.0),
            (0.5, 0.5),
            ("3.5", 3.5),
            (" -1e-3 ", -0.001),
            ("+2.", 2.0),
            (".5", 0.5),
            ("−2", -2.0),
            ("007", 7.0),
        ),
        *((None, None), ("", None), (" ", None), ((), None), ((4,), 4.0), (("4.5",), 4.5)),
    ],
)
def test_a_number(cell, number):
    assert as_number(cell) == number


@pytest.mark.parametrize(
    ("cell", "what", "fix"),
    [
        (True, "true is no number", "as classes"),
        ("5 stars", "'5 stars' is no number", "such as 3.5"),
        ("nan", "'nan' is no number", "leave the cell empty"),
        ("1_000", "'1_000' is no number", "such as 3.5"),
        ("٣", "'٣' is no number", "such as 3.5"),
        ("1,234.5", "'1,234.5' has a comma", "write 1234.5"),
        ("3,5", "'3,5' has a comma", "a point before the fraction"),
        ("a, b", "'a, b' is no number", "such as 3.5"),
        ("1e999", "'1e999' is no number", "such as 3.5"),
        (float("inf"), "inf is no finite number", "such as 3.5"),
        (10**400, "is no finite number", "such as 3.5"),
        ((1, 2), "2 values: [1, 2]", "one number an example"),
    ],
)
def test_what_is_no_number_is_refused(cell, what, fix):
    with pytest.raises(DataError) as error:
        as_number(cell, where="labels row 2")
    assert what in error.value.what
    assert error.value.where == "labels row 2"
    assert fix in error.value.fix


CITIES = ["New York, USA", "Boston, USA", "Paris, France", "Nice, France", "Berlin, Germany", "Bonn, Germany"]
SEPARATED = {
    "a bar": (["a|b", "b|c", "c|a", "b"], "|"),
    "a semicolon": (["x; y", "y; z", "z", "z; x"], ";"),
    "commas": (["a,b", "b", "a,c", "c, b"], ","),
    "pairs that change place": (["a,b", "b,c", "a,c"], ","),
    "one row in five": ([*["a", "b", "c", "d"] * 4, "a|b", "b|c", "c|d", "d|a"], "|"),
    "a long tail": ([*["a|b", "b|c", "a|c", "a", "b"] * 4, *(f"a|rare{n}" for n in range(8))], "|"),
    "numbers of classes": (["1,2,3", "2,3", "1", "3"], ","),
    "missing rows": ([None, "a|b", "", "b|c", "c|a", ()], "|"),
}
NOT_SEPARATED = {
    "classes": ["a", "b", "c"] * 5,
    "sentences": [f"Well, {n} of them, I think, were {n * n} late; so it is" for n in range(40)],
    "a sentence again and again": ["Hello, how can I help?", "Sorry, no."] * 20,
    "cities of countries": CITIES * 5,
    "towns": [f"town {n}, state {n % 5}, USA" for n in range(50)],
    "names of people": ["Smith, John", "Smith, Mary", "Brown, John", "Brown, Mary"] * 5,
    "sizes of colours": ["red|large", "red|small", "blue|large", "blue|small"],
    "shelves": ["Books, Music, Film", "Toys, Games", "Clothing"] * 9,
    "one pair": ["a|b"] * 9,
    "one pair among many classes": [*["a", "b", "c"] * 20, "a|b", "b|c"],
    "decimal commas": ["3,5", "4,0", "5,3", "0,4", "4,5", "3,4"],
    "thousands": ["1,234", "234,100", "1,100", "1,234,100", "100,234"],
    "written lists": ['["a","b"]', '["b","c"]', '["c","a"]'],
    "written numbers": ["[1, 2, 2.5, 3]", "[1, 2.5, 2, 3]", "[1, 2, 3]", "[1, 2.5, 3]"],
    "paths of a taxonomy": ["fruit", "fruit|apple", "fruit|apple|red", "fruit|pear", "fruit|pear|red"] * 3,
    "lists": [("a,b", "c"), ("a", "b,c")],
    "numbers": [1, 2.5, True],
    "nothing": [None, ""],
    "no rows": [],
    "separators alone": ["|", "||", ";"],
}


@pytest.mark.parametrize(("cells", "separator"), SEPARATED.values(), ids=SEPARATED)
def test_separators_are_seen(cells, separator):
    assert separator_of(cells) == separator


@pytest.mark.parametrize("cells", NOT_SEPARATED.values(), ids=NOT_SEPARATED)
def test_other_texts_have_no_separator(cells):
    assert separator_of(cells) is None


def test_why_a_separator_is_taken_is_said():
    assert separator_seen(["a|b", "b|c", "c|a", "b"], "|") == "3 of 4 labels have '|' between 3 different ones"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([1.5, 2, None, 3], "3 numbers from 1.5 to 3, with fractions"),
        (["1.5", "2", ""], "2 numbers from 1.5 to 2, with fractions"),
        ([(0.5,), (1.5,)], "2 numbers from 0.5 to 1.5, with fractions"),
        ([0.5, 0.5, 1.0, 1.5] * 9, "36 numbers from 0.5 to 1.5, with fractions"),
        (list(range(100, 130)), "30 numbers from 100 to 129, of which most occur once"),
        ([*map(str, range(20)), "5"], "21 numbers from 0 to 19, of which most occur once"),
        ([1, 2, 3, 4, 5] * 10, ""),
        ([1.0, 2.0, 3.0] * 10, ""),
        ([0, 1], ""),
        (["0", "1"] * 9, ""),
        (list(range(9)), ""),
        ([*range(1990, 2020)] * 2, ""),
        ([f"0{n}" for n in range(100, 130)], ""),
        ([1.5, "good"], ""),
        ([1.5, True], ""),
        ([1.5, float("inf")], ""),
        ([(1.5, 2.5), (1.5,)], ""),
        (["3,5", "4,5"], ""),
        ([None, ""], ""),
        ([], ""),
    ],
)
def test_columns_of_numbers_are_seen(cells, said):
    assert looks_like_numbers(cells) == said


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([("a",), ("a", "b"), None, ()], "3 of 3 labels are lists, such as ('a', 'b')"),
        (["['a']", '["a", "b"]', ""], """2 of 2 labels are lists, such as '["a", "b"]'"""),
        ([("a",), "a", ("b",)], "2 of 3 labels are lists, such as ('a',)"),
        ([("a",), "a"], ""),
        (["a|b", "b"], ""),
        (["(1, 2)", "[spam]", "(0, 2]"], ""),
        (['{"a": 1}'], ""),
        ([1, True], ""),
        ([None], ""),
        ([], ""),
    ],
)
def test_columns_of_lists_are_seen(cells, said):
    assert looks_like_label_sets(cells) == said


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"text": ["x", "y"], "b": [0, 1], "a": ["1", " 0"], "n": [1, 2]}, ("b", "a")),
        ({"a": ["true", "False"], "b": [True, False], "c": [1.0, 0.0]}, ("a", "b", "c")),
        ({"a": [0, 1, None], "b": [1, 0, ""], "c": [0, 0, 0]}, ("a", "b", "c")),
        ({"a": [0, 1], "b": [1, 0], "c": [None, " "]}, ("a", "b")),
        ({"label": [0, 1, 1], "text": ["x", "y", "z"]}, ()),
        ({"label": [0, 1, 1], "errors": [0, 0, 0]}, ()),
        ({"a": [0, 1], "b": [None, None]}, ()),
        ({"a": [(0,), (1,)], "b": [0, 1]}, ()),
        ({"a": ["yes", "no"], "b": ["no", "yes"]}, ()),
        ({}, ()),
    ],
)
def test_columns_of_0_and_1_are_seen(columns, names):
    assert indicator_columns(columns) == names


def test_columns_of_0_and_1_of_a_table_become_cells():
    columns = {"cat": ["1", "0", ""], "dog": ["1", "1", ""]}
    rows = list(zip(*columns.values(), strict=True))
    assert label_cells(np.array(rows, object), names=list(columns)) == [("cat", "dog"), ("dog",), None]


def test_tables_make_texts_of_labels_as_before():
    assert [in_words(value) for value in (1, 1.0, True, None, pd.NA, "a ", Hostile())] == [
        *("1", "1", "true", None, None, "a ", None)
    ]


def test_long_texts_are_read_at_once():
    """Every pattern takes time that grows with the text alone."""
    for text in (
        "1" * 10**6 + "x",
        "[" + "," * 10**6 + "[",
        "[" * 10**6,
        "['" + " '" * 10**6,
        "1," * 10**6,
        " " * 10**6,
    ):
        assert as_class(text) == (text.strip() or None)
        for target in (as_labels, as_number):
            found = tried(target, text)
            assert not isinstance(found, DataError) or len(str(found)) < 1200
        assert looks_like_numbers([text]) == ""
        assert looks_like_label_sets([text]) == ""
        assert separator_of([text] * 3) is None


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.complex_numbers()
    | st.decimals()
    | st.fractions()
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([pd.NA, pd.NaT, NAT, np.ma.masked, Plain.GOOD, Text.RED, object, ...])
    | st.builds(Hostile)
    | st.just(5000).map(lambda digits: 10**digits)
    | st.builds(Shy)
    | st.sampled_from(
        [np.float32(1), np.array(2), np.array([1, 2]), torch.tensor([[1, 2]]), pd.Series(["a"]), range(2)]
    )
)
IN_SETS = st.none() | st.integers(-2, 2) | st.floats() | st.text(max_size=2) | st.fractions() | st.builds(Shy)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
        | st.frozensets(IN_SETS, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=250)
@given(st.lists(ANYTHING, max_size=5) | ANYTHING, st.sampled_from([None, ["a", "b"], ["a", "b", "c"]]))
def test_anything_becomes_targets_or_a_data_error(values, names):
    cells = tried(label_cells, values, names=names)
    if isinstance(cells, DataError):
        assert cells.what
        assert cells.fix
        assert len(str(cells).splitlines()) == 2
        return
    assert len(cells) == len(values)
    separator_of(cells)
    looks_like_numbers(cells)
    looks_like_label_sets(cells)
    indicator_columns({"one": cells, "other": cells})
    for cell in cells:
        for target in (as_class, as_labels, as_number):
            found = tried(target, cell)
            for text in found if isinstance(found, tuple) else (found,):
                assert not isinstance(text, str) or (text and text == text.strip())


@settings(max_examples=300)
@given(st.text(alphabet="[](){}'\",| \\ab01.-\n", max_size=25))
def test_texts_like_lists_are_labels_or_a_data_error(text):
    labels = tried(as_labels, text, separator="|")
    if isinstance(labels, DataError):
        assert (labels.where, bool(labels.fix)) == ("label", True)
    else:
        assert labels is None or labels == tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))


NAMES = st.text(alphabet="abc [](){}'\"1,", min_size=1, max_size=6).map(str.strip).filter(as_class)
NAMES = NAMES.filter(lambda name: name[0] not in "[({" or name[-1] not in "])}")  # that is a list, as it stands
SETS = st.lists(NAMES, min_size=1, max_size=4, unique=True).map(tuple)


@settings(max_examples=300)
@given(SETS, st.sampled_from("|;"))
def test_sets_of_labels_survive_a_separator_and_being_written(labels, separator):
    joined = f" {separator} ".join(labels)
    if joined[0] not in "[({":
        assert as_labels(joined, separator=separator) == labels
    assert as_labels(repr(list(labels)), separator=separator) == labels
    assert as_labels(str(np.array(labels, object)), separator=separator) == labels


@settings(max_examples=50)
@given(st.integers(3, 8), st.integers(0, 10**6), st.sampled_from(["|", ";", ", "]))
def test_random_sets_of_labels_have_their_separator(classes, seed, separator):
    rng = random.Random(seed)
    names = [f"label {n}" for n in range(classes)]
    rows = [separator.join(rng.sample(names, rng.randint(1, 3))) for _ in range(60)]
    assert separator_of(rows) == separator.strip()
    assert separator_of([f"{n}{separator}{row}" for n, row in enumerate(rows)]) is None  # each has a value of its own
