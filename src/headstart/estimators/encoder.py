"""The scikit-learn face of a frozen pre-trained model: a transformer that gives its features."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from headstart.encode.encode import encode_rows
from headstart.estimators.estimator import Estimator
from headstart.tasks.classification import CLASSIFICATION


class HeadstartEncoder(TransformerMixin, Estimator):  # type: ignore[misc]
    """A frozen pre-trained model's features, for a head of one's own. What was encoded once is not encoded again.

    Args:
        model: catalog name, hub name or folder; "auto" takes the starter of the kind of data.
        kind: "image", "text" or "pair"; None: seen from X.

    Example:
        >>> hs.HeadstartEncoder("all-MiniLM-L6-v2").fit_transform(["a sunny day", "a day of snow"]).shape
        (2, 768)
    """

    def __init__(self, model: str = "auto", *, kind: str | None = None) -> None:
        self.model = model
        self.kind = kind

    def fit(self, X: Any, y: Any = None) -> HeadstartEncoder:
        """Open the model; nothing is learned."""
        modality = self._examples(X, None, CLASSIFICATION).modality
        name = modality.default_model if self.model == "auto" else self.model
        self.how_, self.kind_ = "probe", modality.name
        self.backbone_ = CLASSIFICATION.learner.load(name, kind=modality.kind)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """(n, width) float32.

        Raises:
            DataError: an input that cannot be read.
        """
        check_is_fitted(self, "backbone_")
        dataset = self._examples(X, None, CLASSIFICATION, fitted=getattr(self, "kind_", None))
        features: np.ndarray = encode_rows(dataset, np.arange(len(dataset)), self.backbone_).matrix[:]
        self.width_ = features.shape[1]
        return features

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """(width,) names of the columns, dtype object."""
        check_is_fitted(self, "backbone_")
        width = getattr(self, "width_", self.backbone_.width)
        return np.array([f"{self.backbone_.name}_{i}" for i in range(width)], dtype=object)
