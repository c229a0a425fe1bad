"""What a fit may learn from beside its labelled examples: what its classes are called, and examples without labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from headstart.data.labels.class_names import GONE, NONE, ClassWords, words_of
from headstart.data.unlabelled import with_pool
from headstart.errors import UserError, short_name
from headstart.session import Session
from headstart.values import Columns, Dataset, Request, Split

_SHOWN = 3  # names in a note


def with_beside(dataset: Dataset, parts: Split, request: Request, session: Session) -> Dataset:
    """The dataset with its classes' words and its pool, as far as the user wants them.

    Args:
        dataset: checked.

    Raises:
        UserError: what is of no use for the task. DataError: what cannot be read.
    """
    if request.classes is None:  # else names are all that is learned from
        dataset = with_words(dataset, parts.train, request.names)
    if request.pool is None:
        return dataset
    columns = Columns(known=dataset.columns) if request.classes is None else request.columns or Columns()
    with session.step("check unlabelled") as advance:
        option = "--unlabelled" if request.classes is None else "--classes"
        return with_pool(dataset, parts, request.pool, columns, option=option, advance=advance)


def with_words(dataset: Dataset, train: np.ndarray, asked: Any) -> Dataset:
    """The dataset with what its classes are called, where labels are so few that this says anything; and a note.

    Args:
        train: (n,) rows that are learned from.
        asked: as `Request.names`.

    Raises:
        UserError: the user gives words, and there are no classes, or inputs are no texts.
        DataError: as `words_of`.
    """
    of_use = len(dataset.classes) > 0 and dataset.modality.reads_names
    if not of_use:
        if asked is None or asked == NONE:
            return dataset
        what = "there are no classes" if not dataset.classes else f"the model reads {dataset.modality.noun}s, not names"
        raise UserError(what, where="--names", fix="leave it out")
    words = words_of(dataset.classes, asked)
    if not len(words):
        return dataset
    each = len(train) / len(dataset.classes)
    if each >= GONE:
        if asked is None:
            return dataset
        note = f"with {each:,.0f} labels a class names say nothing more, and are left out"
        return replace(dataset, notes=(*dataset.notes, note))
    return replace(dataset, words=words, notes=(*dataset.notes, _note(dataset, words)))


def _note(dataset: Dataset, words: ClassWords) -> str:
    shown = [
        f"{short_name(dataset.classes[number])!r} as {text!r}"
        for text, number in zip(words.texts[:_SHOWN], words.classes[:_SHOWN].tolist(), strict=True)
    ]
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    read = f"{', '.join(shown)}{more}"
    return f"the name of a class counts as one of its examples ({read}): --names none or --names FILE changes that"
