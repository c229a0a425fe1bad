"""The scikit-learn face of classification, with one label an example or several."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from headstart.data.labels.cells import label_cells
from headstart.data.labels.targets import as_class, as_labels
from headstart.errors import DataError
from headstart.estimators.estimator import Estimator, inputs_of, weights_of
from headstart.task import Task
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.multilabel import MULTILABEL


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
        how_: "probe", "tune", "full" or "lora".
        why_: a sentence.

    Example:
        >>> texts = ["a sunny day", "a day of snow", "a warm wind", "ice and cold"] * 5
        >>> model = hs.HeadstartClassifier("all-MiniLM-L6-v2").fit(texts, ["warm", "cold"] * 10)
        >>> model.predict(["much snow"])
        array(['cold'], dtype='<U4')
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> HeadstartClassifier:
        """Learn from inputs and labels.

        Args:
            y: (n,) labels; or, of several an example, (n, c) of 0 and 1 (of a DataFrame, the columns name the labels),
                or n lists of names. `predict` gives (n, c) of 0 and 1 then.
            sample_weight: (n,) how many examples each row counts for, finite and not negative; a row of weight 0 is
                left out. None: one.

        Raises:
            DataError: an input that cannot be read, a label that is missing, or fewer than two classes.
            ValueError: no inputs; weights that are none, or that leave one class.
        """
        X = inputs_of(X, self)
        y, names_of_labels = _labels(y)
        if len(y) != len(X):
            raise DataError(f"{len(X)} inputs and {len(y)} labels", where="y", fix="one label an input")
        weights = weights_of(sample_weight, len(y))
        self._several = y.ndim == 2
        index: np.ndarray = y
        numbered = np.arange(y.shape[-1]) if names_of_labels is None else names_of_labels
        self.classes_: np.ndarray = numbered if self._several else np.unique(y)
        if not self._several:
            index = np.searchsorted(self.classes_, y)
        counted = index if weights is None else index[weights > 0]
        (_refuse_no_label if self._several else _refuse_one_class)(self.classes_, counted)
        wide = len(str(len(self.classes_)))
        names = [f"{i:0{wide}}" for i in range(len(self.classes_))]  # in the order of the labels
        told = [tuple(names[c] for c in np.flatnonzero(row)) if self._several else names[row] for row in index]
        dataset = self._examples(X, told, self._task, weights)
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

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of examples whose label is right; of several an example, whose labels all are.

        Args:
            y: as `fit` takes it; a label that the model does not know is none that it could have given.
        """
        inputs, (true, names) = inputs_of(X, self), _labels(y)
        if self._task is CLASSIFICATION:
            return float(super().score(inputs, true, sample_weight))
        columns = {str(name): column for column, name in enumerate(self.classes_)}
        named = list(columns) if names is None else names.tolist()
        if true.shape != (len(inputs), len(named)) or not columns.keys() & set(named):
            what = f"y has the shape {true.shape}, and of its labels the model knows {len(columns.keys() & set(named))}"
            raise DataError(what, where="y", fix=f"{len(inputs)} rows of labels, as fit was given them")
        right = np.ones(len(inputs), dtype=bool)
        for guess, name in zip(self.predict(inputs).T, columns, strict=True):
            right &= guess == (true[:, named.index(name)] if name in named else 0)
        for name in set(named) - columns.keys():
            right &= true[:, named.index(name)] == 0
        return float(np.average(right, weights=sample_weight))

    def _in_order(self, values: np.ndarray, missing: float) -> np.ndarray:
        """With a column for each of `classes_`; those that no example has are filled."""
        out = np.full((len(values), len(self.classes_)), missing)
        out[:, self._columns] = values
        return out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _refuse_one_class(classes: np.ndarray, index: np.ndarray) -> None:
    """Raises DataError where there is one class, ValueError where only one has a weight; index: those that have."""
    names = classes[np.unique(index)].tolist()
    if len(classes) < 2:
        raise DataError(f"one class {names[0]!r}", where="y", fix="a classifier needs at least two")
    if len(names) < 2:
        raise ValueError(f"sample_weight is zero but for one class, {names[0]!r}: a classifier needs at least two")


def _refuse_no_label(classes: np.ndarray, index: np.ndarray) -> None:
    """Raises DataError where no example that has a weight has a label; index: (n, c) of 0 and 1, of those."""
    if len(index) and not index.any():
        what = "no example has a label" if not len(classes) else f"none of {len(classes)} labels is 1 of any example"
        raise DataError(what, where="y", fix="one example at least has to have a label, and a weight above 0")


def _labels(y: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """(n,) labels; or (n, c) of 0 and 1, and (c,) what the columns are called: in lists, the names in them.

    Raises:
        DataError: a label is missing, or these are no labels.
    """
    cells = label_cells(y, where="y")
    several = any(isinstance(cell, tuple) for cell in cells)
    told = [as_labels(cell) if several else as_class(cell) for cell in cells]
    missing = next((row for row, cell in enumerate(told) if cell is None), None)
    if missing is not None:
        raise DataError("no label", where=f"y, row {missing + 1}", fix="leave the example out, or label it")
    matrix = _matrix(y)
    if matrix is not None:
        named = getattr(y, "column_names", getattr(y, "columns", None))
        return matrix, np.array(list(named)) if named is not None and all(isinstance(n, str) for n in named) else None
    if not several:
        return np.asarray(y).ravel(), None
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
