"""Numbers as targets: told from classes, learned, and given with an interval."""

from __future__ import annotations

import csv
import json
import pickle
import re

import numpy as np
import pytest
from sklearn.metrics import r2_score

import headstart as hs
from headstart.errors import UserError
from headstart.evaluate.regression import evaluate
from topics import MINI, PROBE, numbers


def test_numbers_are_said_learned_and_given_with_an_interval(tmp_path, command):
    data, out = tmp_path / "dishes.csv", tmp_path / "out"
    data.write_text("text,rating\n" + "".join(f"{text},{value}\n" for text, value in numbers()))
    code, printed, err = command("fit", data, "--label", "rating", *PROBE, "--out", out, "--json")
    assert code == 0, err
    told = json.loads(printed)
    assert any("taken as a number" in note and "--task classification" in note for note in told["notes"])
    assert {"mae", "rmse", "r2", "pearson", "spearman", "coverage"} <= set(told)
    assert told["mae"] < 0.6 * told["baseline"]["mae"]
    assert told["r2_interval"][0] < told["r2"] < told["r2_interval"][1]
    code, printed, err = command("predict", out, "the stew was awful", "the stew was wonderful", "--json")
    low, high = json.loads(printed)["predictions"]
    assert low["value"] + 1 < high["value"]
    assert low["interval"][0] < low["value"] < low["interval"][1]
    model = hs.load(out)
    found = model.evaluate([text for text, _ in numbers(80, 3)], [value for _, value in numbers(80, 3)])
    assert found.scores.coverage > 0.75
    page = (out / "report.html").read_text()
    assert "By size of the target" in page


def test_a_figure_that_is_no_number_is_a_dash_and_comes_back(tmp_path):
    """No share of a variance is explained where all targets of the test part are the same."""
    data, rows = tmp_path / "dishes.csv", numbers(60)
    same = [(text, 3.0, "test") for text, _ in rows[:5]] + [(text, value, "train") for text, value in rows[5:]]
    lines = [f"{text} {i},{value},{part}\n" for i, (text, value, part) in enumerate(same)]
    data.write_text("text,label,split\n" + "".join(lines))
    model = hs.fit(data, task="regression", out=tmp_path / "out", **MINI)
    assert model.summary["r2"] is None
    assert model.summary["r2_interval"] == [None, None]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "nan" not in page
    opened = hs.load(tmp_path / "out")
    assert np.isnan([opened.scores.r2, opened.scores.r2_interval.low]).all()
    assert pickle.loads(pickle.dumps(opened)).summary == opened.summary


def test_few_numbers_have_no_intervals_and_a_note_what_theirs_promise(tmp_path, command):
    data, out = tmp_path / "dishes.csv", tmp_path / "out"
    parts = ["train"] * 8 + ["test"] * 3
    rows = [
        f"{text} {i},{value},{part}\n" for i, ((text, value), part) in enumerate(zip(numbers(11), parts, strict=True))
    ]
    data.write_text("text,label,split\n" + "".join(rows))
    code, printed, err = command("fit", data, "--task", "regression", *PROBE, "--out", out)
    assert code == 0, err
    assert "the 90 % intervals promise 89 % at most: they are from 8 examples" in " ".join(err.split())
    figures = [line for line in printed.splitlines() if line.startswith(("R²", "Pearson", "Mean absolute error"))]
    assert len(figures) == 3
    assert not any("interval" in line for line in figures)
    page, card = (out / "report.html").read_text(), (out / "README.md").read_text()
    assert "No interval can be given;" in page
    for written in (page, card, repr(hs.load(out))):
        assert "– to –" not in written
        assert "nan" not in written
    data.write_text(data.read_text() + f"{numbers(12)[-1][0]},2.5,train\n")
    enough = hs.fit(data, task="regression", out=tmp_path / "more", **MINI)
    assert not any("promise" in note for note in enough.summary["notes"])


def test_one_number_to_learn_from_is_said_in_words():
    with pytest.raises(UserError, match="one example to learn from"):
        hs.fit(["the soup was good", "the fish was bad"], [1.5, 2.5], task="regression", **MINI)


def test_numbers_beyond_what_a_head_can_hold_are_left_out():
    texts, values = [text for text, _ in numbers(40)], [value for _, value in numbers(40)]
    dataset = hs.check(texts, [1e300, *values[1:]]).dataset
    assert np.abs(dataset.targets).max() < 10
    assert any("too large" in finding.reason and finding.rejected for finding in dataset.findings)


def test_whole_numbers_that_recur_are_classes_unless_asked(tmp_path):
    rows = [(text, round(value)) for text, value in numbers(60)]
    texts, stars = [text for text, _ in rows], [value for _, value in rows]
    assert hs.check(texts, stars).dataset.task.name == "classification"
    assert hs.check(texts, stars, task="regression").dataset.task.name == "regression"
    assert hs.check(texts, [v + i / 100 for i, v in enumerate(stars)]).dataset.task.name == "regression"
    assert hs.check(texts, [1000 + i for i in range(60)]).dataset.task.name == "regression"
    with pytest.raises(UserError, match="every target is 3"):
        hs.check(texts, [3] * 60, task="regression")


def test_a_nearly_numeric_column_is_refused_with_both_ways_on(command, tmp_path):
    data = tmp_path / "weights.csv"
    rows = [(f"parcel number {i} for the north", f"{i + i % 7 / 10}") for i in range(40)]
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "weight"), *rows, ("a parcel of unknown weight", "12 kg")])
    code, _, err = command("fit", data, *PROBE)
    assert code == 2
    assert "weights.csv row 41: the label is '12 kg', and nearly all others are numbers" in err
    assert "--task classification" in err


def test_a_small_part_has_targets_of_all_sizes():
    texts, _ = zip(*numbers(20), strict=True)
    checked = hs.check([f"{text}, says guest {i}" for i, text in enumerate(texts)], [i + 0.5 for i in range(20)])
    assert len(checked.parts.train) == 16
    tested = [checked.dataset.targets[row] for row in checked.parts.test]
    assert [sum(low < target < low + 10 for target in tested) for low in (0, 10)] == [2, 2]


@pytest.mark.parametrize(
    ("change", "shown", "mean_error"),
    [
        (lambda v: v * 1e20, r"\d\.\d+e\+20", r"\d\.\d+e\+1\d"),
        (lambda v: v * 1e-9, r"\d\.\d+e-09", r"\d\.\d+e-1\d"),
        (lambda v: v + 1e6, r"100000\d\.\d+", r"0\.\d{3}"),
    ],
)
def test_numbers_of_any_size_are_learned_and_shown(change, shown, mean_error):
    texts, values = zip(*numbers(100), strict=True)
    model = hs.fit(list(texts), [change(value) for value in values], task="regression", **MINI)
    assert model.scores.r2 > 0.9
    printed = model.task.words.scored(model.summary, model.task.scorer.metrics)
    assert re.search(rf"^Mean absolute error +{mean_error}  \(", printed, re.MULTILINE), printed
    assert re.search(rf"\(always giving {shown}\)", printed), printed
    line = model.task.words.line(model.task.words.row(model.predict("the stew was good")[0]))
    assert re.fullmatch(rf"{shown} \(90 % interval {shown} to {shown}\)", line), line


def test_a_number_that_would_decide_all_is_refused():
    """A slip of the keyboard: beside 1e20 all others are one number, and no score says anything."""
    texts, values = zip(*numbers(40), strict=True)
    with pytest.raises(UserError, match=r"row 3: the target 1e\+20 is .* times as far from .*\ncorrect it"):
        hs.check(list(texts), [*values[:2], 1e20, *values[3:]], task="regression")
    grows = [10.0 ** (n / 5) for n in range(40)]  # eight powers of ten, which some things do have
    assert len(hs.check(list(texts), grows, task="regression").dataset) == 40


def test_numbers_closer_together_than_a_model_can_tell_are_refused():
    """Predictions are float32: of seconds since 1970 they would be multiples of 128."""
    texts, values = zip(*numbers(40), strict=True)
    with pytest.raises(UserError, match=r"differ by about 1\.\d+ around 170000000\d.*\nsubtract 170000000\d"):
        hs.check(list(texts), [1.7e9 + value for value in values], task="regression")
    assert len(hs.check(list(texts), [1.7e9 + 1e5 * value for value in values], task="regression").dataset) == 40


def test_a_model_that_beats_the_mean_by_far_is_not_called_worse_where_the_test_part_is_elsewhere():
    """R² is 0 for the test part's own mean; always giving that of the training targets is far below it here."""
    rng = np.random.default_rng(0)
    y = 100 + rng.normal(size=60)
    scores = evaluate(y + rng.normal(size=60) * 1.4, y, mean=90.0, width=3.0)
    assert scores.baseline["r2"] == pytest.approx(r2_score(y, np.full(60, 90.0)), rel=1e-5)
    assert scores.baseline["r2"] < scores.r2_interval.low < 0
