"""Curves of a score: each point is what its threshold comes to, there are few of them, they are saved and checked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

import headstart as hs
from headstart.answering.metrics import Predicted, score
from headstart.evaluate.classification import evaluate
from headstart.evaluate.curves import precision_recall, reliability, risk_coverage
from headstart.evaluate.metrics import expected_calibration_error
from headstart.evaluate.two_classes import positive_class
from headstart.report.html import percent
from hostile import changed
from small_models import small_image_model


@st.composite
def answers(draw):
    """(n,) how sure and (n,) whether right, with ties, of any number that can come up."""
    n = draw(st.integers(1, 3000))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = draw(st.sampled_from([1, 5, 100, 10**9]))
    sure = rng.integers(0, steps + 1, n) / steps
    return sure, rng.random(n) < sure


@given(answers())
def test_each_point_of_the_risk_coverage_curve_is_what_answering_from_there_gives(some):
    sure, right = some
    points = risk_coverage(sure, right)
    assert len(points) <= 101
    for point in points:
        answered = np.round(sure, 6) >= point["confidence"]
        assert point["coverage"] == pytest.approx(answered.mean(), abs=1e-6)
        assert point["accuracy"] == pytest.approx(right[answered].mean(), abs=1e-6)
    assert points[-1]["coverage"] == 1
    covered = [0.0, *(point["coverage"] for point in points)]
    if len(np.unique(np.round(sure, 6))) == len(sure):  # without ties no step is wider than a hundredth
        assert max(np.diff(covered)) <= 0.01 + 1 / len(sure) + 1e-6


@given(answers())
def test_precision_and_recall_are_those_of_scikit_learn(some):
    sure, positive = some
    points = precision_recall(sure, positive)
    if not positive.any():
        assert points == []
        return
    precision, recall, thresholds = precision_recall_curve(positive, np.round(sure, 6))
    known = {round(t, 6): (p, r) for t, p, r in zip(thresholds, precision, recall, strict=False)}
    for point in points:
        assert (point["precision"], point["recall"]) == pytest.approx(known[point["threshold"]], abs=1e-6)
    assert len(points) <= 201
    assert points[-1]["recall"] == 1


def test_a_rare_class_is_told_in_as_fine_steps_as_a_common_one():
    rng = np.random.default_rng(0)
    positive = rng.random(100_000) < 0.01
    points = precision_recall(rng.random(100_000) * 0.5 + 0.4 * positive, positive)
    assert 150 < len(points) <= 201
    assert max(np.diff([0.0, *(point["recall"] for point in points)])) < 0.02


@given(answers())
def test_the_bins_come_to_the_calibration_error(some):
    confidence, right = some
    confidence = 0.5 + confidence / 2  # of two classes
    probabilities = np.column_stack([confidence, 1 - confidence])
    y = np.where(right, 0, 1)
    bins = reliability(confidence, right)
    gap = sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(y)
    assert gap == pytest.approx(expected_calibration_error(y, probabilities), abs=1e-5)
    assert sum(b["n"] for b in bins) == len(y)
    assert all(b["low"] - 1e-6 <= b["confidence"] <= b["high"] + 1e-6 for b in bins)


def test_the_rarer_class_is_looked_for_and_of_equal_ones_the_last():
    assert positive_class([5, 9], ["ill", "well"]) == "ill"
    assert positive_class(np.array([9, 5]), ("no", "yes")) == "yes"
    assert positive_class([7, 7], ["0", "1"]) == "1"
    with pytest.raises(ValueError, match="two classes"):
        positive_class([1, 2, 3], ["a", "b", "c"])


def test_more_than_two_classes_have_no_precision_by_threshold():
    logits = np.eye(3)[[0, 1, 2, 2]]
    scores = evaluate(logits, np.array([0, 1, 2, 1]), classes=("a", "b", "c"), majority_class="a")
    assert "precision_recall" not in scores.details
    assert scores.risk_coverage == [{"coverage": 1, "accuracy": 0.75, "confidence": pytest.approx(0.576117)}]


def test_answers_are_covered_by_how_sure_they_are():
    """An answer that there is none counts as the others do."""
    confident = [("1931", 0.9), ("", 0.6), ("the king", 0.3)]
    predicted = [Predicted(text, 0, confidence, "in 1931 by the king") for text, confidence in confident]
    scores = score(predicted, [(("1931", 3),), (), (("1931", 3),)])
    assert [(p["coverage"], p["accuracy"]) for p in scores.risk_coverage] == [
        (0.333333, 1.0),
        (0.666667, 1.0),
        (1.0, 0.666667),
    ]


def test_a_saved_folder_has_the_curves_and_prints_none(made, tmp_path):
    """Folders from before have none, and still open; what is no share is refused."""
    model = hs.load(made.folder / "image")
    told = model.summary
    assert told["precision_recall"]["positive"] == "other"
    assert sum(each["n"] for each in told["reliability"]) == told["n_test"]
    assert told["risk_coverage"][-1]["accuracy"] == told["accuracy"]
    printed = model.task.words.fitted(told, model.task.scorer.metrics)
    assert not any(word in printed for word in ("coverage", "reliability", "{"))
    assert hs.load(made.folder / "reader").scores.risk_coverage[-1]["coverage"] == 1

    def without(said):
        curves = ("reliability", "risk_coverage", "precision_recall")
        return {**said, "summary": {key: value for key, value in said["summary"].items() if key not in curves}}

    before = hs.load(changed(made.folder / "image", tmp_path / "before", headstart=without))
    assert "reliability" not in before.scores.details
    before.report(tmp_path / "page.html")
    for change, said in ((too_much, r"reliability\[0\]\.accuracy"), (too_many, "risk_coverage has 102 entries")):
        with pytest.raises(hs.UserError, match=said):
            hs.load(changed(made.folder / "image", tmp_path / "wrong", headstart=change))


def too_much(said):
    said["summary"]["reliability"][0]["accuracy"] = 1.5
    return said


def too_many(said):
    said["summary"]["risk_coverage"] = said["summary"]["risk_coverage"][:1] * 102
    return said


def test_a_model_looks_for_the_class_that_was_rarer_where_it_learned(photos, tmp_path):
    """Also on data where it is the more frequent one."""
    small_image_model("resnet10t", tmp_path / "small")
    few = sorted((photos / "global").iterdir())
    many = sorted((photos / "nominal").iterdir())
    labels = ["rare"] * 12 + ["usual"] * 20
    model = hs.fit([*few[:12], *many], labels, model=str(tmp_path / "small"), how="probe")
    assert model.scores.precision_recall["positive"] == "rare"
    (rare,) = (each for each in model.scores.per_class if each["name"] == "rare")
    model.report(tmp_path / "page.html")
    found, right = (percent(rare[key]) for key in ("recall", "precision"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"At its threshold {found} of them are found, and {right} of what is called so is it." in page
    other = model.evaluate([*few, *many[:4]], ["rare"] * 20 + ["usual"] * 4)
    assert other.scores.precision_recall["positive"] == "rare"
