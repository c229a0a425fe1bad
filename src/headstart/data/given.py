"""Inputs without targets, as `predict` is given them, and what to call each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.arrow import plain_values
from headstart.data.arrow_types import of_pyarrow
from headstart.data.folder import files_in
from headstart.data.label_values import shown
from headstart.data.named_files import TextFile, text_files
from headstart.errors import DataError
from headstart.inputs.paths import is_folder, local_path
from headstart.progress import note
from headstart.values import Passages

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


def given_images(inputs: Any) -> tuple[list[Any], list[str]]:
    """Paths and pictures, folders opened up; and their names.

    Raises:
        DataError: an address, an empty folder; of several, they are in their places.
    """
    items: list[Any] = []
    names: list[str] = []
    given = _pictures(inputs)
    for number, value in enumerate(map(_picture, given)):
        if not isinstance(value, str | Path):
            items.append(value)
            names.append(_named(value, number))
            continue
        try:
            path = local_path(value)
            files = files_in(path) if is_folder(path) else [path]
            if not files:
                raise DataError("no files", where=str(path))
        except DataError as error:
            if len(given) == 1:
                raise
            items.append(error)
            names.append(str(value))
            continue
        items += [str(file) for file in files]
        names += [str(file) for file in files]
    return items, names


def _pictures(inputs: Any) -> list[Any]:
    """One picture or path, or any container of them."""
    inputs = _as_array(inputs)
    pixels = isinstance(inputs, np.ndarray) and inputs.dtype.kind not in "OUST" and inputs.ndim in (2, 3)
    if pixels or isinstance(inputs, str | Path | Image.Image | bytes | bytearray | memoryview):
        return [inputs]
    return in_order(inputs)


def _picture(value: Any) -> Any:
    """A picture as it is read here: of a tensor its array, of the row of a hub's table its bytes, or its path."""
    if isinstance(value, Mapping) and set(value) == {"bytes", "path"}:
        return value["path"] if value["bytes"] is None else value["bytes"]
    return _as_array(value)


def _as_array(value: Any) -> Any:
    """A tensor of another library as an array, its channels behind; anything else as it is."""
    if isinstance(value, np.ndarray | np.generic) or type(value).__module__.startswith("pandas."):
        return value
    if not all(hasattr(value, name) for name in ("__array__", "dtype", "ndim")):
        return value
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    channels = (1, 3, 4)
    first = array.ndim in (3, 4) and array.shape[-3] in channels and array.shape[-1] not in channels
    return np.moveaxis(array, -3, -1) if first else array


def _named(value: Any, number: int) -> str:
    return value.where if isinstance(value, DataError) and value.where else f"input {number + 1}"


def given_texts(inputs: Any) -> tuple[list[Any], list[str]]:
    """One text, or any container of them, which are their own names; of a `Path` what the file holds.

    Raises:
        DataError: it is neither.
    """
    if isinstance(inputs, np.ndarray) and inputs.ndim == 0:
        inputs = inputs[()]
    given = [inputs] if isinstance(inputs, str | TextFile) else in_order(inputs)
    files, notes = text_files([text for text in given if isinstance(text, Path)])
    for said in notes:
        note(said)
    there = iter(files)
    given = [next(there) if isinstance(text, Path) else text for text in given]
    texts = [text.text if isinstance(text, TextFile) else text for text in given]
    return texts, [_name_of_text(text, number) for number, text in enumerate(given)]


def _name_of_text(text: Any, number: int) -> str:
    if isinstance(text, str | TextFile):
        return text if isinstance(text, str) else str(text.path)
    return _named(text, number) if isinstance(text, DataError) else shown(text)


def given_pairs(inputs: Any) -> tuple[list[Any], list[str]]:
    """Pairs of texts, named by both; whether the two can be used is for the check to say, pair by pair.

    Raises:
        DataError: something else than two values.
    """
    pairs = [inputs] if _is_two(inputs) or isinstance(inputs, str) else in_order(inputs)
    for number, pair in enumerate(pairs, start=1):
        if not _is_two(pair) and not isinstance(pair, DataError):
            what = f"{str(pair)[:60]!r} is no pair of texts, and the model was fitted on pairs"
            fix = "give pairs (text, other text); on the command line --pair A B, or a table"
            raise DataError(what, where=f"input {number}", fix=fix)
    names = [pair.where if isinstance(pair, DataError) else f"{pair[0]} | {pair[1]}" for pair in pairs]
    return [pair if isinstance(pair, DataError) else (pair[0], pair[1]) for pair in pairs], names


def given_passages(inputs: Any) -> tuple[Passages, list[str]]:
    """Pairs of a question and a text, each text once; a question is its own name.

    Raises:
        DataError: something else than a pair of texts.
    """
    pairs = [inputs] if _is_pair(inputs) or isinstance(inputs, str) else in_order(inputs)
    contexts: dict[str, int] = {}
    for number, pair in enumerate(pairs, start=1):
        if not _is_pair(pair):
            raise DataError(
                f"{str(pair)[:60]!r} is no question with a text, and the model finds answers in texts",
                where=f"input {number}",
                fix="give pairs (question, text); for texts in files: headstart answer MODEL QUESTION --context FILE",
            )
        contexts.setdefault(pair[1], len(contexts))
    questions = [question for question, _ in pairs]
    passages = Passages(
        ids=[str(number) for number in range(1, len(pairs) + 1)],
        questions=questions,
        context=np.array([contexts[text] for _, text in pairs], dtype=np.int64),
        contexts=list(contexts),
        documents=list(contexts),
    )
    return passages, questions


def _is_two(value: Any) -> bool:
    """Whether it is two values, neither of them two again."""
    row = isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim == 1)
    return row and len(value) == 2 and not any(isinstance(part, tuple | list | np.ndarray) for part in value)


def _is_pair(value: Any) -> bool:
    """Whether it is a question and a text, neither of them blank."""
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(v, str) and v.strip() for v in value)
