"""Multi-label, regression and text pairs: read as they are, learned, judged, saved, opened and asked."""

from __future__ import annotations

import csv
import json
import pickle
import random

import numpy as np
import pytest

import headstart as hs
from headstart.errors import UserError
from reading import read

PROBE = ("--model", "all-MiniLM-L6-v2", "--how", "probe")
FOOD, SPORT, MUSIC = (
    [
        "a bowl of soup",
        "fresh bread with butter",
        "an apple pie",
        "rice with beans",
        "a slice of cheese",
        "grilled fish",
    ],
    [
        "a football match",
        "running a marathon",
        "the tennis final",
        "swimming in the pool",
        "a goal in overtime",
        "chess",
    ],
    [
        "a violin concert",
        "the new jazz album",
        "singing in a choir",
        "a drum solo",
        "an opera in Milan",
        "old folk songs",
    ],
)
TOPICS = {"food": FOOD, "sport": SPORT, "music": MUSIC}


def mixed(n: int = 120, seed: int = 0) -> list[tuple[str, list[str]]]:
    """Texts about none to three topics, and which."""
    rng, rows = random.Random(seed), []
    for number in range(n):
        topics = [name for name in TOPICS if rng.random() < 0.45]
        said = [rng.choice(TOPICS[name]) for name in topics] or ["nothing in particular"]
        rows.append((f"Note {number}: {' and '.join(said)}.", topics))
    return rows


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """A model with labels, fitted in memory, and what it was fitted on."""
    rows = mixed()
    texts, labels = [text for text, _ in rows], [names for _, names in rows]
    return hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe"), rows


def written(path, rows, form):
    """A table of texts and labels, in one of the forms that such tables have."""
    if form == "lists":
        path = path.with_suffix(".jsonl")
        path.write_text("".join(json.dumps({"text": t, "labels": names}) + "\n" for t, names in rows))
        return path
    path = path.with_suffix(".csv")
    with path.open("w", newline="") as file:
        write = csv.writer(file).writerow
        if form == "separated":
            write(("text", "label"))
            for text, names in rows:
                write((text, "|".join(names) or "none"))
        else:
            write(("text", *TOPICS))
            for text, names in rows:
                write((text, *(int(name in names) for name in TOPICS)))
    return path


@pytest.mark.parametrize("form", ["lists", "separated", "columns"])
def test_labels_are_found_in_each_form_and_said(tmp_path, form):
    dataset = read_any(written(tmp_path / "notes", mixed(), form))
    assert dataset.task.name == "multilabel"
    assert set(TOPICS) <= set(dataset.classes)
    assert (form == "lists") != any("task classification" in note or "0 and 1" in note for note in dataset.notes)
    assert [set(labels) & set(TOPICS) for labels in dataset.targets] == [set(names) for _, names in mixed()]


def read_any(path):
    from headstart.data.read import read
    from headstart.tasks.table import TASKS
    from headstart.values import Request

    return read(Request(path), TASKS)


def test_a_model_gives_the_labels_above_their_thresholds(labelled, tmp_path):
    model, _ = labelled
    assert model.summary["task"] == "text-multilabel"
    assert model.classes == ("food", "music", "sport")
    assert {"micro_f1", "macro_f1", "map", "exact_match"} <= set(model.summary)
    assert model.scores.macro_f1 > 0.6 > model.scores.details["baseline"]["macro_f1"]
    (both,) = model.predict(["Tonight: a violin concert and then an apple pie."])
    assert {name for name, _ in both.labels} == {"food", "music"}
    saved = model.save(tmp_path / "saved")
    opened = hs.load(tmp_path / "saved")
    assert opened.predict(["a drum solo"])[0].labels == saved.predict(["a drum solo"])[0].labels
    assert opened.summary == saved.summary
    assert opened.scores.intervals["macro_f1"].low == pytest.approx(model.scores.intervals["macro_f1"].low, abs=1e-6)
    opened.report(tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text() == (tmp_path / "saved" / "report.html").read_text()
    scores = opened.evaluate([text for text, _ in mixed(40, 5)], [names for _, names in mixed(40, 5)]).scores
    assert scores.macro_f1 > 0.6


def test_a_model_says_what_it_is_and_pickles(labelled, tmp_path):
    model, _ = labelled
    first, second = repr(model).splitlines()
    assert first == "text multilabel: all-MiniLM-L6-v2, 3 classes: food, music, sport"
    assert second.startswith(("macro f1 0.", "macro f1 1."))
    assert "not saved" in second
    again = pickle.loads(pickle.dumps(model))
    assert again.predict(["a drum solo"]) == model.predict(["a drum solo"])
    assert again.summary == model.summary
    with pytest.raises(UserError, match="force=True"):
        model.save(tmp_path)


def test_labels_through_the_command_line(tmp_path, command):
    data, out = written(tmp_path / "notes", mixed(), "separated"), tmp_path / "out"
    code, printed, err = command("fit", data, *PROBE, "--out", out)
    assert code == 0, err
    assert "--task classification takes each cell as one class" in " ".join(err.split())
    assert printed.startswith("all-MiniLM-L6-v2 (probe)")
    assert "commonest labels" in printed
    code, printed, err = command("predict", out, "a drum solo", "--json")
    (row,) = json.loads(printed)["predictions"]
    assert [label["label"] for label in row["labels"]] == ["music"]
    code, printed, err = command("evaluate", out, data, "--json")
    assert code == 0, err
    assert json.loads(printed)["macro_f1"] > 0.7


def numbers(n: int = 150, seed: int = 0) -> list[tuple[str, float]]:
    """How good a dish is said to be, with a number for that."""
    rng = random.Random(seed)
    words = {"awful": 0.5, "bad": 1.6, "passable": 2.4, "good": 3.4, "very good": 4.1, "wonderful": 4.8}
    dishes = [dish for group in (FOOD, ["the stew", "their salad", "this cake", "my curry"]) for dish in group]
    rows = []
    for _ in range(n):
        word = rng.choice(list(words))
        text = f"{rng.choice(dishes)} in {rng.choice(['Rome', 'Oslo', 'Lima', 'Kyoto', 'Lagos'])} was {word}"
        rows.append((text, round(words[word] + rng.gauss(0, 0.2), 2)))
    return rows


def test_numbers_are_said_learned_and_given_with_an_interval(tmp_path, command):
    data, out = tmp_path / "dishes.csv", tmp_path / "out"
    data.write_text("text,rating\n" + "".join(f"{text},{value}\n" for text, value in numbers()))
    code, printed, err = command("fit", data, "--label", "rating", *PROBE, "--out", out, "--json")
    assert code == 0, err
    told = json.loads(printed)
    assert told["task"] == "text-regression"
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
    assert model.record.scores.r2 == pytest.approx(told["r2"])
    page = (out / "report.html").read_text()
    assert "By size of the target" in page


def test_a_figure_that_is_no_number_is_a_dash_and_comes_back(tmp_path):
    """No share of a variance is explained where all targets of the test part are the same."""
    data, rows = tmp_path / "dishes.csv", numbers(60)
    same = [(text, 3.0, "test") for text, _ in rows[:5]] + [(text, value, "train") for text, value in rows[5:]]
    lines = [f"{text} {i},{value},{part}\n" for i, (text, value, part) in enumerate(same)]
    data.write_text("text,label,split\n" + "".join(lines))
    model = hs.fit(data, task="regression", model="all-MiniLM-L6-v2", how="probe", out=tmp_path / "out")
    assert model.summary["r2"] is None
    assert model.summary["r2_interval"] == [None, None]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "nan" not in page
    opened = hs.load(tmp_path / "out")
    assert np.isnan([opened.scores.r2, opened.scores.r2_interval.low]).all()
    assert pickle.loads(pickle.dumps(opened)).summary == opened.summary


def test_numbers_beyond_what_a_head_can_hold_are_left_out():
    texts, values = [text for text, _ in numbers(40)], [value for _, value in numbers(40)]
    dataset = hs.check(texts, [1e300, *values[1:]]).dataset
    assert np.abs(dataset.targets).max() < 10
    assert any("too large" in finding.reason and finding.rejected for finding in dataset.findings)


def test_a_saved_head_without_its_thresholds_is_refused(labelled, tmp_path):
    model, _ = labelled
    said = model.save(tmp_path / "saved").folder / "headstart.json"
    told = json.loads(said.read_text())
    for change, says in ({"thresholds": [0.5]}, "1 thresholds for 3 labels"), ({}, "head.thresholds is missing"):
        head = {key: value for key, value in told["head"].items() if key != "thresholds"} | change
        said.write_text(json.dumps(told | {"head": head}))
        with pytest.raises(UserError, match=says):
            hs.load(tmp_path / "saved")


def test_whole_numbers_that_recur_are_classes_unless_asked(tmp_path):
    rows = [(text, round(value)) for text, value in numbers(60)]
    texts, stars = [text for text, _ in rows], [value for _, value in rows]
    assert hs.check(texts, stars).dataset.task.name == "classification"
    assert hs.check(texts, stars, task="regression").dataset.task.name == "regression"
    assert hs.check(texts, [v + i / 100 for i, v in enumerate(stars)]).dataset.task.name == "regression"
    assert hs.check(texts, [1000 + i for i in range(60)]).dataset.task.name == "regression"
    with pytest.raises(UserError, match="every target is 3"):
        hs.check(texts, [3] * 60, task="regression")


def same_or_not(n: int = 120, seed: int = 0) -> list[tuple[str, str, str]]:
    """Pairs of phrases of one topic, or of two."""
    rng, rows = random.Random(seed), []
    for number in range(n):
        names = list(TOPICS)
        first = rng.choice(names)
        second = first if number % 2 else rng.choice([name for name in names if name != first])
        one, other = f"{rng.choice(TOPICS[first])} no {number}", f"{rng.choice(TOPICS[second])} at {number} o'clock"
        rows.append((one, other, "same" if first == second else "other"))
    return rows


def test_pairs_by_the_names_of_their_columns(tmp_path, command):
    data, out = tmp_path / "pairs.csv", tmp_path / "out"
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2", "label"), *same_or_not()])
    code, printed, err = command("fit", data, *PROBE, "--out", out, "--json")
    assert code == 0, err
    told = json.loads(printed)
    assert told["task"] == "text-pair-classification"
    assert any("taken as pairs of texts" in note for note in told["notes"])
    assert told["accuracy"] > 0.7
    code, printed, err = command("predict", out, "--pair", "grilled fish", "fresh bread with butter", "--json")
    assert code == 0, err
    assert json.loads(printed)["predictions"][0]["label"] == "same"
    code, printed, err = command("predict", out, data, "--json")
    assert code == 0, err
    assert len(json.loads(printed)["predictions"]) == 120
    code, printed, err = command("evaluate", out, data, "--json")
    assert code == 0, err
    assert hs.load(out).predict(("a drum solo", "chess"))[0].label == "other"


def test_two_columns_of_texts_are_refused_with_all_ways_out(tmp_path, command):
    data = tmp_path / "two.csv"
    rows = [(f"{a} and more of it", f"{b} for all of us", "xy"[i % 2]) for i, (a, b, _) in enumerate(same_or_not(40))]
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("left", "right", "label"), *rows])
    code, _, err = command("fit", data, *PROBE)
    assert code == 2
    assert "two columns of texts: 'left' and 'right'" in err
    for way in ("--text left takes it alone", "--text left --text2 right as pairs", "--text left --text right joined"):
        assert way in err
    for options, kind in (
        (("--text", "left"), "text-classification"),
        (("--text", "left", "--text2", "right"), "text-pair-classification"),
        (("--text", "left", "--text", "right"), "text-classification"),
    ):
        code, printed, err = command("fit", data, *options, *PROBE, "--out", tmp_path / "-".join(options), "--json")
        assert code == 0, err
        assert json.loads(printed)["task"] == kind


def test_a_title_and_a_body_are_one_text(tmp_path):
    data = tmp_path / "mails.csv"
    with data.open("w", newline="") as file:
        rows = [(f"about {a} again", f"{b} as we said {i}", "xy"[i % 2]) for i, (a, b, _) in enumerate(same_or_not(20))]
        csv.writer(file).writerows([("subject", "body", "label"), *rows])
    dataset = read(data)
    assert dataset.inputs[0] == f"{rows[0][0]}\n{rows[0][1]}"
    assert any("'subject' and 'body' joined" in note for note in dataset.notes)


def test_a_function_follows_a_fit_and_may_end_it():
    rows, seen = mixed(40), []
    texts, labels = [text for text, _ in rows], [names for _, names in rows]
    hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe", progress=seen.append)
    assert next(u.step for u in seen if u.share == 0 or u.share is None) == "read"
    assert {"check", "encode", "adapt"} <= {update.step for update in seen}
    assert all(update.share is None or 0 <= update.share <= 1 for update in seen)
    with pytest.raises(UserError, match="stopped"):
        hs.fit(texts, labels, model="all-MiniLM-L6-v2", how="probe", progress=lambda update: update.step != "encode")


def test_estimators_of_labels_numbers_and_features(labelled):
    _, rows = labelled
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


def test_lists_of_names_are_labels_for_the_estimator_too():
    rows = mixed()
    texts, labels = [text for text, _ in rows], [names for _, names in rows]
    named = hs.HeadstartClassifier().fit(texts, labels)
    indicators = np.array([[name in names for name in sorted(TOPICS)] for names in labels])
    numbered = hs.HeadstartClassifier().fit(texts, indicators)
    assert named.classes_.tolist() == sorted(TOPICS)
    np.testing.assert_array_equal(named.predict(texts), numbered.predict(texts))
    for wrong in ([None, *labels[1:]], [float("nan"), *labels[1:]]):
        with pytest.raises(UserError, match=r"y, row 1: no label"):
            hs.HeadstartClassifier().fit(texts, wrong)


def test_models_are_ranked_for_labels_and_numbers_too(command, tmp_path, own_cache):
    rows = mixed(60)
    data = tmp_path / "notes.csv"
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((text, "|".join(names)) for text, names in rows)])
    told = hs.rank([text for text, _ in rows], [names for _, names in rows], models=["all-MiniLM-L6-v2"])
    assert told.rows[0].model == "all-MiniLM-L6-v2"
    numbers = [len(text) + 0.5 for text, _ in rows]
    assert hs.rank([text for text, _ in rows], numbers, models=["all-MiniLM-L6-v2"]).rows[0].accuracy >= 0


def test_a_nearly_numeric_column_is_refused_with_both_ways_on(command, tmp_path):
    data = tmp_path / "weights.csv"
    rows = [(f"parcel number {i} for the north", f"{i + i % 7 / 10}") for i in range(40)]
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "weight"), *rows, ("a parcel of unknown weight", "12 kg")])
    code, _, err = command("fit", data, *PROBE)
    assert code == 2
    assert "weights.csv row 41: the label is '12 kg', and nearly all others are numbers" in err
    assert "--task classification" in err
