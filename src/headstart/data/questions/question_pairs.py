"""Questions with their texts and answers, as scikit-learn hands them over: X and y."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np

from headstart.data.labels.values import as_text
from headstart.data.questions.answer_cells import Given
from headstart.data.questions.answers import QuestionRow, checked
from headstart.errors import DataError
from headstart.values import Examples


def questions_of(X: Any, y: Any) -> Examples:
    """Rows as questions; without y, as questions to be answered.

    Raises:
        DataError: X or y has another form, or another number of rows.
    """
    pairs, titles = _pairs(X)
    answers = [None] * len(pairs) if y is None else list(y.tolist() if hasattr(y, "tolist") else y)
    if len(answers) != len(pairs):
        raise DataError(f"{len(pairs)} questions and {len(answers)} answers", where="y", fix="one answer a question")
    rows = [
        QuestionRow(
            where=f"row {number}",
            context=as_text(context),
            question=as_text(question),
            answers=_given(answer, f"row {number}"),
            id=str(number),
            title=as_text(title),
        )
        for number, (question, context), title, answer in zip(count(1), pairs, titles, answers, strict=False)
    ]
    return checked(rows, name="X")


def _pairs(X: Any) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """(question, context) of each row, and the titles of their documents."""
    if hasattr(X, "columns"):  # a DataFrame
        missing = [name for name in ("question", "context") if name not in X.columns]
        if missing:
            raise DataError(f"no column {missing[0]!r}", where="X", fix="columns question and context")
        titles = X["title"].tolist() if "title" in X.columns else [None] * len(X)
        return list(zip(X["question"].tolist(), X["context"].tolist(), strict=True)), titles
    if isinstance(X, str) or not isinstance(X, Sequence | np.ndarray):
        raise DataError(f"X is a {type(X).__name__}", where="X", fix="a sequence of (question, context)")
    pairs = []
    for number, row in enumerate(X, start=1):
        if isinstance(row, str) or not isinstance(row, Sequence | np.ndarray) or len(row) != 2:
            raise DataError(f"{_short(row)} is no pair", where=f"row {number}", fix="give (question, context)")
        pairs.append((row[0], row[1]))
    return pairs, [None] * len(pairs)


def _given(answer: Any, where: str) -> list[Given]:
    """An answer as `data.answers` takes it; []: there is none."""
    start: int | None = None
    if not isinstance(answer, str) and isinstance(answer, Sequence | np.ndarray):
        if len(answer) != 2 or not isinstance(answer[1], int | np.integer):
            raise DataError(f"{_short(answer)} is no answer", where=where, fix="a text, or (text, first character)")
        answer, start = answer[0], int(answer[1])
    text = as_text(answer)
    return [] if text is None or not text.strip() else [(text, start)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
