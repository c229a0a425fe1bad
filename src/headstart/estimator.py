"""The scikit-learn face of headstart: estimators over image paths, PIL images, uint8 arrays, texts, or questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.lesson import Adapted
from headstart.answering.answerer import Answerer
from headstart.answering.lesson import AnsweringLesson
from headstart.answering.metrics import f1
from headstart.answering.settings import Settings
from headstart.choose.choose import method_of
from headstart.clock import Budget, seconds_of
from headstart.data.check import check
from headstart.data.frame import kind_of, read_pairs
from headstart.data.question_pairs import questions_of
from headstart.data.read import as_dataset
from headstart.encode.encode import encode_rows
from headstart.errors import DataError, ModelError
from headstart.pretrained.rebuild import describe_saved, verified
from headstart.session import Session
from headstart.tasks.answering import ANSWERING
from headstart.tasks.classification import CLASSIFICATION
from headstart.values import Backbone, Dataset, Features, Kind


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """What all of them tell scikit-learn: inputs are no table of numbers."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


class HeadstartClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A linear head on a frozen pre-trained model. All rows given to `fit` are learned from; nothing is saved.

    Args:
        model: catalog name, hub name or folder; "auto" takes the starter of the kind of data.
        kind: "image" or "text"; None: seen from X.
        seed: of the folds in which the penalty is chosen.

    Attributes:
        classes_: (n_classes,) the labels, sorted.
    """

    def __init__(self, model: str = "auto", *, kind: Kind | None = None, seed: int = 0) -> None:
        self.model = model
        self.kind = kind
        self.seed = seed

    def fit(self, X: Any, y: Any) -> HeadstartClassifier:
        """Learn from inputs and labels.

        Raises:
            DataError: an input that cannot be read, or fewer than two classes.
        """
        inputs = _inputs(X)
        y = np.asarray(y)
        if len(y) != len(inputs):
            raise DataError(f"{len(inputs)} inputs and {len(y)} labels", where="y", fix="one label an input")
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"one class {self.classes_[0]!r}", where="y", fix="a classifier needs at least two")
        self.kind_ = self.kind or kind_of(inputs)
        self.backbone_ = self._load()
        wide = len(str(len(self.classes_)))
        dataset, features = self._features(inputs, [f"{i:0{wide}}" for i in index])  # in the order of the labels
        rows, basis = np.arange(len(dataset)), fit_basis(features.matrix)
        self.head_ = fit_probe(dataset, rows, features, basis=basis, seed=self.seed)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, n_classes) probabilities, columns in the order of `classes_`."""
        check_is_fitted(self)
        dataset, features = self._features(_inputs(X), None)
        predictor = CLASSIFICATION.predictor(self.backbone_, self.head_)
        rows = np.arange(len(dataset))
        return CLASSIFICATION.probabilities(  # type: ignore[misc]
            predictor.outputs(dataset, rows, known=features, advance=lambda _: None)
        )

    def predict(self, X: Any) -> np.ndarray:
        """(n,) labels."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def __getstate__(self) -> dict[str, Any]:
        """Pickles hold the head and the backbone's name and hash, not its weights."""
        state = dict(super().__getstate__())
        backbone = state.pop("backbone_", None)
        return state if backbone is None else {**state, "weights_hash_": backbone.weights_hash}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Raises ModelError where the backbone is not at hand, or another one has its name."""
        super().__setstate__(state)
        if "weights_hash_" in state:
            self.backbone_ = self._load()
            if self.backbone_.weights_hash != state["weights_hash_"]:
                raise ModelError(f"{self.backbone_.name} has other weights than when this was fitted", where="pickle")

    def _load(self) -> Backbone:
        modality = CLASSIFICATION.modalities[self.kind_]
        name = modality.default_model if self.model == "auto" else self.model
        return CLASSIFICATION.learner.load(name, kind=self.kind_)

    def _features(self, inputs: list[Any], labels: list[str] | None) -> tuple[Dataset, Features]:
        dataset = as_dataset(read_pairs(inputs, labels, self.backbone_.kind), CLASSIFICATION)
        checked = check(dataset, purpose="predict")
        for finding in checked.rejected:
            raise DataError(finding.reason, where=finding.where, fix="leave it out, or repair it")
        return checked, encode_rows(checked, np.arange(len(checked)), self.backbone_)


class HeadstartQA(_Estimator):
    """A pre-trained model that learns to find answers. All rows given to `fit` are learned from; see `headstart.fit`
    for a split, scores and a folder.

    X is a sequence of (question, context), or a DataFrame with columns of these names (and `title`, if documents have
    several contexts). An answer is a text that stands in its context; a pair (text, first character) where it stands
    there more than once, else its first place is learned; "" or None where there is none.

    The trained weights are kept in headstart's cache, not in pickles: these hold the place and the hash of the weights,
    and opening one where they are gone raises a ModelError. A model that is to go elsewhere is made by `headstart.fit`.

    Args:
        model: as for `headstart.fit`.
        how: as for `headstart.fit`.
        budget: wall time of one `fit`, "90s", "2m", "1h" or seconds; None: two minutes.
        seed: of the folds within the training, and of what is drawn.

    Attributes:
        answerer_: to ask: `answerer_.answer(question, context)`.
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

    def fit(self, X: Any, y: Any) -> HeadstartQA:
        """Learn from questions, contexts and answers.

        Raises:
            DataError: a row that cannot be used, with its number; no row is left out.
            UserError: as `headstart.fit`, of the model, the way and the time.
        """
        session, method = Session(Budget(seconds_of(self.budget))), method_of(self.how)
        dataset = check(_questions(X, y), purpose="evaluate")
        name = ANSWERING.modalities["passage"].default_model if self.model == "auto" else self.model
        backbone = ANSWERING.learner.load(name, kind="text")
        _refuse_long(Answerer(backbone), dataset)
        adapted = self._adapted(dataset, backbone, method, session)
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

    def _adapted(self, dataset: Dataset, backbone: Backbone, method: Any, session: Session) -> Adapted:
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
        if why is not None:
            return lesson.without_training(why)
        from headstart.adapt.train import train  # loads torch

        return train(lesson, method, session)

    def __getstate__(self) -> dict[str, Any]:
        """Pickles hold the settings, and where the weights lie and their hash."""
        state = dict(super().__getstate__())
        answerer = state.pop("answerer_", None)
        return state if answerer is None else {**state, "kept_": _kept(answerer)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Raises ModelError where the weights are gone, or others are in their place."""
        kept = state.get("kept_")
        super().__setstate__({name: value for name, value in state.items() if name != "kept_"})
        if kept is not None:
            backbone = verified(kept["backbone"], Path(kept["weights"]), tokenizer=kept["tokenizer"])
            self.answerer_ = Answerer(backbone, Settings(**kept["settings"]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _kept(answerer: Answerer) -> dict[str, Any]:
    backbone = answerer.backbone
    told = {"backbone": describe_saved(backbone), "tokenizer": backbone.texts.tokenizer}
    return {**told, "weights": str(backbone.weights.resolve()), "settings": vars(answerer.settings)}


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


def _inputs(X: Any) -> list[Any]:
    if isinstance(X, str) or not (isinstance(X, Sequence | np.ndarray) or hasattr(X, "tolist")):
        raise DataError(f"X is a {type(X).__name__}", where="X", fix="a sequence of paths, images or texts")
    if hasattr(X, "columns"):  # a DataFrame of one column
        X = X.iloc[:, 0]
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUS" and X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OUS":
        return list(X)
    return list(X.tolist() if hasattr(X, "tolist") else X)
