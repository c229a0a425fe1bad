"""The scikit-learn face of headstart: estimators over image paths, PIL images, uint8 arrays, texts or pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from headstart.adapt.adapt import adapt
from headstart.adapt.lesson import Adapted
from headstart.adapt.plan import Plan
from headstart.choose.choose import method_of
from headstart.clock import Budget, seconds_of
from headstart.data.check import check
from headstart.data.frame import kind_of, read_pairs
from headstart.data.labels import as_labels, label_cells
from headstart.data.read import as_dataset
from headstart.encode.encode import encode_rows
from headstart.errors import DataError, ModelError
from headstart.pretrained.rebuild import describe_saved, verified
from headstart.session import Session
from headstart.task import Task
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.multilabel import MULTILABEL
from headstart.tasks.regression import REGRESSION
from headstart.values import Backbone, Dataset, Head, Split


class Estimator(BaseEstimator):  # type: ignore[misc]
    """What all of them have in common: which model, how long, and that inputs are no table of numbers."""

    def __init__(
        self,
        model: str = "auto",
        *,
        how: str = "auto",
        metric: str = "auto",
        budget: float | str | None = None,
        kind: str | None = None,
        seed: int = 0,
    ) -> None:
        self.model = model
        self.how = how
        self.metric = metric
        self.budget = budget
        self.kind = kind
        self.seed = seed

    def _learn(self, dataset: Dataset, task: Task) -> Adapted:
        """All rows are learned from; nothing is saved."""
        session, method = Session(Budget(seconds_of(self.budget))), method_of(self.how)
        dataset = replace(dataset, task=task.choosing_by(self.metric))
        name = dataset.modality.default_model if self.model == "auto" else self.model
        backbone = task.learner.load(name, kind=dataset.modality.kind)
        rows = np.arange(len(dataset))
        with session.step("encode"):
            features = encode_rows(dataset, rows, backbone)
        parts = Split(rows, rows[:0], official=False)
        adapted = adapt(dataset, parts, Plan(backbone, method, "asked for", rows), features, session, seed=self.seed)
        if adapted.checkpoint is not None:
            adapted.checkpoint.remove()
        self.how_, self.why_ = adapted.method, adapted.why
        return adapted

    def _examples(self, X: Any, y: Any, task: Task) -> Dataset:
        """Checked examples; raises DataError for a row that cannot be used: none is left out."""
        inputs = _inputs(X)
        examples = read_pairs(inputs, y, self.kind or kind_of(inputs))
        dataset = check(as_dataset(examples, task), purpose="predict" if y is None else "evaluate")
        for finding in dataset.rejected:
            raise DataError(finding.reason, where=finding.where, fix="leave it out, or repair it")
        return dataset

    def _outputs(self, X: Any, task: Task) -> np.ndarray:
        check_is_fitted(self)
        dataset = self._examples(X, None, task)
        predictor = task.predictor(self.backbone_, self.head_)
        outputs: np.ndarray = predictor.outputs(dataset, np.arange(len(dataset)), advance=lambda _: None)
        return outputs

    def _keep(self, adapted: Adapted) -> None:
        self.backbone_: Backbone = adapted.backbone
        self.head_: Head = adapted.head

    def __getstate__(self) -> dict[str, Any]:
        """Pickles hold the head, and where the weights lie and their hash, not the weights."""
        state = dict(super().__getstate__())
        backbone = state.pop("backbone_", None)
        return state if backbone is None else {**state, "kept_": kept_weights(backbone)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Raises ModelError where the weights are gone, or others are in their place."""
        kept = state.get("kept_")
        super().__setstate__({name: value for name, value in state.items() if name != "kept_"})
        if kept is not None:
            self.backbone_ = self._again(kept)

    def _again(self, kept: dict[str, Any]) -> Backbone:
        """The backbone of a pickle: by its name, where it is as it came, else where its weights were kept."""
        if getattr(self, "how_", "") != "probe":
            return verified(kept["backbone"], Path(kept["weights"]), tokenizer=kept["tokenizer"])
        backbone = CLASSIFICATION.learner.load(kept["backbone"]["name"], kind=kept["backbone"]["kind"])
        if backbone.weights_hash != kept["backbone"]["weights_hash"]:
            raise ModelError(f"{backbone.name} has other weights than when this was fitted", where="pickle")
        return backbone

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


class HeadstartClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """A pre-trained model with a head for the user's classes, or for several labels an example. All rows given to `fit`
    are learned from; see `headstart.fit` for a split, scores and a folder.

    Args:
        model: catalog name, hub name or folder; "auto" takes the starter of the kind of data.
        how: as for `headstart.fit`; "probe" leaves the model frozen.
        metric: as for `headstart.fit`: what is chosen by.
        budget: wall time of one `fit`, "90s", "2m", "1h" or seconds; None: two minutes.
        kind: "image", "text" or "pair"; None: seen from X.
        seed: of the folds in which the penalty is chosen, and of what is drawn.

    Attributes:
        classes_: (n_classes,) the labels, sorted.
        how_: "probe", "tune", "full" or "lora". why_: a sentence.
    """

    def __init__(
        self,
        model: str = "auto",
        *,
        how: str = "probe",
        metric: str = "auto",
        budget: float | str | None = None,
        kind: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, how=how, metric=metric, budget=budget, kind=kind, seed=seed)

    def fit(self, X: Any, y: Any) -> HeadstartClassifier:
        """Learn from inputs and labels.

        Args:
            y: (n,) labels; or, of several an example, (n, c) of 0 and 1, or n lists of names. `predict` gives (n, c) of
                0 and 1 then.

        Raises:
            DataError: an input that cannot be read, a label that is missing, or fewer than two classes.
        """
        y, names_of_labels = _labels(y)
        if len(y) != len(_inputs(X)):
            raise DataError(f"{len(_inputs(X))} inputs and {len(y)} labels", where="y", fix="one label an input")
        self._several = y.ndim == 2
        index: np.ndarray = y
        self.classes_: np.ndarray = names_of_labels if self._several else np.unique(y)
        if not self._several:
            index = np.searchsorted(self.classes_, y)
        if not self._several and len(self.classes_) < 2:
            raise DataError(f"one class {self.classes_[0]!r}", where="y", fix="a classifier needs at least two")
        wide = len(str(len(self.classes_)))
        names = [f"{i:0{wide}}" for i in range(len(self.classes_))]  # in the order of the labels
        told = [tuple(names[c] for c in np.flatnonzero(row)) if self._several else names[row] for row in index]
        dataset = self._examples(X, told, self._task)
        adapted = self._learn(dataset, self._task)
        self._keep(adapted)
        self._columns = [names.index(name) for name in adapted.head.classes]
        return self

    @property
    def _task(self) -> Task:
        return MULTILABEL if getattr(self, "_several", False) else CLASSIFICATION

    def decision_function(self, X: Any) -> np.ndarray:
        """(n, n_classes) logits, columns in the order of `classes_`; (n,) of the second class where there are two."""
        logits = self._in_order(self._outputs(X, self._task), -np.inf)
        return logits if self._several or len(self.classes_) > 2 else logits[:, 1] - logits[:, 0]

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, n_classes) probabilities, columns in the order of `classes_`."""
        outputs = self._outputs(X, self._task)
        of = self._task.probabilities
        return self._in_order(outputs if of is None else of(outputs), 0.0)

    def predict(self, X: Any) -> np.ndarray:
        """(n,) labels; or (n, c) of 0 and 1, as y was."""
        probabilities = self.predict_proba(X)
        if not self._several:
            return np.asarray(self.classes_[probabilities.argmax(axis=1)])
        thresholds = np.full(len(self.classes_), np.inf)
        thresholds[self._columns] = self.head_.thresholds
        return (probabilities >= thresholds).astype(np.int64)

    def _in_order(self, values: np.ndarray, missing: float) -> np.ndarray:
        """With a column for each of `classes_`; those that no example has are filled."""
        out = np.full((len(values), len(self.classes_)), missing)
        out[:, self._columns] = values
        return out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class HeadstartRegressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """A pre-trained model with a head that gives a number. Arguments as for `HeadstartClassifier`."""

    def __init__(
        self,
        model: str = "auto",
        *,
        how: str = "probe",
        metric: str = "auto",
        budget: float | str | None = None,
        kind: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(model, how=how, metric=metric, budget=budget, kind=kind, seed=seed)

    def fit(self, X: Any, y: Any) -> HeadstartRegressor:
        """Learn from inputs and numbers.

        Raises:
            DataError: an input that cannot be read, or a target that is no number.
        """
        y = np.asarray(y).ravel()
        if len(y) != len(_inputs(X)):
            raise DataError(f"{len(_inputs(X))} inputs and {len(y)} numbers", where="y", fix="one number an input")
        self._keep(self._learn(self._examples(X, y, REGRESSION), REGRESSION))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(n,) float64."""
        return self._outputs(X, REGRESSION)[:, 0].astype(np.float64)

    def predict_interval(self, X: Any) -> np.ndarray:
        """(n, 2) ends of intervals that hold nine of ten values."""
        values, width = self.predict(X), self.head_.width or 0.0
        return np.stack([values - width, values + width], axis=1)


class HeadstartEncoder(TransformerMixin, Estimator):  # type: ignore[misc]
    """A frozen pre-trained model's features, for a head of one's own. What was encoded once is not encoded again.

    Args:
        model: catalog name, hub name or folder; "auto" takes the starter of the kind of data.
        kind: "image", "text" or "pair"; None: seen from X.
    """

    def __init__(self, model: str = "auto", *, kind: str | None = None) -> None:
        self.model = model
        self.kind = kind

    def fit(self, X: Any, y: Any = None) -> HeadstartEncoder:
        """Open the model; nothing is learned."""
        modality = self._examples(X, None, CLASSIFICATION).modality
        self.how_, name = "probe", modality.default_model if self.model == "auto" else self.model
        self.backbone_ = CLASSIFICATION.learner.load(name, kind=modality.kind)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """(n, width) float32.

        Raises:
            DataError: an input that cannot be read.
        """
        check_is_fitted(self, "backbone_")
        dataset = self._examples(X, None, CLASSIFICATION)
        features: np.ndarray = encode_rows(dataset, np.arange(len(dataset)), self.backbone_).matrix[:]
        self.width_ = features.shape[1]
        return features

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """(width,) names of the columns, dtype object."""
        check_is_fitted(self, "backbone_")
        width = getattr(self, "width_", self.backbone_.width)
        return np.array([f"{self.backbone_.name}_{i}" for i in range(width)], dtype=object)


def kept_weights(backbone: Backbone) -> dict[str, Any]:
    tokenizer = getattr(backbone.preparation, "tokenizer", None)
    return {"backbone": describe_saved(backbone), "tokenizer": tokenizer, "weights": str(backbone.weights.resolve())}


def _labels(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """(n,) labels, and nothing; or (n, c) of 0 and 1, and (c,) what the columns are: numbers, or the names in lists.

    Raises:
        DataError: a label is missing, or these are no labels.
    """
    cells = label_cells(y, where="y")
    missing = next((row for row, cell in enumerate(cells) if cell is None), None)
    if missing is not None:
        raise DataError("no label", where=f"y, row {missing + 1}", fix="leave the example out, or label it")
    matrix = _matrix(y)
    if matrix is not None:
        return matrix, np.arange(matrix.shape[1])
    if not any(isinstance(cell, tuple) for cell in cells):
        return np.asarray(y).ravel(), np.arange(0)
    rows = [set(as_labels(cell) or ()) for cell in cells]
    names = sorted(set().union(*rows))
    return np.array([[int(name in row) for name in names] for row in rows]), np.array(names)


def _matrix(y: Any) -> np.ndarray | None:
    """(n, c) of numbers, where y is that; None: it is not."""
    try:
        array = np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    except ValueError:  # lists of different lengths
        return None
    return array if array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "biuf" else None


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
