"""The scikit-learn face of headstart: an estimator over image paths, PIL images, uint8 arrays or texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_head
from headstart.data.check import check
from headstart.data.frame import kind_of, read_pairs
from headstart.encode.encode import encode
from headstart.errors import DataError, ModelError
from headstart.evaluate.metrics import softmax
from headstart.pretrained.catalog import DEFAULT
from headstart.pretrained.load import load
from headstart.values import Backbone, Dataset, Kind


class HeadstartClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
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
        checked, features = self._features(inputs)
        names = tuple(str(i) for i in range(len(self.classes_)))
        self.head_ = fit_head(
            features,
            index,
            basis=fit_basis(features.matrix),
            classes=names,
            kind=checked.kind,
            groups=checked.groups,  # type: ignore[arg-type]
            digests=checked.digests,  # type: ignore[arg-type]
            seed=self.seed,
        )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, n_classes) probabilities, columns in the order of `classes_`."""
        check_is_fitted(self)
        return softmax(self.head_.logits(self._features(_inputs(X))[1].matrix))

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
        return load(DEFAULT[self.kind_] if self.model == "auto" else self.model, kind=self.kind_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags

    def _features(self, inputs: list[Any]) -> tuple[Dataset, Any]:
        kind = self.backbone_.kind
        dataset = read_pairs(inputs, None, kind)
        checked = check(dataset, purpose="predict")
        refused = checked.rejected
        if refused:
            raise DataError(refused[0].reason, where=refused[0].where, fix="leave it out, or repair it")
        return checked, encode(checked.inputs, checked.digests, self.backbone_)  # type: ignore[arg-type]


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
