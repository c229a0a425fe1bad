"""headstart inside scikit-learn's own tools."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_checks

import headstart as hs
from topics import TOPICS, mixed, numbers


def test_texts_in_cross_validation_grid_search_and_pipeline(questions):
    x, y = np.array([t for t, _ in questions], dtype=object), np.array([label for _, label in questions])
    model = hs.HeadstartClassifier()
    assert cross_val_score(model, x, y, cv=3).mean() > 0.6
    search = GridSearchCV(Pipeline([("model", model)]), {"model__seed": [0, 1]}, cv=2).fit(x, y)
    assert set(search.predict(x)) <= set(y)
    asked = {"model": "auto", "how": "probe", "metric": "auto", "budget": None, "kind": None, "seed": 0}
    assert clone(model).get_params() == asked


def test_photos_as_paths_and_as_arrays(textile):
    from PIL import Image

    files = [str(f) for name in ("global", "nominal") for f in sorted((textile / name).glob("*.jpg"))[:10]]
    y = [0] * 10 + [1] * 10
    model = hs.HeadstartClassifier().fit(files, y)
    assert model.score(files, y) > 0.8
    np.testing.assert_allclose(model.predict_proba(files).sum(axis=1), 1, atol=1e-5)
    arrays = np.stack([np.asarray(Image.open(f)) for f in files])
    assert hs.HeadstartClassifier().fit(arrays, y).classes_.tolist() == [0, 1]


def test_scikit_learns_own_checks():
    """Those that need no table of numbers; `check_estimator` leaves the others out for an estimator of texts itself."""
    estimator_checks.check_estimator(hs.HeadstartClassifier(), on_skip=None)
    for name in (
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_valid_tag_types",
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_parameters_default_constructible",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
    ):
        getattr(estimator_checks, name)("HeadstartClassifier", hs.HeadstartClassifier())


def test_what_scikit_learn_asks_of_tables_holds_for_texts(questions):
    x, y = np.array([t for t, _ in questions], dtype=object), np.array([label for _, label in questions])
    model = hs.HeadstartClassifier()
    before = dict(vars(model))
    assert model.fit(x, y) is model
    assert {name: vars(model)[name] for name in before} == before
    probabilities = model.predict_proba(x)
    turned = np.arange(len(x))[::-1]
    np.testing.assert_allclose(model.predict_proba(x[turned]), probabilities[turned], atol=1e-5)
    np.testing.assert_allclose(
        np.vstack([model.predict_proba(x[i : i + 1]) for i in range(4)]), probabilities[:4], atol=0.01
    )
    np.testing.assert_array_equal(model.fit(x, y).predict_proba(x), probabilities)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(x))
    again = pickle.loads(pickle.dumps(model))  # joblib and GridSearchCV move estimators between processes this way
    np.testing.assert_array_equal(again.predict_proba(x), probabilities)


def test_refusals():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(hs.UserError, match="one class"):
        hs.HeadstartClassifier().fit(["a b", "c d"], ["x", "x"])
    with pytest.raises(hs.UserError, match="2 inputs and 1 labels"):
        hs.HeadstartClassifier().fit(["a b", "c d"], ["x"])
    with pytest.raises(NotFittedError):
        hs.HeadstartClassifier().predict(["a"])


@pytest.mark.parametrize("missing", [None, float("nan"), "", " "])
def test_a_missing_label_is_neither_a_class_nor_wrong(missing, questions):
    with pytest.raises(hs.UserError, match="y, row 3: no label"):
        hs.HeadstartClassifier().fit(["a b", "c d", "e f"], ["x", "y", missing])
    x, y = [text for text, _ in questions[:12]], ["xy"[n % 2] for n in range(12)]
    model = hs.HeadstartClassifier().fit(x, y)
    with pytest.raises(hs.UserError, match="y, row 12: no label"):
        model.score(x, [*y[:-1], missing])


LABELS, NUMBERS = hs.HeadstartClassifier(), hs.HeadstartRegressor()
FEW = {
    "one with labels": (LABELS, ["a b"], [["x"]], "one example to learn from"),
    "one with a number": (NUMBERS, ["a b"], [1.5], "one example to learn from"),
    "two that are the same": (NUMBERS, ["a b", "a b"], [1.5, 2.5], "the 2 examples to learn from are"),
    "classes of the same": (LABELS, ["a b", "a b"], ["x", "y"], "the 2 examples to learn from are"),
    "none": (NUMBERS, [], [], "minimum of 1 is required"),
    "none in a matrix": (LABELS, [], np.zeros((0, 2)), "minimum of 1 is required"),
    "no label in lists": (LABELS, ["a b", "c d"], [[], []], "no example has a label"),
    "no label in a matrix": (LABELS, ["a b", "c d"], np.zeros((2, 3)), "none of 3 labels is 1"),
}


@pytest.mark.parametrize("case", FEW)
def test_too_little_to_learn_from_is_said_in_words(case):
    model, x, y, said = FEW[case]
    with pytest.raises((hs.UserError, ValueError), match=said):
        model.fit(x, y)


def test_labels_without_weight_are_too_little_to_learn_from():
    with pytest.raises(hs.UserError, match="none of 2 labels is 1"):
        hs.HeadstartClassifier().fit(["a b", "c d", "e f"], np.eye(3, 2), sample_weight=[0, 0, 1])


def test_estimators_of_labels_numbers_and_features():
    rows = mixed()
    texts = np.array([text for text, _ in rows], dtype=object)
    y = np.array([[name in names for name in TOPICS] for _, names in rows], dtype=int)
    model = hs.HeadstartClassifier().fit(texts, y)
    assert model.predict(texts).shape == y.shape
    assert (model.predict(texts) == y).mean() > 0.8
    assert pickle.loads(pickle.dumps(model)).predict(texts).tolist() == model.predict(texts).tolist()
    words, values = zip(*numbers(80), strict=True)
    regressor = hs.HeadstartRegressor().fit(list(words), values)
    assert regressor.score(list(words), values) > 0.5
    assert (regressor.predict_interval(list(words))[:, 0] < regressor.predict(list(words))).all()
    encoder = hs.HeadstartEncoder()
    features = encoder.fit_transform(list(words))
    assert features.shape == (80, 768)
    assert len(encoder.get_feature_names_out()) == 768
