"""One example's label as whoever made it has it, to one plain value or a tuple of several."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any

import numpy as np

from headstart.data.files.arrow import plain_values
from headstart.data.files.arrow_types import of_pyarrow
from headstart.errors import DataError, first_line

Scalar = str | bool | int | float
Cell = None | Scalar | tuple[Scalar, ...]  # None: missing; a tuple: several labels of one example, or none, as ()

A_LABEL = "a label is a text, a number, true or false, or a list of these"
ATOMS = frozenset((str, bool, int, float, type(None)))
_NO = ("0", "0.0", "false", "False", "FALSE")
_YES = ("1", "1.0", "true", "True", "TRUE")
_MARKS: dict[Any, bool] = {0: False, 1: True, **dict.fromkeys(_NO, False), **dict.fromkeys(_YES, True)}
_MOST_BITS = 1000  # of a whole number: about as large as a float can be


def cell_of(value: Any, *, names: Sequence[str] | None = None, where: str = "label") -> Cell:
    """The label, or the labels, of one example; each once, in their order, those of a set sorted.

    A list of nothing but missing values says nothing: it is missing, too, where an empty list says that there is none.

    Raises:
        DataError: it is none.
    """
    with readable(where):
        value = plain(value)
        if not isinstance(value, list | Set):
            return _named(_scalar(value, where), names, where)
        found = [_named(_scalar(_member(member, where), where), names, where) for member in value]
        cells = [cell for cell in found if cell is not None]
        if found and not cells:
            return None
        if isinstance(value, Set):  # which has another order in each process
            cells.sort(key=lambda cell: (as_text(cell) or "", type(cell).__name__))
        once: dict[str | None, Scalar] = {}
        for cell in cells:
            once.setdefault(as_text(cell), cell)
        return tuple(once.values())


def mark(value: Any) -> bool | None:
    """Whether an example has the label of a column of 0 and 1, or true and false, numbers or text; None: neither."""
    try:
        return _MARKS.get(value.strip() if isinstance(value, str) else value)
    except Exception:  # it has no hash
        return None


def marks_of(row: Sequence[Any]) -> list[bool | None]:
    """`mark` of each."""
    try:
        marks = list(map(_MARKS.get, row))
    except Exception:
        marks = [None]
    return [mark(value) for value in row] if None in marks else marks


def absent(value: Any) -> bool:
    """Whether it is what Python, numpy or pandas have for a missing value."""
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, float | np.floating | np.datetime64 | np.timedelta64):
        return bool(value != value)
    if isinstance(value, Decimal):
        return value.is_nan()
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def as_text(value: object) -> str | None:
    """Labels and texts as written: 1 and 1.0 are "1", true is "true", missing stays None."""
    if value is None or _missing(value):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    try:
        return str(value)
    except Exception:  # of a stranger's class; or an integer of more than 4300 digits
        return None


def shown(value: Any) -> str:
    """A short form for an error, of whatever it is."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    try:
        return short.repr(value)
    except Exception:
        return f"a {type(value).__name__} that cannot be shown"


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Where the code of whoever made the values runs, which may raise anything: what it raises becomes a DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"cannot be read: {first_line(error)}", where=where, fix=A_LABEL) from error


def plain(value: Any) -> Any:
    """A list of any container with an order, a plain value of an array that has none; anything else as it is."""
    if type(value) in ATOMS or isinstance(value, str | bytes | bytearray | np.generic | Set):
        return value
    if value is np.ma.masked:
        return None
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, memoryview):
        return value.tobytes()
    if isinstance(value, np.ndarray):
        return _array(value)
    if of_pyarrow(value, "Scalar"):
        return plain(value.as_py())
    if of_pyarrow(value, "Array", "ChunkedArray"):
        return plain_values(value)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return (value if value.layout is torch.strided else value.to_dense()).tolist()
    for name in ("to_list", "tolist"):  # of pandas and polars, array.array, ...
        made = getattr(value, name)() if hasattr(value, name) else None
        if isinstance(made, list):
            return made
    return _array(np.asarray(value)) if hasattr(value, "__array__") else value


def _array(array: np.ndarray) -> Any:
    if isinstance(array, np.ma.MaskedArray):
        objects: Any = _objects(np.asarray(array)).astype(object)
        objects[np.ma.getmaskarray(array)] = None
        array = objects
    return array[()] if array.ndim == 0 else _objects(np.asarray(array)).tolist()


def _objects(array: np.ndarray) -> np.ndarray:
    """Times and records one by one: `tolist` makes numbers and tuples of them, which they are not to the user."""
    if array.dtype.kind in "mMV":
        return np.fromiter(array.ravel(), dtype=object, count=array.size).reshape(array.shape)
    return array


def _missing(value: object) -> bool:
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA says neither yes nor no
        return True
    except Exception:  # an array, which is a value; or a stranger's class
        return False


def _member(value: Any, where: str) -> Any:
    value = plain(value)
    if isinstance(value, list | Set):
        raise DataError(f"{shown(value)} is a list within a list of labels", where=where, fix=A_LABEL)
    return value


def _scalar(value: Any, where: str) -> Scalar | None:
    if absent(value):
        return None
    if isinstance(value, Enum) and not isinstance(value, str | int | float):
        value = value.name
    if isinstance(value, str):
        return str.__str__(value)  # its characters, whatever a class of its own makes of `str`
    if isinstance(value, bytes | bytearray):
        return _decoded(bytes(value), where)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    written = _as_written(value)
    return _number(value, where) if written is None else written


def _decoded(value: bytes, where: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise DataError(f"{shown(value)} is not UTF-8", where=where, fix="decode it, or save it as UTF-8") from None


def _as_written(value: Any) -> str | None:
    """Days, times, paths and the ranges of `pandas.cut` as their own text; None for anything else."""
    if isinstance(value, np.datetime64):
        exact = value.astype("datetime64[us]")
        python = exact.item()
        days = np.datetime_data(value)[0] in ("Y", "M", "W", "D")
        return str(python) if not days and exact == value and isinstance(python, date) else str(value)
    pandas = sys.modules.get("pandas")
    if isinstance(value, date | time | timedelta | PurePath | np.timedelta64):
        return str(value)
    return str(value) if pandas is not None and isinstance(value, pandas.Interval | pandas.Period) else None


def _number(value: Any, where: str) -> int | float:
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 300:
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Integral):
        whole = int(value)
        if whole.bit_length() > _MOST_BITS:
            raise DataError(f"a whole number of {whole.bit_length()} bits", where=where, fix="write it as a text")
        return whole
    if isinstance(value, Real | Decimal):
        return float(value)
    fix = f"{A_LABEL}; of names with 0 and 1, a list of those that are 1" if isinstance(value, dict) else A_LABEL
    raise DataError(f"{shown(value)} is no label ({type(value).__name__})", where=where, fix=fix)


def _named(cell: Scalar | None, names: Sequence[str] | None, where: str) -> Scalar | None:
    """The name that a number stands for."""
    if names is None or cell is None or isinstance(cell, str) or cell == -1:
        return None if names is not None and cell == -1 else cell
    if cell != cell // 1 or not 0 <= cell < len(names) or (isinstance(cell, bool) and len(names) != 2):
        fix = f"whole numbers from 0 to {len(names) - 1}, or -1 where there is no label"
        raise DataError(f"{as_text(cell)} where there are {len(names)} names", where=where, fix=fix)
    return names[int(cell)]
