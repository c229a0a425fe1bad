"""Labels as users have them, from lists to sparse matrices, to one plain cell an example, or a refusal in words."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from enum import Enum
from itertools import islice, pairwise
from numbers import Number
from typing import Any, NamedTuple

import numpy as np

from headstart.data.files.arrow import MOST_ROWS, plain_values, too_many_rows
from headstart.data.files.arrow_types import of_pyarrow
from headstart.data.labels.values import ATOMS, Cell, absent, as_text, cell_of, mark, marks_of, plain, readable, shown
from headstart.errors import DataError, short_name, some_of
from headstart.storage.joined import mapped_lazily

_LARGE = 2.0**62
_WHOLE = re.compile(r"-?\d+\.0")
_DIGITS = re.compile(r"-?\d+")
_ONE_EACH = "give a list, an array or a column with the label of each example"
_IN_ORDER = "give a list, in the order of the examples"
_COLUMNS = "0 or 1 in a column for each label, or one column with the label of each example"


class _Given(NamedTuple):
    rows: list[Any]
    width: int | None = None  # of a matrix
    columns: Sequence[Any] | None = None  # names of a table's: a row of texts there is no list of labels
    classes: Sequence[str] | None = None  # what the numbers of a column of `datasets` stand for


def label_cells(
    values: Any, *, names: Sequence[str] | None = None, where: str = "labels", zeros: list[str] | None = None
) -> list[Cell]:
    """One cell an example, of whatever holds the labels in the order of the examples.

    Texts stay as written. Of an Enum, a member that is a text or a number is that, and any other is its name. A matrix
    of 0 and 1 says which labels an example has. So do lists of one length, two or more, of nothing but 0 and 1: as
    lists of labels they would repeat themselves, or say the same of every example.

    Args:
        names: what whole numbers stand for (0 is the first, -1 no label), or the columns of a matrix. None: those that
            the columns of a table and the ClassLabels of `datasets` have, else a matrix' columns are "0", "1", ...
        where: what the labels are called in an error, before the row.
        zeros: the names of a matrix' columns without any 1, which no cell has, are added to it.

    Raises:
        DataError: no container of labels, or a row that holds none.
    """
    zeros, scipy = [] if zeros is None else zeros, sys.modules.get("scipy.sparse")
    with readable(where):
        if scipy is not None and scipy.issparse(values):
            if len(values.shape) == 2 and values.shape[1] > 1:
                known = _column_names(names, values.shape[1], where)
                cells = _sparse(values, known, where)
                zeros += without_example(known, cells)
                return cells
            values = values.toarray()
        given = _opened(values, where)
        if given.width is None:
            classes = names if names is not None else given.classes
            return _column(given.rows, classes, where, zeros, ids=given.classes is not None)
        if given.width == 1:
            return _column([row[0] for row in given.rows], names, where, zeros)
        return _matrix(given, given.width, names, where, zeros)


def whole_numbers(cells: Sequence[Cell]) -> tuple[Sequence[Cell], list[str]]:
    """Labels of a table, with a note: the text "1.0" is "1" where another is, or where all are whole numbers, as pandas
    writes those of a column in which one is missing."""
    texts = {cell for cell in cells if type(cell) is str}
    pointed = {text: text.strip().removesuffix(".0") for text in texts if _WHOLE.fullmatch(text.strip())}
    if not pointed:
        return cells, []
    plain = {text.strip() for text in texts} | {str(as_text(cell)) for cell in cells if type(cell) in (int, float)}
    both = sorted(set(pointed.values()) & plain)
    if not all(text in pointed or _DIGITS.fullmatch(text.strip()) for text in texts if text.strip()):
        pointed = {text: name for text, name in pointed.items() if name in both}
    note = f"labels that are written with .0 and without are taken as one: {some_of([*map(repr, both)])}"
    return mapped_lazily(cells, lambda cell: pointed.get(cell, cell) if type(cell) is str else cell), [
        note
    ] if both else []


def is_one_hot(cells: Sequence[Cell]) -> bool:
    """Whether each example that is labelled has exactly one label, in a list or in a matrix of 0 and 1."""
    present = [cell for cell in cells if cell is not None]
    return bool(present) and all(isinstance(cell, tuple) and len(cell) == 1 for cell in present)


def _opened(values: Any, where: str) -> _Given:
    """Rows of any container that has an order."""
    if isinstance(values, Mapping | Set):
        what = f"the labels are in a {type(values).__name__}"
        raise DataError(what, where=where, fix=_IN_ORDER)
    if values is None or isinstance(values, str | bytes | bytearray | memoryview | Number | Enum):
        raise DataError(f"{shown(values)} is no list of labels", where=where, fix=_ONE_EACH)
    if of_pyarrow(values, "Table", "RecordBatch"):
        return _table(values.schema.names, [plain_values(column) for column in values.columns], where)
    if hasattr(values, "iloc") and hasattr(values, "columns"):  # of pandas
        return _table(values.columns, [values.iloc[:, at].tolist() for at in range(values.shape[1])], where)
    if hasattr(values, "get_columns"):  # of polars
        return _table(values.columns, [column.to_list() for column in values.get_columns()], where)
    if hasattr(values, "column_names"):  # of `datasets`
        raise DataError(f"the labels are a {type(values).__name__} of columns", where=where, fix="give one of them")
    shape = tuple(values.shape) if hasattr(values, "shape") else None
    rows = plain(values)
    if shape is not None and (len(shape) not in (1, 2) or 0 in shape[1:]):
        what = f"labels of shape {shape}" if shape else f"{shown(values)} is no list of labels"
        raise DataError(what, where=where, fix=_ONE_EACH)
    if not isinstance(rows, list):
        rows = list(islice(_each(values, where), MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        raise too_many_rows(where)
    return _Given(rows, width=shape[1] if shape and len(shape) == 2 else None, classes=_class_labels(values))


def _each(values: Any, where: str) -> Iterator[Any]:
    try:
        return iter(values)
    except TypeError:
        raise DataError(f"{shown(values)} is no list of labels", where=where, fix=_ONE_EACH) from None


def _table(names: Any, columns: list[list[Any]], where: str) -> _Given:
    if not columns:
        raise DataError("a table without columns", where=where, fix=_ONE_EACH)
    return _Given([list(row) for row in zip(*columns, strict=True)], width=len(columns), columns=list(names))


def _class_labels(values: Any) -> Sequence[str] | None:
    """The names of a column of `datasets`, of which each example has one or a list."""
    if not type(values).__module__.startswith("datasets."):
        return None
    kind = getattr(values, "features", None)
    return getattr(kind, "names", None) or getattr(getattr(kind, "feature", None), "names", None)


def _checked(names: Sequence[str], where: str) -> list[str]:
    """Names that tell labels apart."""
    if isinstance(names, str | Mapping | Set):
        raise DataError(f"{shown(names)} as names", where=where, fix="give a list of names")
    texts = [(as_text(name) or "").strip() for name in names]
    if not texts:
        raise DataError("no names", where=where, fix="give a list of names")
    text, times = max(Counter(texts).items(), key=lambda each: (not each[0], each[1]))
    if times > 1 or not text:
        what = f"the name {text!r} twice" if text else "a label without a name"
        raise DataError(what, where=where, fix="each label has a name of its own")
    return texts


def _column_names(names: Sequence[str] | None, width: int, where: str) -> list[str]:
    checked = [str(at) for at in range(width)] if names is None else _checked(names, where)
    if len(checked) != width:
        raise DataError(f"{len(checked)} names and {width} columns", where=where, fix="one name a column")
    return checked


def _column(
    rows: list[Any], names: Sequence[str] | None, where: str, zeros: list[str], *, ids: bool = False
) -> list[Cell]:
    """Cells of rows that are a label or a list of labels each; `ids`: their numbers are known to be no 0 and 1."""
    if not all(type(row) in ATOMS for row in rows):
        rows = [row if type(row) in ATOMS else _row(row, f"{where} row {n}") for n, row in enumerate(rows, start=1)]
        width = None if ids else _same_width(rows)
        if width is not None:
            return _matrix(_Given(rows), width, names, where, zeros)
    known = None if names is None else _checked(names, where)
    cells: list[Cell] = []
    for number, row in enumerate(rows, start=1):
        kind = type(row)
        if kind is str or row is None:
            cells.append(row)
        elif known is None and (kind is float or (kind is int and -_LARGE < row < _LARGE)):
            cells.append(None if row != row else row)
        else:
            cells.append(cell_of(row, names=known, where=f"{where} row {number}"))
    return cells


def _row(value: Any, where: str) -> Any:
    with readable(where):
        return plain(value)


def _same_width(rows: list[Any]) -> int | None:
    """How many 0 and 1 each row is a list of, some of them perhaps missing; None where they are not that."""
    lists = [row for row in rows if row is not None]
    width = len(lists[0]) if lists and type(lists[0]) is list else 0
    if width < 2 or any(type(row) is not list or len(row) != width for row in lists):
        return None
    if all(None not in marks_of(row) for row in lists):
        return width
    marks = {mark(value) for row in lists for value in row if not _gone(value)}
    return width if marks and None not in marks else None


def _matrix(given: _Given, width: int, names: Sequence[str] | None, where: str, zeros: list[str]) -> list[Cell]:
    """The names of the columns that are 1, row by row; a row without any value is missing."""
    marked = [[None] * width if row is None else marks_of(row) for row in given.rows]
    unclear = [row for row, marks in zip(given.rows, marked, strict=True) if row is not None and None in marks]
    if given.columns is None and any(_a_label(value) for row in unclear for value in row):
        return _column(given.rows, names, where, zeros, ids=True)  # lists of labels, all of one length
    known = _column_names(given.columns if names is None else names, width, where)
    cells: list[Cell] = []
    for number, (row, marks) in enumerate(zip(given.rows, marked, strict=True), start=1):
        if None in marks:
            values = marks if row is None else row
            gone = list(map(_gone, values))
            if all(gone):
                cells.append(None)
                continue
            odd = [at for at in range(width) if marks[at] is None]
            at = next((at for at in odd if not gone[at]), odd[0])
            what = "no value" if gone[at] else shown(values[at])
            raise DataError(f"{what} in column {known[at]!r}", where=f"{where} row {number}", fix=_COLUMNS)
        cells.append(tuple(name for name, yes in zip(known, marks, strict=True) if yes))
    zeros += without_example(known, cells)
    return cells


def without_example(names: Sequence[str], cells: Sequence[Cell]) -> list[str]:
    """The names that no cell of several has."""
    seen = {name for cell in cells if isinstance(cell, tuple) for name in cell}
    return [name for name in names if name not in seen]


def zeros_note(names: Sequence[str]) -> tuple[str, ...]:
    """A note on the columns of zeros of these names: nothing is learned of a label that no example has."""
    if not names:
        return ()
    one = f"column {short_name(repr(names[0]))} is 0 in each row: nothing is learned of that label"
    several = (
        f"{len(names):,} columns are 0 in each row: nothing is learned of the labels {some_of([*map(repr, names)])}"
    )
    return (one if len(names) == 1 else several,)


def _gone(value: Any) -> bool:
    return absent(value) or (isinstance(value, str) and not value.strip())


def _a_label(value: Any) -> bool:
    return isinstance(value, str) and mark(value) is None and bool(value.strip())


def _sparse(matrix: Any, names: Sequence[str], where: str) -> list[Cell]:
    """Like `_matrix`, without going through the zeros."""
    rows = matrix.tocsr().copy()  # the user's own stays as it is
    rows.sum_duplicates()
    odd = np.flatnonzero(~np.isin(rows.data, (0, 1)))
    if len(odd):
        number = int(np.searchsorted(rows.indptr, odd[0], side="right"))
        what = f"{rows.data[odd[0]]} in column {names[rows.indices[odd[0]]]!r}"
        raise DataError(what, where=f"{where} row {number}", fix=_COLUMNS)
    rows.eliminate_zeros()
    found = [names[at] for at in rows.indices.tolist()]
    ends = rows.indptr.tolist()
    return [tuple(found[start:end]) for start, end in pairwise(ends)]
