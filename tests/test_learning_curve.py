"""The learning curve: what a probe would be with fewer labels, said as a sentence that a person can act on."""

from __future__ import annotations

import numpy as np
import pytest

import headstart as hs
from headstart.adapt.basis import fit_basis
from headstart.adapt.more_labels import parts_of
from headstart.adapt.ridge import GAUSSIAN
from headstart.adapt.sigmoid import SIGMOID
from headstart.adapt.softmax import SOFTMAX
from headstart.backbone import Features
from headstart.evaluate.classification import METRICS
from headstart.evaluate.growth import Fared, curve_of
from headstart.report.verdict import more_labels
from hostile import changed
from topics import MINI, TOPICS, mixed, numbers

ACCURACY = METRICS[0]


def fared(n: int, wrong: int) -> Fared:
    """Accuracy of n answers, the first of which are wrong."""
    costs = np.zeros(n)
    costs[:wrong] = 1
    return Fared(1 - wrong / n, costs)


@pytest.mark.parametrize(
    ("n", "half", "whole", "trend", "said"),
    [
        (
            1000,
            150,
            100,
            "rising",
            "twice as many labels improved accuracy by 5.0 points (0.850 with 200, 0.900 with 400), so",
        ),
        (
            1000,
            101,
            100,
            "level",
            "levelled off: twice as many labels improved accuracy by 0.1 points (0.899 with 200, 0.900",
        ),
        (
            20,
            4,
            3,
            "unclear",
            "cannot be told yet: twice as many labels improved accuracy by 5.0 points (0.800 with 200",
        ),
        (
            20,
            3,
            4,
            "unclear",
            "twice as many labels did not improve accuracy (0.850 with 200, 0.800 with 400), and on 20",
        ),
        (4000, 403, 404, "level", "levelled off: twice as many labels did not improve accuracy"),
        (1000, 100, 150, "falling", "falling: twice as many labels made accuracy worse by 5.0 points (0.900 with 200"),
    ],
)
def test_the_last_step_says_whether_more_labels_would_help(n, half, whole, trend, said):
    """As far as the test part can tell: a step of five points on twenty examples may be chance."""
    some = {40: [fared(n, n // 2)], 200: [fared(n, half)] * 3}
    curve = curve_of(ACCURACY, some, whole=fared(n, whole), n=400)
    assert curve.trend == trend
    assert said in more_labels(curve, METRICS, n)
    assert [point.labels for point in curve.points] == [40, 200, 400]


def test_answers_that_are_all_alike_prove_little_where_there_are_few():
    for n, trend in ((20, "unclear"), (1000, "level")):
        curve = curve_of(ACCURACY, {200: [fared(n, 0)]}, whole=fared(n, 0), n=400)
        assert (curve.gain, curve.trend) == (0, trend)


def test_draws_are_told_apart_and_patients_count_once():
    some = {50: [fared(100, 20), fared(100, 30), fared(100, 25)]}
    alone = curve_of(ACCURACY, some, whole=fared(100, 10), n=400)
    assert (alone.points[0].value, alone.points[0].low, alone.points[0].high) == (0.75, 0.7, 0.8)
    assert "8 times as many labels" in more_labels(alone, METRICS, 100)
    patients = curve_of(ACCURACY, some, whole=fared(100, 10), n=400, groups=np.arange(100) // 10)
    assert patients.noise > 1.5 * alone.noise


@pytest.mark.parametrize(("family", "y"), [(SOFTMAX, "class"), (SIGMOID, "labels"), (GAUSSIAN, "number")])
def test_heads_of_parts_are_those_that_learn_from_these_rows_alone(family, y):
    """All at once, and nearly as closely: a held-out example's answer is the same."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 12)).astype(np.float32)
    number = (x[:, 0] + 0.3 * rng.normal(size=200)).astype(np.float32)
    named = {"class": (number > 0).astype(np.int64), "number": number}
    target = named.get(y, np.column_stack([number > 0, x[:, 1] > 1]).astype(np.float32))
    features, basis, names = Features(x, "key", 0), fit_basis(x), ("a", "b") if y != "number" else ("value",)
    fold = np.arange(200) % 5
    like = family.probe(features, target, basis=basis, names=names, fold=fold).head
    counted = np.zeros((2, 200), np.float32)
    counted[0, :100] = counted[1, 50:150] = 1
    asked = rng.normal(size=(50, 12)).astype(np.float32)
    made = list(family.by_parts(features, target, basis=basis, like=like, counted=counted, asked=asked))
    for outputs, rows in zip(made, (slice(0, 100), slice(50, 150)), strict=True):
        alone = family.refit(Features(x[rows], "key", 0), target[rows], basis=basis, like=like).logits(asked)
        assert outputs.shape == alone.shape
        assert np.corrcoef(outputs.ravel(), alone.ravel())[0, 1] > 0.99
        assert np.abs(outputs - alone).mean() < 0.1 * np.abs(alone).mean()


NOTES = [f"note {i}: {some[i % 6]} and more" for i in range(40) for some in TOPICS.values()]
LABELS = [name for _ in range(40) for name in TOPICS]


def test_a_fit_has_the_curve_up_to_its_own_score(tmp_path):
    """The same each time, whatever the machine is at; saved, opened again, checked, and said on the terminal."""
    model = hs.fit(NOTES, LABELS, **MINI)
    curve = model.record.learning_curve
    assert (curve.metric, curve.points[-1].labels) == ("accuracy", model.record.n_train)
    assert curve.points[-1].value == model.scores.accuracy
    labels = [point.labels for point in curve.points]
    assert labels == sorted(labels)
    assert labels[0] >= 2 * 3
    assert curve.points[0].value < curve.points[-1].value
    assert hs.fit(NOTES, LABELS, **MINI).record.learning_curve == curve
    assert "learning curve" in model.record.seconds

    saved = model.save(tmp_path / "model")
    assert hs.load(saved.folder).record.learning_curve == curve
    for file in ("report.html", "README.md"):
        assert more_labels(curve, METRICS, model.scores.n)[1:] in (saved.folder / file).read_text()
    told = model.summary["learning_curve"]
    assert told["points"][0]["accuracy"] == curve.points[0].value
    printed = model.task.words.fitted(model.summary, METRICS)
    assert f"labels     {more_labels(curve, METRICS, model.scores.n)}" in printed

    def without(said):
        return {**said, "summary": {k: v for k, v in said["summary"].items() if k != "learning_curve"}}

    assert hs.load(changed(saved.folder, tmp_path / "before", headstart=without)).record.learning_curve is None

    def damaged(said):
        del said["summary"]["learning_curve"]["points"][0]["accuracy"]
        return said

    with pytest.raises(hs.UserError, match=r"learning_curve\.points\[0\]\.accuracy is missing"):
        hs.load(changed(saved.folder, tmp_path / "wrong", headstart=damaged))


@pytest.mark.parametrize(("rows", "metric"), [(mixed, "macro_f1"), (numbers, "r2")], ids=["labels", "numbers"])
def test_several_labels_and_numbers_have_one_by_their_headline(rows, metric):
    made = rows(120)
    model = hs.fit([text for text, _ in made], [target for _, target in made], **MINI)
    curve = model.record.learning_curve
    assert curve.metric == metric
    assert curve.points[-1].value == model.scores.values[metric]
    assert "of the" not in more_labels(curve, model.task.scorer.metrics, model.scores.n)


def test_too_few_labels_have_none(photos, command):
    """Nor has a score by folds, nor answers to questions."""
    few = hs.fit(["a card", "my pin", "the card", "a pin", "one card", "two pins"], ["c", "p"] * 3, test=0.34, **MINI)
    assert few.record.learning_curve is None
    assert few.summary["learning_curve"] is None


def test_parts_hold_two_labels_a_class_and_are_drawn_twice():
    dataset = hs.check(NOTES, LABELS, model=None).dataset
    assert parts_of(dataset, 10) == []
    assert parts_of(dataset, 90) == [(size, draw) for size in (45, 22, 9) for draw in range(2)]
