"""The scikit-learn face of regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from headstart.errors import DataError
from headstart.estimators.estimator import Estimator, inputs_of, weights_of
from headstart.tasks.regression import REGRESSION


class HeadstartRegressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """A pre-trained model with a head that gives a number. Arguments as for `HeadstartClassifier`.

    Example:
        >>> texts, degrees = ["a sunny day", "a day of snow", "a mild day"] * 10, [25.0, -3.0, 12.0] * 10
        >>> model = hs.HeadstartRegressor("all-MiniLM-L6-v2").fit(texts, degrees)
        >>> snow, sun = model.predict(["snow", "sunny"])
        >>> bool(snow < sun)
        True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> HeadstartRegressor:
        """Learn from inputs and numbers.

        Args:
            sample_weight: (n,) how many examples each row counts for, finite and not negative; a row of weight 0 is
                left out. None: one.

        Raises:
            DataError: an input that cannot be read, or a target that is no number.
            ValueError: no inputs; weights that are none.
        """
        X, y = inputs_of(X, self), np.asarray(y).ravel()
        if len(y) != len(X):
            raise DataError(f"{len(X)} inputs and {len(y)} numbers", where="y", fix="one number an input")
        weights = weights_of(sample_weight, len(y))
        self._keep(self._learn(self._examples(X, y, REGRESSION, weights), REGRESSION))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """(n,) float64."""
        return self._outputs(X, REGRESSION)[:, 0].astype(np.float64)

    def predict_interval(self, X: Any) -> np.ndarray:
        """(n, 2) ends of intervals that hold nine of ten values."""
        values, width = self.predict(X), self.head_.width or 0.0
        return np.stack([values - width, values + width], axis=1)
