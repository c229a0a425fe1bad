"""A model of texts none of which has a label: from the names of the classes, with nothing measured unless it can be."""

from __future__ import annotations

import csv
import json

import pandas
import pytest

import headstart as hs
from headstart.data.from_names import names_of
from headstart.errors import DataError, UserError
from topics import TOPICS

CLASSES = "food,sport,music"
MODEL = ("--model", "all-MiniLM-L6-v2")


@pytest.fixture
def pile(tmp_path):
    """Texts about three topics without a label, and some with one."""
    texts = [f"{said} {text}" for topic in TOPICS.values() for text in topic[:4] for said in ("we like", "no more of")]
    (tmp_path / "pile.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    with open(tmp_path / "test.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows([(text, topic) for topic, texts in TOPICS.items() for text in texts[4:]])
    return tmp_path / "pile.txt", tmp_path / "test.csv"


def test_names_alone_make_a_model_that_says_that_nothing_was_measured(pile, command, tmp_path):
    texts, test = pile
    code, out, err = command("fit", texts, "--classes", CLASSES, *MODEL, "--out", tmp_path / "m")
    assert code == 0, err
    assert "measured   nothing" in out
    assert "no example has a label; 3 classes by their names" in err
    assert "nothing was measured" in err
    summary = json.loads((tmp_path / "m" / "metrics.json").read_text(encoding="utf-8"))
    assert (summary["n_train"], summary["n_test"], summary["names_used"]) == (0, 0, True)
    assert "accuracy" not in summary
    assert summary["unlabelled"]["n"] == 24
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "Nothing was measured" in card or "nothing was measured" in card
    assert "model-index" not in card
    assert "Nothing was measured" in (tmp_path / "m" / "report.html").read_text(encoding="utf-8")
    code, out, err = command("predict", tmp_path / "m", "a tasty dinner of fish", "the cup final", "a guitar", "--json")
    assert [each["label"] for each in json.loads(out)["predictions"]] == ["food", "sport", "music"]
    code, out, err = command("evaluate", tmp_path / "m", test, "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] >= 0.8
    code, out, err = command("predict", tmp_path / "m", "a dinner", "--abstain", "0.9")
    assert code == 2
    assert "no example was held out" in err
    opened = hs.load(tmp_path / "m")
    assert "nothing was measured" in repr(opened)


def test_a_test_measures_it_and_labels_make_it_a_usual_fit(pile, tmp_path):
    texts, test = pile
    model = hs.fit(texts, classes=CLASSES, test=test, model="all-MiniLM-L6-v2", out=tmp_path / "m")
    assert model.scores.n == 6
    assert model.scores.accuracy >= 0.8
    assert "not-measured" not in {caution.kind for caution in model.record.cautions}
    usual = hs.fit(test, unlabelled=texts, model="all-MiniLM-L6-v2", how="probe", out=tmp_path / "u")
    assert usual.record.n_train > 0


def test_words_of_ones_own_and_texts_in_memory(pile):
    texts = pile[0].read_text(encoding="utf-8").splitlines()
    words = {"A": ["something to eat", "a meal"], "B": "a game that is played", "C": "songs and instruments"}
    model = hs.fit(texts, classes=["A", "B", "C"], names=words, model="all-MiniLM-L6-v2")
    assert [p.label for p in model.predict(["bread and cheese", "a football goal", "the violin"])] == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"classes": "food"}, UserError, "only one class is named"),
        ({"classes": "food,sport,food"}, UserError, "'food' is named twice"),
        ({"classes": '"food,sport'}, UserError, "its quotes do not end"),
        ({"classes": "sci_tech,SciTech"}, DataError, "are read as the same words, 'sci tech'"),
        ({"classes": CLASSES, "names": "none"}, UserError, "names are all that there is"),
        ({"classes": CLASSES, "metric": "accuracy"}, UserError, "no labels to choose by"),
        ({"classes": CLASSES, "recall": 0.9}, UserError, "no labels to find it by"),
        ({"classes": CLASSES, "test": 0.3}, UserError, "no labels to keep a share of"),
        ({"classes": CLASSES, "final": True}, UserError, "no labels to learn from"),
        ({"classes": "food,A"}, DataError, "the name 'A' says nothing"),
        ({"classes": CLASSES, "how": "tune"}, UserError, "no labels to train on"),
        ({"classes": CLASSES, "unlabelled": ["a"]}, UserError, "--unlabelled beside --classes"),
        ({"classes": CLASSES, "task": "regression"}, UserError, "cannot be learned from names"),
        ({"classes": [1, 2]}, UserError, "no text"),
    ],
)
def test_what_cannot_be_made_from_names_is_refused(pile, tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        hs.fit(pile[0], model="all-MiniLM-L6-v2", out=tmp_path / "m", **options)


@pytest.mark.parametrize("in_memory", [False, True])
def test_labels_that_are_there_are_not_passed_over(pile, tmp_path, in_memory):
    data = pandas.read_csv(pile[1]) if in_memory else pile[1]
    with pytest.raises(DataError, match="there are some in column 'label'"):
        hs.fit(data, classes=CLASSES, model="all-MiniLM-L6-v2", out=tmp_path / "m")


def test_a_name_may_have_a_comma():
    assert names_of('"lost, or stolen", fees') == ("lost, or stolen", "fees")


def test_photos_have_no_names(photos, tmp_path):
    with pytest.raises(DataError, match="--classes takes texts"):
        hs.fit(photos, classes="global,nominal", model="all-MiniLM-L6-v2", out=tmp_path / "m")
