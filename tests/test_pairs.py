"""Pairs of texts: found by the names of their columns, or as the user says, learned and asked."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import headstart as hs
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.policy import TUNING
from headstart.errors import DataError, UserError
from own_clock import by_looks
from reading import read
from small_models import WORDS, small_text_model
from test_sample_weight import lesson_of
from topics import PROBE, TOPICS, same_or_not


def test_pairs_by_the_names_of_their_columns(tmp_path, command):
    data, out = tmp_path / "pairs.csv", tmp_path / "out"
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("sentence1", "sentence2", "label"), *same_or_not(240)])
    code, printed, err = command("fit", data, *PROBE, "--out", out, "--json")
    assert code == 0, err
    told = json.loads(printed)
    assert any("taken as pairs of texts" in note for note in told["notes"])
    assert told["accuracy"] > 0.7
    code, printed, err = command("predict", out, "--pair", "grilled fish", "fresh bread with butter", "--json")
    assert code == 0, err
    assert json.loads(printed)["predictions"][0]["label"] == "same"
    code, _, err = command("predict", out, "--pair", "grilled fish", "chess", "--pair", "a drum solo", "chess")
    assert (code, err) == (2, "error: --pair: given twice\none pair a command; or name a table that holds several\n")
    assert hs.load(out).predict(("a drum solo", "chess"))[0].label == "other"


def test_a_probe_knows_which_of_the_two_comes_first():
    rng, pairs, labels = random.Random(0), [], []
    for number in range(160):
        one, other = f"{rng.choice(TOPICS['food'])} no {number}", f"{rng.choice(TOPICS['sport'])} no {number}"
        first = rng.random() < 0.5
        pairs.append((one, other) if first else (other, one))
        labels.append("food first" if first else "sport first")
    model = hs.fit(pairs, labels, model="all-MiniLM-L6-v2", how="probe")
    assert model.scores.accuracy > 0.9
    before, after = model.predict([("an apple pie", "a tennis lesson"), ("a tennis lesson", "an apple pie")])
    assert (before.label, after.label) == ("food first", "sport first")


def test_questions_beside_texts_are_told_how_they_are_learned(tmp_path, command):
    """In columns that have other names than questions are known by."""
    data = tmp_path / "fragen.csv"
    rows = [(f"Der Turm steht seit {1900 + i} am Fluss.", f"Seit wann steht Turm {i}?", 1900 + i) for i in range(40)]
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("Textabschnitt", "Frage", "Antwort"), *rows])
    code, _, err = command("fit", data, *PROBE)
    assert (code, "call the columns context, question and answer" in err) == (2, True)
    code, _, err = command("fit", data, *PROBE, "--task", "answering")
    assert (code, "call them context, question and answer" in err) == (2, True)


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
    for columns, kind in (
        (hs.Columns(text="left"), "text"),
        (hs.Columns(text="left", text2="right"), "pair"),
        (hs.Columns(text=("left", "right")), "text"),
    ):
        assert hs.check(data, columns=columns).dataset.modality.name == kind


def test_a_title_and_a_body_are_one_text(tmp_path):
    data = tmp_path / "mails.csv"
    with data.open("w", newline="") as file:
        rows = [(f"about {a} again", f"{b} as we said {i}", "xy"[i % 2]) for i, (a, b, _) in enumerate(same_or_not(20))]
        csv.writer(file).writerows([("subject", "body", "label"), *rows])
    dataset = read(data)
    assert dataset.inputs[0] == f"{rows[0][0]}\n{rows[0][1]}"
    assert any("'subject' and 'body' joined" in note for note in dataset.notes)


def test_a_model_that_compared_pairs_otherwise_is_refused(tmp_path):
    small_text_model("bert", tmp_path / "bert")
    rows = same_or_not(40)
    pairs, labels = [row[:2] for row in rows], [row[2] for row in rows]
    hs.fit(pairs, labels, model=str(tmp_path / "bert"), how="probe", out=tmp_path / "out")
    head = load_file(tmp_path / "out" / "head.safetensors")
    half = {"weight": np.ascontiguousarray(head["weight"][:, : head["weight"].shape[1] // 2]), "bias": head["bias"]}
    save_file(half, tmp_path / "out" / "head.safetensors")
    told = json.loads((tmp_path / "out" / "headstart.json").read_text())
    told["head"] = {key: value for key, value in told["head"].items() if key != "hash"} | {"times": 2}
    (tmp_path / "out" / "headstart.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match="compared the texts of a pair otherwise\nfit it again"):
        hs.load(tmp_path / "out").predict([pairs[0]])


@pytest.mark.check
def test_the_card_of_a_tuned_model_reads_both_texts_as_one(tmp_path, monkeypatch, capsys):
    small_text_model("bert", tmp_path / "bert")
    rng = random.Random(0)
    pairs = [(" ".join(rng.choices(WORDS, k=6)), " ".join(rng.choices(WORDS, k=6))) for _ in range(40)]
    labels = ["one" if ("card" in a) == ("card" in b) else "other" for a, b in pairs]
    with by_looks():
        model = hs.fit(pairs, labels, model=str(tmp_path / "bert"), how="full", budget="8s", out=tmp_path / "out")
    code = (tmp_path / "out" / "README.md").read_text().split("```python")[-1].split("```")[0]
    assert '[("a text", "another text")]' in code
    monkeypatch.chdir(tmp_path)
    for first, second in pairs[:3]:
        exec(code.replace('"a text", "another text"', f"{first!r}, {second!r}"), {})
        label, probability = capsys.readouterr().out.rsplit(" ", 1)
        (ours,) = model.predict([(first, second)])
        assert (label, float(probability)) == (ours.label, pytest.approx(ours.probability, abs=0.02))


def made_pairs(n=40):
    rng = random.Random(0)
    pairs = [(" ".join(rng.choices(WORDS, k=6)), " ".join(rng.choices(WORDS, k=6))) for _ in range(n)]
    return pairs, ["one" if ("card" in a) == ("card" in b) else "other" for a, b in pairs]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "bert"
    small_text_model("bert", folder)
    return str(folder)


@pytest.fixture(scope="module")
def models(bert):
    """One fitted on pairs, one on their first texts."""
    pairs, labels = made_pairs()
    texts = [first for first, _ in pairs]
    return hs.fit(pairs, labels, model=bert, how="probe"), hs.fit(texts, labels, model=bert, how="probe")


NO_PAIRS = {
    (None, "a card"): "a text of the pair is blank",
    ("a card", float("nan")): "a text of the pair is blank",
    ("a card", " "): "a text of the pair is blank",
    (5, "a card"): "5 is no text (int)",
    ("a card", b"a pin"): "b'a pin' is no text (bytes)",
    "a card": "'a card' is no pair of texts (str)",
    ("a card", "a pin", "a rate"): "('a card', 'a pin', 'a rate') is no pair of texts (tuple)",
    None: "no pair of texts",
}


def few_against_many(n_first: int, n: int = 200) -> tuple[list[tuple[str, str]], list[str]]:
    """Every first text beside many others, of which each occurs once."""
    rng = random.Random(0)
    words = [word for some in TOPICS.values() for phrase in some for word in phrase.split()]
    pairs = [
        (f"{words[i % n_first % 24]} wanted {i % n_first // 24}", f"{' '.join(rng.sample(words, 6))} {i}")
        for i in range(n)
    ]
    return pairs, ["yes" if i % n_first % 2 else "no" for i in range(n)]


@pytest.mark.parametrize("turned", [False, True])
def test_pairs_of_a_recurring_text_are_on_one_side_of_the_split(turned):
    """Ten queries, each beside twenty texts: what is scored is queries that are new."""
    pairs, labels = few_against_many(10)
    checked = hs.check([pair[::-1] for pair in pairs] if turned else pairs, labels)
    parts, recurring = checked.parts, int(turned)
    learned, tested = ({checked.dataset.inputs[row][recurring] for row in rows} for rows in (parts.train, parts.test))
    assert len(tested) == 2
    assert not learned & tested
    assert "shared-texts" not in [caution.kind for caution in parts.cautions]


def test_texts_that_are_on_both_sides_of_the_split_are_told(tmp_path, command):
    """Four queries are too few to hold some out."""
    pairs, labels = few_against_many(4)
    (caution,) = hs.check(pairs, labels).cautions
    assert caution.kind == "shared-texts"
    assert caution.text.startswith("40 of 40 test pairs have a text that training pairs have, too")
    table = tmp_path / "pairs.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("sentence1", "sentence2", "label"), *((*p, y) for p, y in zip(pairs, labels, strict=True))]
        )
    code, printed, err = command("check", table)
    assert code == 0, err
    assert "--group COLUMN keeps such on one side" in printed
    code, printed, err = command("check", table, "--group", "sentence1")
    assert code == 0, err
    assert "have a text that training pairs have" not in printed


@pytest.mark.parametrize("n_first", [4, 100])
def test_texts_that_official_parts_have_in_common_are_told_once(n_first, tmp_path):
    pairs, labels = few_against_many(n_first)
    table = tmp_path / "pairs.csv"
    with table.open("w", newline="") as file:
        rows = [
            (*pair, y, "test" if i >= 150 else "train") for i, (pair, y) in enumerate(zip(pairs, labels, strict=True))
        ]
        csv.writer(file).writerows([("sentence1", "sentence2", "label", "split"), *rows])
    (caution,) = hs.check(table).cautions
    assert caution.kind == {4: "shared-texts", 100: "leak"}[n_first]
    assert "50 test" in caution.text


@pytest.mark.parametrize("first", [False, True])
def test_what_is_no_pair_is_said_row_by_row_and_not_learned_from(bert, first):
    pairs, labels = made_pairs()
    wrong = list(NO_PAIRS)
    given = wrong + pairs[len(wrong) :] if first else pairs[: -len(wrong)] + wrong
    checked = hs.check(given, labels)
    assert checked.dataset.modality.name == "pair"
    start = 1 if first else len(pairs) - len(wrong) + 1
    assert {f.where: f.reason for f in checked.dataset.findings if f.rejected} == {
        f"row {start + i}": reason for i, reason in enumerate(NO_PAIRS.values())
    }


def test_pairs_where_texts_are_expected_and_texts_where_pairs_are(models, tmp_path):
    of_pairs, of_texts = models
    pairs, labels = made_pairs()
    texts = [first for first, _ in pairs]
    for given, kind, model in ((pairs, "text", of_texts), (texts, "pair", of_pairs)):
        said = r"row 1: .* is no (text \(tuple\)|pair of texts \(str\))"
        with pytest.raises(DataError, match=said):
            hs.check(given, labels, kind=kind)
        with pytest.raises(DataError, match=said):
            model.evaluate(given, labels)
    lines = (f'"{text}",{label}\n' for text, label in zip(texts, labels, strict=True))
    (tmp_path / "texts.csv").write_text("text,label\n" + "".join(lines))
    lines = (f'"{a}","{b}",{c}\n' for (a, b), c in zip(pairs, labels, strict=True))
    (tmp_path / "pairs.csv").write_text("sentence1,sentence2,label\n" + "".join(lines))
    with pytest.raises(DataError, match="texts: these are texts, and pairs are wanted"):
        of_pairs.evaluate(tmp_path / "texts.csv")
    with pytest.raises(DataError, match="pairs: these are pairs, and texts are wanted"):
        of_texts.evaluate(tmp_path / "pairs.csv")


def test_an_input_that_cannot_be_used_has_an_error_and_the_others_are_answered(models):
    of_pairs, of_texts = models
    told = of_texts.predict([("a", "b"), 5, {"a": 1}, None, "my card"])
    assert [bool(p.error) for p in told] == [True] * 4 + [False]
    assert told[1].error == "5 is no text (int)"
    told = of_pairs.predict([("my card", ""), (None, "my card"), ("my card", "the pin")])
    assert [p.error for p in told] == ["a text of the pair is blank"] * 2 + [""]
    assert [p.error for p in of_pairs.predict(("my card", None))] == ["a text of the pair is blank"]
    for one in ("my card", ["my card"], [("my card", "the pin"), "my card"], [5], [None]):
        with pytest.raises(DataError, match="no pair of texts, and the model was fitted on pairs"):
            of_pairs.predict(one)


def test_nothing_asked_is_nothing_answered(models, bert):
    for model in models:
        assert model.predict([]) == []
        assert model.predict_proba([]).shape == (0, 2)
    pairs, labels = made_pairs()
    classifier = hs.HeadstartClassifier(bert).fit(pairs, labels)
    regressor = hs.HeadstartRegressor(bert).fit(pairs, range(len(pairs)))
    encoder = hs.HeadstartEncoder(bert)
    asks = (classifier.predict, classifier.predict_proba, regressor.predict, encoder.fit_transform)
    for ask in (*asks, lambda none: classifier.fit(none, none), lambda none: regressor.fit(none, none)):
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\) while a minimum of 1 is req"):
            ask([])
    for ask in (classifier.predict, regressor.predict, encoder.fit(pairs).transform):
        with pytest.raises(DataError, match="row 1: 'my card' is no pair of texts"):
            ask(["my card"])


def test_a_blank_row_of_a_table_of_pairs_is_an_error_of_its_own(models, tmp_path, command):
    of_pairs, of_texts = (model.save(tmp_path / name) for model, name in zip(models, "ab", strict=True))
    table = tmp_path / "new.csv"
    table.write_text("sentence1,sentence2,label\nmy card,the pin,one\n,x,one\nthe rate,a card,one\n")
    code, out, _ = command("predict", of_pairs.folder, table, "--json")
    assert code == 2
    rows = json.loads(out)["predictions"]
    assert [row.get("error") for row in rows] == [None, "a text of the pair is blank", None]
    for model in (of_pairs, of_texts):
        code, _, err = command("predict", model.folder, "-")
        assert (code, err) == (2, "error: standard input: nothing to predict: it is empty\none text a line\n")


@pytest.mark.parametrize("from_how_many", [20, 2000])
def test_the_penalty_of_many_pairs_is_searched_for_once_and_without_the_validation_part(
    tmp_path, monkeypatch, from_how_many
):
    """Of few it is searched for again, with all that each probe may learn from."""
    monkeypatch.setattr("headstart.adapt.cross_validation.TUNING", replace(TUNING, refit_from=from_how_many))
    small_text_model("bert", tmp_path / "bert")
    rows = same_or_not(60)
    dataset = hs.check([row[:2] for row in rows], [row[2] for row in rows]).dataset
    training = lesson_of(dataset, tmp_path / "bert", None).training(Checkpoint(tmp_path / "run"))
    learn, everything = np.flatnonzero(training.folds != 0), np.arange(len(dataset))
    first, last = (training.objective.start(part).head for part in (learn, everything))
    assert first.cross_validation
    assert bool(last.cross_validation) == (from_how_many > len(rows))
    assert last.cross_validation or last.penalty == first.penalty
    assert np.abs(last.weight - first.weight).max() > 0
    assert training.objective.start(everything).head is last
