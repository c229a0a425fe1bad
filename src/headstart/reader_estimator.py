"""The scikit-learn face of a reader: an estimator over pairs of a question and a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from headstart.answering.metrics import f1
from headstart.choose.choose import way_of
from headstart.clock import Budget, seconds_of
from headstart.data.answers import Asked, Given, checked
from headstart.data.table import as_text
from headstart.errors import DataError
from headstart.pretrained.catalog import DEFAULT
from headstart.pretrained.load import load_reader as load_backbone
from headstart.pretrained.rebuild import describe_saved, verified
from headstart.progress import Silent
from headstart.reader import Reader, Settings
from headstart.tracking.track import Record
from headstart.values import Questions, TextPreparation


class HeadstartReader(BaseEstimator):  # type: ignore[misc]
    """A pre-trained model that learns to find answers. All rows given to `fit` are learned from; see `fit_reader` for
    a split, scores and a folder.

    X is a sequence of (question, context), or a DataFrame with columns of these names (and `title`, if documents have
    several contexts). An answer is a text that stands in its context; a pair (text, first character) where it stands
    there more than once, else its first place is learned; "" or None where there is none.

    The trained weights are kept in headstart's cache, not in pickles: these hold the place and the hash of the weights,
    and opening one where they are gone raises a ModelError. A model that is to go elsewhere is made by `fit_reader`.

    Args:
        model: as for `fit_reader`.
        how: as for `fit_reader`.
        budget: wall time of one `fit`, "90s", "2m", "1h" or seconds; None: two minutes.
        seed: of the folds within the training, and of what is drawn.

    Attributes:
        reader_: the Reader, to ask: `reader_.answer(question, context)`.
        how_: "tune", "full", "lora", or "probe" where the model was left as it came.
        why_: a sentence.
    """

    def __init__(
        self, model: str = "auto", *, how: str = "auto", budget: float | str | None = None, seed: int = 0
    ) -> None:
        self.model = model
        self.how = how
        self.budget = budget
        self.seed = seed

    def fit(self, X: Any, y: Any) -> HeadstartReader:
        """Learn from questions, contexts and answers.

        Raises:
            DataError: a row that cannot be used, with its number; no row is left out.
            UserError: as `fit_reader`, of the model, the way and the time.
        """
        time_left, way = Budget(seconds_of(self.budget)), way_of(self.how)
        questions = _questions(X, y)
        backbone = load_backbone(DEFAULT["text"] if self.model == "auto" else self.model, new_head=True)
        _refuse_long(Reader(backbone), questions)
        from headstart.adapt.tuning import Terms  # torch is loaded here, once the data are known to be good
        from headstart.answering.learn import learn

        terms = Terms(way, time_left, 0.0, self.seed, Silent(), Record())
        nothing = questions.take(np.empty(0, dtype=np.int64))
        learned = learn(questions, backbone, terms, tested=nothing, strict=True)
        if learned.journal is not None:
            learned.journal.remove()
        self.reader_ = Reader(learned.backbone, settings=learned.settings)
        self.how_, self.why_ = learned.how, learned.why
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(n,) texts of the best answers, dtype object; "" where there is none.

        Raises:
            DataError: an empty question or context, or a question that is too long, with its row.
        """
        check_is_fitted(self)
        questions = _questions(X, None)
        _refuse_long(self.reader_, questions)
        return np.array([answer.text for answer in self.reader_.answer_all(questions)], dtype=object)

    def score(self, X: Any, y: Any) -> float:
        """Mean F1 of the predictions by SQuAD's rules.

        Raises:
            DataError: as `fit` and `predict`.
        """
        true = [[text for text, _ in answers] for answers in _questions(X, y).answers]
        return float(np.mean([f1(text, answers) for text, answers in zip(self.predict(X), true, strict=True)]))

    def __getstate__(self) -> dict[str, Any]:
        """Pickles hold the settings, and where the weights lie and their hash."""
        state = dict(super().__getstate__())
        reader = state.pop("reader_", None)
        return state if reader is None else {**state, "kept_reader_": _kept(reader)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Raises ModelError where the weights are gone, or others are in their place."""
        kept = state.get("kept_reader_")
        super().__setstate__({name: value for name, value in state.items() if name != "kept_reader_"})
        if kept is not None:
            backbone = verified(kept["backbone"], Path(kept["weights"]), tokenizer=kept["tokenizer"])
            self.reader_ = Reader(backbone, settings=Settings(**kept["settings"]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        tags.no_validation = True
        return tags


def _kept(reader: Reader) -> dict[str, Any]:
    backbone = reader.backbone
    if not isinstance(backbone.preparation, TextPreparation):
        raise TypeError("a reader reads texts")
    told = {"backbone": describe_saved(backbone), "tokenizer": backbone.preparation.tokenizer}
    return {**told, "weights": str(backbone.weights.resolve()), "settings": asdict(reader.settings)}


def _questions(X: Any, y: Any) -> Questions:
    """Rows as questions; without y, as questions to be answered."""
    pairs, titles = _pairs(X)
    answers = [None] * len(pairs) if y is None else list(y.tolist() if hasattr(y, "tolist") else y)
    if len(answers) != len(pairs):
        raise DataError(f"{len(pairs)} questions and {len(answers)} answers", where="y", fix="one answer a question")
    rows = [
        Asked(
            where=f"row {number}",
            context=as_text(context),
            question=as_text(question),
            answers=_given(answer, f"row {number}"),
            id=str(number),
            title=as_text(title),
        )
        for number, (question, context), title, answer in zip(count(1), pairs, titles, answers, strict=False)
    ]
    questions = checked(rows, name="X")
    for finding in questions.rejected:
        raise DataError(finding.reason, where=finding.where, fix="leave it out, or repair it")
    return questions


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


def _refuse_long(reader: Reader, questions: Questions) -> None:
    for finding in reader.too_long(questions):
        raise DataError(f"the question is too long ({finding.reason})", where=finding.where, fix="ask in fewer words")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
