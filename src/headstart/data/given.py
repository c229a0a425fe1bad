"""Inputs without targets, as `predict` is given them, and what to call each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.folder import files_in
from headstart.errors import DataError
from headstart.inputs.paths import is_folder, local_path
from headstart.values import Passages


def _several(inputs: Any) -> list[Any]:
    """One input, or a sequence of them, as a list."""
    one = isinstance(inputs, str | Path | np.ndarray) or not isinstance(inputs, Sequence)
    return [inputs] if one else list(inputs)


def given_images(inputs: Any) -> tuple[list[Any], list[str]]:
    """Paths and pictures, folders opened up; and their names.

    Raises:
        DataError: an address, a path that is not there, an empty folder.
    """
    items: list[Any] = []
    names: list[str] = []
    for number, value in enumerate(_several(inputs)):
        if not isinstance(value, str | Path):
            items.append(value)
            names.append(f"input {number + 1}")
            continue
        path = local_path(value)
        files = files_in(path) if is_folder(path) else [path]
        if not files:
            raise DataError("no files", where=str(path))
        items += [str(file) for file in files]
        names += [str(file) for file in files]
    return items, names


def given_texts(inputs: Any) -> tuple[list[Any], list[str]]:
    """Texts, which are their own names."""
    texts = _several(inputs)
    return texts, [str(text) for text in texts]


def given_pairs(inputs: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of texts, named by both; whether the two can be used is for the check to say, pair by pair.

    Raises:
        DataError: something else than two values.
    """
    pairs = [inputs] if _is_two(inputs) else _several(inputs)
    for number, pair in enumerate(pairs, start=1):
        if not _is_two(pair):
            what = f"{str(pair)[:60]!r} is no pair of texts, and the model was fitted on pairs"
            fix = "give pairs (text, other text); on the command line --pair A B, or a table"
            raise DataError(what, where=f"input {number}", fix=fix)
    return [(first, second) for first, second in pairs], [f"{first} | {second}" for first, second in pairs]


def given_passages(inputs: Any) -> tuple[Passages, list[str]]:
    """Pairs of a question and a text, each text once; a question is its own name.

    Raises:
        DataError: something else than a pair of texts.
    """
    pairs = [inputs] if _is_pair(inputs) else _several(inputs)
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
    two = isinstance(value, tuple | list) and len(value) == 2
    return two and not any(isinstance(part, tuple | list) for part in value)


def _is_pair(value: Any) -> bool:
    """Whether it is a question and a text, neither of them blank."""
    return isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(v, str) and v.strip() for v in value)
