"""Inputs without targets, as `predict` is given them, and what to call each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.files.named_files import TextFile, text_files
from headstart.data.folders.folder import files_in
from headstart.data.labels.values import shown
from headstart.data.tables.in_order import in_order
from headstart.errors import DataError
from headstart.inputs.packed import PackedPhoto
from headstart.inputs.paths import is_folder, local_path
from headstart.progress import note
from headstart.values import Passages


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
    if isinstance(value, PackedPhoto):
        return str(value)
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
