"""Inputs in whatever container holds them in an order, as a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from pathlib import PurePath
from typing import Any

import numpy as np

from headstart.data.files.arrow import plain_values
from headstart.data.files.arrow_types import of_pyarrow
from headstart.data.labels.values import shown
from headstart.errors import DataError

_IN_ORDER = "give a list, an array or a column with the inputs in their order"
_NO_INPUTS = (str, bytes, bytearray, memoryview, PurePath, Mapping, Set)


def in_order(inputs: Any, *, where: str = "inputs") -> list[Any]:
    """The inputs in any container that has an order: a list, an array, a column, a generator.

    Raises:
        DataError: it has none, or is a table of several columns.
    """
    if isinstance(inputs, _NO_INPUTS) or not isinstance(inputs, Iterable):
        what = f"{shown(inputs)} ({type(inputs).__name__}) holds no inputs in an order"
        raise DataError(what, where=where, fix=_IN_ORDER)
    if of_pyarrow(inputs, "Array", "ChunkedArray"):
        return plain_values(inputs)
    if isinstance(inputs, np.ndarray):
        return _rows(inputs, where)
    return _column(inputs, where)


def _column(inputs: Any, where: str) -> list[Any]:
    """A column's inputs, those of a table of one, or of whatever else gives them one after the other."""
    if hasattr(inputs, "iloc") and hasattr(inputs, "columns"):  # a DataFrame
        if inputs.shape[1] != 1:
            what = f"a table of {inputs.shape[1]} columns"
            raise DataError(what, where=where, fix="give one of them; of pairs of texts, two as an array: .to_numpy()")
        inputs = inputs.iloc[:, 0]
    return list(inputs.tolist() if hasattr(inputs, "tolist") and hasattr(inputs, "index") else inputs)


def _rows(array: np.ndarray, where: str) -> list[Any]:
    """An array's inputs: pictures, or texts, of which two a row are pairs."""
    if array.ndim == 0:
        raise DataError(f"{shown(array[()])} is one input", where=where, fix=_IN_ORDER)
    if array.dtype.kind not in "OUST" or array.ndim > 2:
        return list(array)
    if array.ndim == 1:
        return list(array.tolist())
    if array.shape[1] > 2:
        what = f"an array of {array.shape[1]} columns of texts"
        raise DataError(what, where=where, fix="give one of them, or two for pairs of texts")
    return array[:, 0].tolist() if array.shape[1] == 1 else [tuple(row) for row in array.tolist()]


def refuse_misaligned(inputs: Any, other: Any, what: str) -> None:
    """Raises DataError where both are columns of pandas whose indexes name the same rows in another order.

    They are paired by position, as scikit-learn does; two that share rows, and neither of which counts from 0 as after
    `reset_index`, were cut in different ways.
    """
    one, two = (_index(values) for values in (inputs, other))
    if one is None or two is None or len(one) != len(two) or one.equals(two):
        return
    same = Counter(one.tolist()) == Counter(two.tolist())
    counts = any(index.tolist() == [*range(len(index))] for index in (one, two))
    if not same and (counts or not (one.is_unique and two.is_unique) or one.isin(two).sum() == 0):
        return
    rows = "the same rows as that of the inputs, in another order" if same else "other rows than that of the inputs"
    said = f"the index of {what} names {rows}"
    fix = f"{what}.loc[inputs.index] puts them in their order" if same else "cut both in the same way"
    raise DataError(said, where=what, fix=f"{fix}; .to_numpy() of both pairs them by position")


def _index(values: Any) -> Any:
    return values.index if type(values).__name__ in ("Series", "DataFrame") and hasattr(values, "iloc") else None
