"""headstart inside scikit-learn's own tools."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

import headstart as hs


def test_texts_in_cross_validation_grid_search_and_pipeline(questions):
    x, y = np.array([t for t, _ in questions], dtype=object), np.array([label for _, label in questions])
    model = hs.HeadstartClassifier()
    assert cross_val_score(model, x, y, cv=3).mean() > 0.6
    search = GridSearchCV(Pipeline([("model", model)]), {"model__seed": [0, 1]}, cv=2).fit(x, y)
    assert set(search.predict(x)) <= set(y)
    assert clone(model).get_params() == {"model": "auto", "kind": None, "seed": 0}


def test_photos_as_paths_and_as_arrays(textile):
    from PIL import Image

    files = [str(f) for name in ("global", "nominal") for f in sorted((textile / name).glob("*.jpg"))[:10]]
    y = [0] * 10 + [1] * 10
    model = hs.HeadstartClassifier().fit(files, y)
    assert model.score(files, y) > 0.8
    np.testing.assert_allclose(model.predict_proba(files).sum(axis=1), 1, atol=1e-5)
    arrays = np.stack([np.asarray(Image.open(f)) for f in files])
    assert hs.HeadstartClassifier().fit(arrays, y).classes_.tolist() == [0, 1]


def test_refusals():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(hs.UserError, match="one class"):
        hs.HeadstartClassifier().fit(["a b", "c d"], ["x", "x"])
    with pytest.raises(hs.UserError, match="2 inputs and 1 labels"):
        hs.HeadstartClassifier().fit(["a b", "c d"], ["x"])
    with pytest.raises(NotFittedError):
        hs.HeadstartClassifier().predict(["a"])
