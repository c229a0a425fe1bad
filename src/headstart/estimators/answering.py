"""The scikit-learn face of question answering: an estimator over pairs of a question and a text."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from headstart.answering.answerer import Answerer
from headstart.answering.lesson import AnsweringLesson
from headstart.answering.metrics import f1
from headstart.answering.settings import Settings
from headstart.choose.choose import method_of
from headstart.clock import Budget, seconds_of
from headstart.data.check import check
from headstart.data.questions.question_pairs import questions_of
from headstart.data.read import as_dataset
from headstart.errors import DataError
from headstart.estimators.estimator import Estimator, refuse_none
from headstart.pretrained.rebuild import from_where_kept, where_kept
from headstart.session import Session
from headstart.tasks.answering import ANSWERING
from headstart.values import Dataset


class HeadstartQA(Estimator):
    """A pre-trained model that learns to find answers. All rows given to `fit` are learned from; see `headstart.fit`
    for a split, scores and a folder.

    X is a sequence of (question, context), or a DataFrame with columns of these names (and `title`, if documents have
    several contexts). An answer is a text that stands in its context; a pair (text, first character) where it stands
    there more than once, else its first place is learned; "" or None where there is none.

    The trained weights are kept in headstart's cache, not in pickles: these hold the place and the hash of the weights,
    and opening one where they are gone raises a ModelError. A model that is to go elsewhere is made by `headstart.fit`.

    Args:
        model, how, budget: as for `headstart.fit`.
        seed: of the folds within the training, and of what is drawn.

    Attributes:
        answerer_: to ask: `answerer_.answer(question, context)`.
        how_: "tune", "full", "lora", or "probe" where the model was left as it came.
        why_: a sentence.

    Example:
        >>> asked = [("When was it built?", f"Tower {n} was built in {1900 + n}.") for n in range(8)]
        >>> reader = hs.HeadstartQA("deepset/minilm-uncased-squad2", how="probe")
        >>> reader.fit(asked, [str(1900 + n) for n in range(8)]).predict(asked[:1])
        array(['1900'], dtype=object)
    """

    def __init__(
        self, model: str = "auto", *, how: str = "auto", budget: float | str | None = None, seed: int = 0
    ) -> None:
        self.model = model
        self.how = how
        self.budget = budget
        self.seed = seed

    def fit(self, X: Any, y: Any) -> HeadstartQA:
        """Learn from questions, contexts and answers; examples have no weights here.

        Raises:
            DataError: a row that cannot be used, with its number; no row is left out.
            UserError: as `headstart.fit`, of the model, the way and the time.
        """
        session, method = Session(Budget(seconds_of(self.budget))), method_of(self.how)
        dataset = check(_questions(X, y), purpose="evaluate")
        name = dataset.modality.default_model if self.model == "auto" else self.model
        backbone = ANSWERING.learner.load(name, kind="text")
        _refuse_long(Answerer(backbone), dataset)
        rows = np.arange(len(dataset))
        lesson = AnsweringLesson(
            dataset=dataset,
            rows=rows,
            tested=dataset.passages.take(rows[:0]),
            backbone=backbone,
            method=method,
            seed=self.seed,
            session=session,
            findings=(),
            notes=(),
            strict=True,
        )
        why = lesson.declined()
        if why is None:
            from headstart.adapt.train import train  # loads torch

            adapted = train(lesson, method, session)
        else:
            adapted = lesson.without_training(why)
        if adapted.checkpoint is not None:
            adapted.checkpoint.remove()
        self.answerer_ = Answerer(adapted.backbone, adapted.head)
        self.how_, self.why_ = adapted.method, adapted.why
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(n,) texts of the best answers, dtype object; "" where there is none.

        Raises:
            DataError: an empty question or context, or a question that is too long, with its row.
        """
        check_is_fitted(self)
        dataset = _questions(X, None)
        refuse_none(dataset, self)
        _refuse_long(self.answerer_, dataset)
        answers = self.answerer_.outputs(dataset, np.arange(len(dataset)))
        return np.array([answer.text for answer in answers], dtype=object)

    def score(self, X: Any, y: Any) -> float:
        """Mean F1 of the predictions by SQuAD's rules.

        Raises:
            DataError: as `fit` and `predict`.
        """
        true = [[text for text, _ in answers] for answers in _questions(X, y).targets]
        return float(np.mean([f1(text, answers) for text, answers in zip(self.predict(X), true, strict=True)]))

    def __getstate__(self) -> dict[str, Any]:
        """Pickles hold the settings, and where the weights lie and their hash."""
        state = dict(super().__getstate__())
        answerer = state.pop("answerer_", None)
        if answerer is None:
            return state
        return {**state, "answering_": (where_kept(answerer.backbone), vars(answerer.settings))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Raises ModelError where the weights are gone, or others are in their place."""
        kept = state.get("answering_")
        super().__setstate__({name: value for name, value in state.items() if name != "answering_"})
        if kept is not None:
            where, settings = kept
            self.answerer_ = Answerer(from_where_kept(where), Settings(**settings))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _questions(X: Any, y: Any) -> Dataset:
    """Rows as questions; without y, as questions to be answered.

    Raises:
        DataError: a row that cannot be used.
    """
    dataset = as_dataset(questions_of(X, y), ANSWERING)
    for finding in dataset.rejected:
        raise DataError(finding.reason, where=finding.where, fix="leave it out, or repair it")
    return dataset


def _refuse_long(answerer: Answerer, dataset: Dataset) -> None:
    for finding in answerer.too_long(dataset):
        raise DataError(f"the question is too long ({finding.reason})", where=finding.where, fix="ask in fewer words")
