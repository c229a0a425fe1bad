"""Of two classes, one is answered from a threshold on: as it was given, or chosen for a recall on held-out examples."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest

import headstart as hs
from headstart.errors import ModelError, UserError
from headstart.evaluate.two_classes import decided, found_from, threshold_of_recall
from topics import FOOD, MINI, SPORT, mixed, numbers


def mail(n: int = 150, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of which a fifth is about food, some of those hard to tell."""
    rng, rows = random.Random(seed), []
    for number in range(n):
        food = rng.random() < 0.2
        first, other = (FOOD, SPORT) if food else (SPORT, FOOD)
        also = f" before {rng.choice(other)}" if rng.random() < 0.6 else ""
        rows.append((f"Note {number}: {rng.choice(first)}{also}", "food" if food else "sport"))
    return [text for text, _ in rows], [label for _, label in rows]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return hs.fit(*mail(), recall=0.95, out=tmp_path_factory.mktemp("two") / "model", **MINI)


def test_a_recall_is_promised_by_held_out_examples():
    """Over a thousand draws of forty positive examples, each with a new one."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(1000):
        p = rng.beta(4, 2, 41)
        hits += p[40] >= threshold_of_recall(p[:40], np.ones(40, dtype=bool), 0.9)
    assert abs(hits / 1000 - 37 / 41) < 0.035  # the ceil(41 * 0.9)-th of 41
    few = np.array([0.7, 0.2, 0.9])
    assert threshold_of_recall(few, np.ones(3, dtype=bool), 0.95) == 0.2
    found = found_from(np.array([0.9, 0.6, 0.6, 0.1]), np.array([True, True, False, False]), 0.6)
    assert (found.recall, found.precision) == (1.0, 2 / 3)
    assert decided(np.array([[0.6, 0.4], [0.7, 0.3]]), positive=1, threshold=0.4).tolist() == [1, 0]


def test_more_of_the_rarer_class_is_found(saved):
    told = saved.summary["threshold"]
    assert told["class"] == "food"
    assert told["recall"] == 0.95
    assert told["recall_held_out"] >= 0.9
    low, high = told["recall_interval"]
    assert low < told["recall_held_out"] <= high
    assert 0 < told["precision_held_out"] <= 1
    assert any("'food'; --positive" in note for note in saved.record.notes)
    assert "threshold  'food' from a probability of" in saved.task.words.fitted(
        saved.summary, saved.task.scorer.metrics
    )


def test_predictions_and_scores_go_by_it(saved):
    texts, labels = mail(200, seed=3)
    at = saved.summary["threshold"]["value"]
    for model in (saved, hs.load(saved.folder)):
        probabilities = model.predict_proba(texts)[:, model.classes.index("food")]
        found = model.predict(texts)
        assert [p.label == "food" for p in found] == (probabilities >= at - 1e-6).tolist()
        assert all(p.probability == dict(p.top)[p.label] for p in found)
        scores = model.evaluate(texts, labels).scores
        assert scores.accuracy == pytest.approx(np.mean([p.label == y for p, y in zip(found, labels, strict=True)]))
        assert scores.precision_recall["positive"] == "food"
    assert hs.load(saved.folder).summary["threshold"] == saved.summary["threshold"]


def test_a_threshold_that_costs_accuracy_is_no_bad_model(tmp_path):
    """What was asked for is not warned of; the answer's own probability is shown, be it small."""
    model = hs.fit(*mail(), threshold=0.001, positive="food", **MINI)
    scores = model.scores
    assert scores.accuracy < scores.details["accuracy_of_the_likeliest"]
    assert "worse-than-constant" not in [caution.kind for caution in model.record.cautions]
    wrong = [m for m in scores.mistakes if m["predicted"] == "food"]
    model.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert f"{100 * wrong[0]['probability']:.1f}" in page[page.index("Most confident mistakes") :]
    assert "The threshold decides as was asked" in page
    assert "do not use this model" not in page
    assert "found least often" not in page
    assert all(m["probability"] < 0.5 for m in wrong)
    assert model.record.learning_curve.points[-1].value == scores.details["accuracy_of_the_likeliest"]


def test_an_answer_is_in_its_set(saved):
    found = saved.predict(mail(100, seed=5)[0], coverage=0.9)
    assert all(p.label in p.set for p in found)


def test_the_card_says_that_it_has_to_be_applied(saved):
    card = (saved.folder / "README.md").read_text()
    assert 'more["threshold"]' in card
    assert "threshold" in card.partition("```")[0]


def test_a_threshold_may_be_given_and_its_class_named():
    model = hs.fit(*mail(), threshold=0.9, positive="sport", **MINI)
    told = model.summary["threshold"]
    assert (told["class"], told["value"], told["recall"]) == ("sport", 0.9, None)
    assert not any("--positive" in note for note in model.record.notes)
    texts = mail(60, seed=4)[0]
    sport = model.predict_proba(texts)[:, model.classes.index("sport")]
    assert [p.label == "sport" for p in model.predict(texts)] == (sport >= 0.9).tolist()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"threshold": 1.2}, "no share between 0 and 1"),
        ({"recall": "abc"}, "no share between 0 and 1"),
        ({"threshold": 0.3, "recall": 0.9}, "leave one of them out"),
        ({"positive": "food"}, "none is asked for"),
        ({"recall": 0.9, "positive": "soup"}, "no class 'soup'"),
    ],
)
def test_odd_thresholds_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        hs.fit(*mail(40), **options, **MINI)


def test_other_tasks_have_none(tmp_path):
    with pytest.raises(UserError, match="two classes apart, and there are 3"):
        hs.fit(["a", "b", "c", "d", "e", "f"], ["x", "y", "z"] * 2, threshold=0.3, **MINI)
    for rows, task in ((mixed(20), "multilabel"), (numbers(20), "regression")):
        with pytest.raises(UserError, match=f"the task is {task}"):
            hs.fit(*map(list, zip(*rows, strict=True)), recall=0.9, **MINI)


def test_a_strangers_threshold_is_checked(saved, tmp_path):
    other = shutil.copytree(saved.folder, tmp_path / "other")
    told = json.loads((other / "headstart.json").read_text())
    for change in ({"threshold": 2.0}, {"positive": 3}, {"positive": [1, 2]}, {"recall": [0.5]}):
        head = {**told["head"], "more": told["head"]["more"] | change}
        head.pop("hash")
        (other / "headstart.json").write_text(json.dumps(told | {"head": head}))
        with pytest.raises(ModelError, match="a threshold that is none"):
            hs.load(other)


def test_the_command_takes_it_and_refuses_in_a_line(command, tmp_path):
    data = tmp_path / "mail.csv"
    data.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in zip(*mail(60), strict=True)))
    arguments = ("fit", data, "--model", MINI["model"], "--how", "probe", "--out", tmp_path / "out", "--json")
    code, out, err = command(*arguments, "--recall", "0.8", "--positive", "sport")
    assert code == 0, err
    assert json.loads(out)["threshold"]["class"] == "sport"
    code, out, err = command(*arguments, "--positive", "spotr", "--recall", "0.8", "--force")
    assert code == 2
    assert "one of: food, sport" in err


def test_no_class_of_which_nothing_was_held_out():
    with pytest.raises(ValueError, match="a positive example"):
        threshold_of_recall(np.array([0.2]), np.array([False]), 0.9)
