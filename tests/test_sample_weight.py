"""Weights of examples: what scikit-learn means by them, from the penalty to the calibration, and in fine-tuning."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.validation import has_fit_parameter

import headstart as hs
from headstart.adapt.basis import fit_basis
from headstart.adapt.checkpoint import open_checkpoint
from headstart.adapt.cross_validation import grouped_folds
from headstart.adapt.linear_lesson import LinearLesson, linear_lesson
from headstart.adapt.linear_objective import LinearObjective, Start
from headstart.adapt.loop import Recipe
from headstart.adapt.plan import Plan
from headstart.adapt.ridge import GAUSSIAN
from headstart.adapt.sigmoid import SIGMOID
from headstart.adapt.softmax import SOFTMAX
from headstart.adapt.trial import Runs, StopSignal
from headstart.backbone import Features, Head
from headstart.clock import Budget
from headstart.data.check import check
from headstart.data.split import folds
from headstart.encode.encode import encode_rows
from headstart.evaluate.calibration import sigmoid_temperature, temperature
from headstart.evaluate.conformal import half_width
from headstart.evaluate.criterion import BY_LOSS, Criterion
from headstart.evaluate.metrics import softmax
from headstart.evaluate.multilabel import sigmoid
from headstart.evaluate.paired_test import HeldOut, verdict
from headstart.evaluate.thresholds import best_thresholds
from headstart.pretrained.load import load
from headstart.session import Session
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.multilabel import MULTILABEL
from headstart.tasks.regression import REGRESSION
from headstart.values import Dataset, Split
from own_clock import by_looks
from reading import read


def classes() -> tuple[np.ndarray, np.ndarray]:
    """Digits, of which one is three times rarer than the others."""
    x, y = load_digits(return_X_y=True)
    keep = (y < 4) & ~((y == 3) & (np.arange(len(y)) % 4 > 0))
    return x[keep].astype(np.float32), y[keep].astype(np.int64)


def labels() -> tuple[np.ndarray, np.ndarray]:
    x, digit = load_digits(return_X_y=True)
    y = np.stack([digit % 2 == 0, digit >= 5, digit == 0], axis=1)
    return x.astype(np.float32)[:600], y.astype(np.float32)[:600]


def numbers() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_diabetes(return_X_y=True)
    return x.astype(np.float32), y


FAMILIES = {
    "softmax": (SOFTMAX, classes, softmax),
    "sigmoid": (SIGMOID, labels, sigmoid),
    "ridge": (GAUSSIAN, numbers, None),
}


TASKS = {"softmax": CLASSIFICATION, "sigmoid": MULTILABEL, "ridge": REGRESSION}
COSTS = {(name, m.key): m.costs for name, task in TASKS.items() for m in task.scorer.metrics if m.costs is not None}
CHOSEN_BY = [*((name, None) for name in FAMILIES), ("softmax", "macro_f1"), ("sigmoid", "map"), ("ridge", "mae")]


@pytest.mark.parametrize(("name", "metric"), CHOSEN_BY)
def test_integer_weights_are_repeated_rows(name, metric):
    """Basis, penalty, weights, calibration and what is made again of a head: at the same folds all of them agree, by
    whatever the penalty is chosen."""
    family, data, probabilities = FAMILIES[name]
    x, y = data()
    rng = np.random.default_rng(0)
    weights, fold = rng.integers(1, 4, len(y)), rng.integers(0, 5, len(y))
    named = tuple("abcd"[: y.shape[1] if y.ndim == 2 else 4])
    made = {}
    for kind, repeats in (("weighted", 1), ("repeated", weights)):
        matrix, wanted = np.repeat(x, repeats, axis=0), np.repeat(y, repeats, axis=0)
        w = weights.astype(np.float64) if kind == "weighted" else None
        basis, features, by = (
            fit_basis(matrix, w),
            Features(matrix, "", 0),
            Criterion(w, costs=COSTS.get((name, metric))),
        )
        head = family.probe(features, wanted, basis=basis, names=named, fold=np.repeat(fold, repeats), by=by).head
        made[kind] = basis, head, family.refit(features, wanted, basis=basis, like=head, weights=w)
    basis, head, again = made["weighted"]
    other_basis, other, _ = made["repeated"]
    plain = family.probe(Features(x, "", 0), y, basis=fit_basis(x), names=named, fold=fold).head
    np.testing.assert_allclose(basis.variance, other_basis.variance, rtol=1e-3)
    assert head.penalty == other.penalty
    np.testing.assert_allclose([head.temperature, head.width or 0], [other.temperature, other.width or 0], rtol=2e-3)
    if name == "sigmoid":
        np.testing.assert_allclose(head.thresholds, other.thresholds, atol=2e-3)
    for row, same in zip(head.cross_validation, other.cross_validation, strict=True):
        assert row == pytest.approx(same, rel=0.01, abs=1e-3)
    if probabilities is None:  # of the targets' deviation
        outputs, tolerance = (lambda some: some.logits(x) / other.deviation), 1e-3
    else:
        outputs, tolerance = (lambda some: probabilities(some.logits(x))), 2e-3
    for found in (head, again):
        np.testing.assert_allclose(outputs(found), outputs(other), atol=tolerance)
    assert np.abs(outputs(plain) - outputs(other)).max() > 5 * tolerance  # weights make a difference


@pytest.mark.parametrize(("name", "metric"), COSTS)
def test_what_an_example_costs_is_what_it_costs_twice(name, metric):
    """By every metric that can be chosen by: an example of weight two costs what each of two such examples does."""
    rng, wide = np.random.default_rng(0), {"softmax": 4, "sigmoid": 3, "ridge": 1}[name]
    y = FAMILIES[name][1]()[1][:200]
    outputs, weights = rng.normal(size=(200, wide)), rng.integers(1, 5, 200)
    repeated = COSTS[name, metric](np.repeat(outputs, weights, axis=0), np.repeat(y, weights, axis=0), None)
    found = COSTS[name, metric](outputs, y, weights.astype(float))
    np.testing.assert_allclose(np.repeat(found, weights), repeated, atol=1e-9)
    assert repeated.mean() == pytest.approx(np.average(found, weights=weights))


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_held_out_is_judged_by_weight(name):
    family, data, _ = FAMILIES[name]
    _, y = data()
    rng = np.random.default_rng(0)
    wide = {"softmax": 4, "sigmoid": 3, "ridge": 1}[name]
    outputs, weights = rng.normal(size=(len(y), wide)), rng.integers(1, 5, len(y))
    if name == "ridge":
        outputs = y[:, None] + 30 * outputs
    task = LinearObjective(None, y, family, None, None, None, None, None, by=Criterion(weights.astype(float)))
    rows = np.arange(0, len(y), 2)
    found = task.judged(outputs[rows], rows)
    twice = family.judged(
        np.repeat(outputs[rows], weights[rows], axis=0), np.repeat(y[rows], weights[rows], axis=0), BY_LOSS
    )
    plain = family.judged(outputs[rows], y[rows], BY_LOSS)
    for kind in ("log_loss", "accuracy", "temperature"):
        assert getattr(found, kind) == pytest.approx(getattr(twice, kind), rel=1e-3)
    assert found.accuracy != plain.accuracy


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-30, 30), st.integers(1, 5)), min_size=1, max_size=60), st.integers(0, 9))
def test_calibration_counts_an_example_of_weight_two_twice(rows, seed):
    errors, weights = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    n, repeats, rng = len(rows), weights.astype(int), np.random.default_rng(seed)
    assert half_width(errors, weights=weights) == half_width(np.repeat(errors, repeats))
    logits, y = rng.normal(size=(n, 3)).astype(np.float32), rng.integers(0, 3, n)
    twice = np.repeat(logits, repeats, axis=0)
    assert temperature(logits, y, weights) == pytest.approx(temperature(twice, np.repeat(y, repeats)), rel=1e-3)
    several = rng.integers(0, 2, (n, 3))
    again = np.repeat(several, repeats, axis=0)
    assert sigmoid_temperature(logits, several, weights) == pytest.approx(sigmoid_temperature(twice, again), rel=1e-3)
    found, expected = best_thresholds(sigmoid(logits), several, weights), best_thresholds(sigmoid(twice), again)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(("sizes", "per_class"), [((600, 60, 300), (1, 10, 2)), ((60, 60, 60), (10, 1, 5))])
def test_class_weights_go_by_the_weights_of_the_classes(sizes, per_class):
    """Weights that even the classes out leave nothing to try; weights that do the contrary are what repeats are."""
    rng, y = np.random.default_rng(0), np.repeat([0, 1, 2], sizes)
    x = (rng.normal(size=(len(y), 8)) + 1.2 * np.eye(8)[y]).astype(np.float32)
    weights, fold = np.array(per_class)[y], np.arange(len(y)) % 5
    told = []
    for w, repeats in ((weights.astype(float), 1), (None, weights)):
        some, matrix, dealt = (np.repeat(column, repeats, axis=0) for column in (y, x, fold))
        basis, features = fit_basis(matrix, w), Features(matrix, "", 0)
        told.append(
            SOFTMAX.probe(
                features, some, basis=basis, names=("a", "b", "c"), fold=dealt, by=Criterion(w)
            ).head.class_weights
        )
    assert told[0] == pytest.approx(told[1])
    assert (told[0] is None) == (sizes[0] == 600)


def test_examples_that_are_all_alike_have_no_direction_and_no_nan():
    """The same text again and again, where features are more than examples: what is left is the labels' shares."""
    x, y = np.ones((12, 50), np.float32), np.repeat([0, 1], [8, 4])
    for weights in (None, np.linspace(1, 2, 12)):
        basis = fit_basis(x, weights)
        head = SOFTMAX.probe(
            Features(x, "", 0), y, basis=basis, names=("a", "b"), fold=np.arange(12) % 3, by=Criterion(weights)
        ).head
        assert np.isfinite(softmax(head.logits(x))).all()


def test_a_fold_that_has_all_weight_is_held_out_too():
    x, y = numbers()
    weights = np.where(np.arange(len(y)) == 0, 1e18, 1e-3)
    head = GAUSSIAN.probe(
        Features(x, "", 0), y, basis=fit_basis(x, weights), names=(), fold=np.arange(len(y)) % 5, by=Criterion(weights)
    ).head
    assert np.isfinite(head.weight).all()
    assert head.logits(x[:1])[0, 0] == pytest.approx(y[0], rel=1e-3)


@settings(max_examples=40)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=10, max_size=60), seed=st.integers(0, 100)
)
def test_folds_are_dealt_by_weight(rows, seed):
    """As those of repeated rows, which are duplicates of one group."""
    y, weights = (np.array(column) for column in zip(*rows, strict=True))
    digests = np.random.default_rng(0).integers(0, 256, (len(y), 32), dtype=np.uint8)
    groups = np.arange(len(y))
    found = folds(y, groups, digests, k=5, seed=seed, weights=weights.astype(np.float64))
    again = folds(*(np.repeat(column, weights, axis=0) for column in (y, groups, digests)), k=5, seed=seed)
    np.testing.assert_array_equal(np.repeat(found, weights), again)


def test_weights_are_no_evidence_that_tuning_is_better():
    """One example of a thousand times the weight is still one; equal weights say what none say."""
    rng = np.random.default_rng(0)
    probe, right = rng.uniform(0.2, 0.6, 60), np.ones(60, dtype=bool)
    gain = rng.normal(0.05, 0.05, 60)

    def judged(weights):
        return verdict(*(HeldOut(losses, right, weights=weights) for losses in (probe, probe - gain)))

    plain, same = judged(None), judged(np.full(60, 3.0))
    assert (plain.tuned_is_better, same.tuned_is_better, same.n) == (True, True, 60)
    assert same.gain_errors == pytest.approx(plain.gain_errors)
    heavy = judged(np.where(np.arange(60) == gain.argmax(), 1000.0, 1.0))
    assert (heavy.tuned_is_better, heavy.n) == (False, 1)
    assert heavy.tuned_log_loss == pytest.approx((probe - gain)[gain.argmax()], abs=0.05)


def test_by_a_metric_what_one_weighty_answer_gains_is_no_proof():
    """Six answers changed, all to the right: that is enough where they count alike, not where one of them is half."""
    wrong, none = (np.arange(60) < changed for changed in (6, 0))

    def judged(weights):
        sides = (HeldOut(np.ones(60), ~cost, weights=weights, other=cost.astype(float)) for cost in (wrong, none))
        return verdict(*sides)

    plain, same, heavy = judged(None), judged(np.full(60, 3.0)), judged(np.where(np.arange(60) == 0, 6.0, 1.0))
    assert (plain.tuned_is_better, same.tuned_is_better, heavy.tuned_is_better) == (True, True, False)
    assert same.cost_errors == pytest.approx(plain.cost_errors)
    assert (heavy.n, heavy.untuned_cost) == (44, pytest.approx(11 / 65))
    assert heavy.right_errors > heavy.noise  # but for the one


@pytest.mark.parametrize("family", [SOFTMAX, SIGMOID, GAUSSIAN])
def test_the_loss_of_training_is_the_weighted_one(family):
    """Each example's loss times its share of the weights; the rows that are learned from are numbered anew."""
    outputs = torch.tensor([[0.5, -1.0], [2.0, 0.0], [-1.0, 1.0]])
    y = {SOFTMAX: np.array([0, 1, 0, 1]), SIGMOID: np.eye(4, 2, dtype=np.float32), GAUSSIAN: np.arange(4.0)}[family]
    head = Head(("a", "b"), np.zeros((2, 1), np.float32), np.zeros(2, np.float32), "", 1.0, 1.0)
    task = LinearObjective(None, y, family, None, None, None, head, None)
    learn, rows = np.array([0, 2, 3]), torch.arange(3)
    plain = task.loss(learn, "cpu")(outputs, rows, 0.0)
    weighted = replace(task, by=Criterion(np.array([1.0, 50.0, 3.0, 2.0]))).loss(learn, "cpu")(outputs, rows, 0.0)
    torch.testing.assert_close(weighted, plain * torch.tensor([0.5, 1.5, 1.0]))


def lesson_of(dataset: Dataset, model: Path, weights: np.ndarray | None) -> LinearLesson:
    """As `fit` makes it of all rows, with these weights."""
    dataset, backbone, rows = replace(dataset, weights=weights), load(str(model), kind="text"), np.arange(len(dataset))
    parts, plan = Split(rows, rows[:0], official=False), Plan(backbone, "tune", "asked for", rows)
    features = encode_rows(dataset, rows, backbone)
    return linear_lesson(dataset, parts, plan, features, Session(Budget(60.0)), seed=0)


def test_fine_tuning_learns_what_weighs(few_texts, questions, on_a_cpu):
    """Where each text stands there with a right and a wrong label, training goes to the side that weighs more."""
    (_, model), (texts, labels) = few_texts, zip(*questions, strict=True)
    names = sorted(set(labels))
    wrong = dict(zip(names, names[1:] + names[:1], strict=True))
    dataset = check(read(list(texts) * 2, [*labels, *(wrong[label] for label in labels)]))
    n, rows = len(texts), np.arange(2 * len(texts))
    plain = lesson_of(dataset, model, None).head
    for weights in (np.repeat([1.0, 0.1], n), np.repeat([0.1, 1.0], n)):
        lesson = lesson_of(dataset, model, weights)
        checkpoint = open_checkpoint(lesson.key())
        training = lesson.training(checkpoint)
        runs = Runs(training.objective, checkpoint, StopSignal(left=lambda: 1000.0))
        recipe = Recipe(training.choices.depths[0], rate=3e-3, steps=40, batch=16)
        left = runs.run("main", recipe, start=Start(rows, plain), learn=rows, judge=rows)
        checkpoint.remove()
        right = left["kept"].argmax(axis=1) == dataset.y
        assert abs(right[weights == 1].mean() - right[weights < 1].mean()) > 0.5
        assert right[weights == 1].mean() > 0.75


def test_a_tuned_estimator_predicts_and_is_pickled(few_texts, questions, on_a_cpu):
    """Its features are of another backbone than the probe's, and no test part has told what they are called."""
    texts, labels = zip(*questions, strict=True)
    weights = np.linspace(1, 3, len(texts))
    with by_looks(2.0**-4):
        model = hs.HeadstartClassifier(str(few_texts[1]), how="tune", budget="40s").fit(texts, labels, weights)
    assert model.how_ == "tune"
    probabilities = model.predict_proba(texts)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(texts), probabilities)


def test_a_fit_scales_and_deals_by_weight(few_texts):
    table, model = few_texts
    dataset = check(read(table))
    rows, weights = np.arange(len(dataset)), np.linspace(1, 4, len(dataset)).round()
    lesson = lesson_of(dataset, model, weights)
    matrix = lesson.features.matrix[:]
    np.testing.assert_array_equal(lesson.basis.mean, fit_basis(matrix, weights).mean)
    assert (lesson.basis.mean != fit_basis(matrix).mean).any()
    found = grouped_folds(lesson.dataset, rows, lesson.features, basis=lesson.basis, k=3, seed=0)
    columns = dataset.strata, dataset.checked_groups, dataset.checked_digests
    np.testing.assert_array_equal(found, folds(*columns, k=3, weights=weights))
    assert (found != folds(*columns, k=3)).any()


def test_another_weighting_is_another_run(few_texts):
    """Or a fit that was stopped would be taken up with what other weights had decided."""
    table, model = few_texts
    dataset = check(read(table))
    some = np.linspace(1, 2, len(dataset))
    keys = [lesson_of(dataset, model, weights).key() for weights in (None, some, some.copy(), some[::-1])]
    assert keys[1] == keys[2]
    assert len(set(keys)) == 3


@pytest.fixture(scope="module")
def rated() -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Texts, their classes, their numbers, and weights of which some are zero."""
    words = {"awful": 0.5, "bad": 1.5, "good": 3.5, "wonderful": 4.8}
    rng = np.random.default_rng(0)
    told = [list(words)[i] for i in rng.integers(0, 4, 60)]
    texts = [f"The {['soup', 'stew', 'cake'][i % 3]} at table {i} was {word}" for i, word in enumerate(told)]
    told[::6] = told[1::6]  # some are wrong: what weighs more decides
    values = np.array([words[word] for word in told]) + rng.normal(0, 0.2, 60)
    return texts, np.array(told), values, rng.integers(0, 4, 60).astype(float)


def several(told: np.ndarray) -> np.ndarray:
    return np.stack([np.isin(told, ["good", "wonderful"]), np.isin(told, ["awful", "wonderful"])], axis=1).astype(int)


def estimators(rated):
    """Each estimator that takes weights, with its targets and what it says of texts."""
    _, told, values, _ = rated
    return {
        "classes": (hs.HeadstartClassifier(), told, lambda model, x: model.predict_proba(x)),
        "labels": (hs.HeadstartClassifier(), several(told), lambda model, x: model.predict_proba(x)),
        "numbers": (hs.HeadstartRegressor(), values, lambda model, x: model.predict_interval(x)),
    }


@pytest.mark.parametrize("kind", ["classes", "labels", "numbers"])
def test_a_row_of_weight_zero_is_left_out_and_equal_weights_change_nothing(rated, kind):
    x, *_, weights = rated
    model, y, told = estimators(rated)[kind]
    there = weights > 0
    left = clone(model).fit([x[i] for i in np.flatnonzero(there)], y[there])
    zero = clone(model).fit(x, y, sample_weight=there.tolist())
    np.testing.assert_array_equal(told(zero, x), told(left, x))
    plain = told(clone(model).fit(x, y), x)
    np.testing.assert_array_equal(told(clone(model).fit(x, y, sample_weight=None), x), plain)
    for equal in (np.ones(len(x)), np.full(len(x), 1 / len(x))):
        np.testing.assert_array_equal(told(clone(model).fit(x, y, sample_weight=equal), x), plain)
    assert np.abs(told(left, x) - plain).max() > 1e-3


@pytest.mark.parametrize("kind", ["classes", "labels"])
def test_whole_fits_agree_with_repeated_rows(rated, kind):
    """scikit-learn's check of equivalence, within what the solver leaves of float32; folds and all."""
    x, *_, weights = rated
    model, y, told = estimators(rated)[kind]
    repeats = weights.astype(int)
    repeated = clone(model).fit(np.repeat(np.array(x, dtype=object), repeats), np.repeat(y, repeats, axis=0))
    weighted = clone(model).fit(x, y, sample_weight=weights)
    np.testing.assert_allclose(told(weighted, x), told(repeated, x), atol=1e-3)
    assert np.abs(told(clone(model).fit(x, y), x) - told(repeated, x)).max() > 0.05


REFUSED = {
    "too many": (np.ones(7), r"shape \(7,\); 4 inputs need \(4,\)"),
    "a column": (np.ones((4, 1)), r"shape \(4, 1\)"),
    "one number": (2.0, r"shape \(\)"),
    "no numbers": (["a", "b", "c", "d"], "must be numbers"),
    "negative": ([1, 1, -0.5, 1], r"row 3 is -0\.5"),
    "no number": ([1, float("nan"), 1, 1], "row 2 is nan"),
    "infinite": ([float("inf"), 1, 1, 1], "row 1 is inf"),
    "all zero": (np.zeros(4), "all of sample_weight is zero"),
    "too large": (np.full(4, 1e308), r"from 1e\+308 to 1e\+308, which float32 cannot hold"),
    "too far apart": ([1e300, 1, 1, 1], r"from 1 to 1e\+300, which float32 cannot hold"),
    "too small beside others": ([1e-300, 1, 1, 0], "from 1e-300 to 1, which float32 cannot hold"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_weight_is_refused_in_words(case):
    weights, said = REFUSED[case]
    for model, y in ((hs.HeadstartClassifier(), ["p", "q"] * 2), (hs.HeadstartRegressor(), [1.0, 2.0, 3.5, 4.0])):
        with pytest.raises(ValueError, match=said):
            model.fit(["a b", "c d", "e f", "g h"], y, sample_weight=weights)


def test_a_class_without_weight_is_known_and_never_given():
    x, y = [f"{word} number {i}" for i, word in enumerate(["cat", "dog", "pig"] * 6)], ["cat", "dog", "pig"] * 6
    weights = np.array([2.0, 1.0, 0.0] * 6)
    model = hs.HeadstartClassifier().fit(x, y, sample_weight=weights)
    assert model.classes_.tolist() == ["cat", "dog", "pig"]
    assert not model.predict_proba(x)[:, 2].any()
    with pytest.raises(ValueError, match="one class, 'cat'"):
        hs.HeadstartClassifier().fit(x, y, sample_weight=[2, 0, 0] * 6)


def test_scikit_learns_tools_hand_weights_on(rated):
    x, told, values, weights = rated
    x = np.array(x, dtype=object)
    plain = hs.HeadstartClassifier().fit(x, told, sample_weight=weights)
    pipe = Pipeline([("model", hs.HeadstartClassifier())]).fit(x, told, model__sample_weight=weights)
    np.testing.assert_array_equal(pipe.predict_proba(x), plain.predict_proba(x))
    search = GridSearchCV(hs.HeadstartClassifier(), {"seed": [0]}, cv=2).fit(x, told, sample_weight=weights)
    np.testing.assert_array_equal(search.predict_proba(x), plain.predict_proba(x))
    wrong = told.copy()
    wrong[:20] = "good"
    expected = accuracy_score(wrong, plain.predict(x), sample_weight=weights)
    assert plain.score(x, wrong, sample_weight=weights) == expected != plain.score(x, wrong)
    regressor = hs.HeadstartRegressor().fit(x, values, sample_weight=weights)
    assert regressor.score(x, values, sample_weight=weights) != regressor.score(x, values)
    assert not has_fit_parameter(hs.HeadstartQA(), "sample_weight")
    with pytest.raises(TypeError, match="sample_weight"):
        hs.HeadstartQA().fit([("When?", "In 1931.")], ["1931"], sample_weight=[1.0])


class OfTables(BaseEstimator):
    """An estimator of texts for scikit-learn's checks, whose inputs are tables: a row is a text of its numbers."""

    def __init__(self, model=None):
        self.model = model

    def fit(self, X, y, sample_weight=None):
        y, weights = np.asarray(y), sample_weight
        self.model_ = clone(self.model).fit(self._texts(X), y, sample_weight=weights)
        return self

    def predict(self, X):
        return self.model_.predict(self._texts(X))

    def _texts(self, X):
        return [" ".join(f"{value:.1f}" for value in row) for row in np.asarray(X, dtype=float)[:, :6]]


@pytest.mark.parametrize("model", [hs.HeadstartClassifier(), hs.HeadstartRegressor()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize(
    "check_name",
    [
        "check_sample_weights_pandas_series",
        "check_sample_weights_not_an_array",
        "check_sample_weights_list",
        "check_all_zero_sample_weights_error",
        "check_sample_weights_shape",
        "check_sample_weights_not_overwritten",
        "check_classifiers_one_label_sample_weights",
    ],
)
def test_scikit_learns_own_checks_of_weights(check_name, model):
    """All that it has but its equivalence to 1e-7, which a solver in float32 does not reach."""
    theirs = getattr(estimator_checks, check_name, None)
    if theirs is None:
        pytest.skip("a newer scikit-learn has it")
    if "one_label" in check_name and not isinstance(model, hs.HeadstartClassifier):
        pytest.skip("of classifiers")
    theirs("OfTables", OfTables(model))
