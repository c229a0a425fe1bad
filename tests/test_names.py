"""What classes are called: read, said, learned from where labels are few, and left out where that does harm."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import headstart as hs
from headstart.adapt.auxiliary import NOTHING, Auxiliary
from headstart.adapt.beside import begin
from headstart.backbone import Features
from headstart.clock import UNLIMITED
from headstart.data.labels.class_names import ClassWords, readable, words_of
from headstart.errors import DataError, UserError
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.modalities import TEXT
from headstart.values import Dataset
from topics import MINI, TOPICS

FIRST = ["the card is late", "a lost card", "the new rate", "my rate of today", "a pin", "set the pin"]


def table(folder, rows, name="few.csv"):
    with open(folder / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        writer.writerows(rows)
    return folder / name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("card_arrival", "card arrival"),
        ("SciTech", "sci tech"),
        ("e-mail", "e mail"),
        ("u-turn", "u turn"),
        ("__label__pos", "positive"),
        ("B-PER", "person"),
        ("reverted_card_payment?", "reverted card payment"),
        ("HTTPError", "http error"),
        ("not-for-me", "not for me"),
        ("5 stars", "5 stars"),
        ("猫", "猫"),
        ("Überweisung", "überweisung"),
        ("no", "no"),
        ("cat", "cat"),
        *(
            (name, "")
            for name in ("0", "A", "class_3", "label 1", "LABEL_0", "__label__2", "n02084071", "1.5", "-", " ")
        ),
    ],
)
def test_a_name_is_read_in_words_where_it_has_a_meaning(name, words):
    assert readable(name) == words


@given(st.text())
def test_any_name_can_be_read(name):
    words = readable(name)
    assert words == words.strip().lower() or not words.isascii()
    assert "_" not in words


def test_names_without_a_meaning_are_not_used():
    assert len(words_of(["0", "1", "2"])) == 0
    assert len(words_of(["A", "B", "card"])) == 0  # one name says nothing of what is between classes
    assert words_of(["A", "rate", "card"]).texts == ("rate", "card")
    assert words_of(["neg", "Negative", "pos"]).texts == ()  # two classes of one name, and one that is left


def test_a_name_counts_as_one_example_and_less_where_labels_are_many():
    words = ClassWords(("a", "b", "b2"), np.array([0, 1, 1]))
    assert words.weights(np.array([5, 5])).tolist() == [1.0, 0.5, 0.5]
    assert words.weights(np.array([25, 100])).tolist() == [1.0, 0.0, 0.0]
    assert 0 < words.weights(np.array([60, 5]))[0] < 1


@pytest.mark.parametrize(
    "written",
    [
        '{"card": "a bank card", "pin": ["a secret number", "a code"]}',
        "class,words\ncard,a bank card\npin,a secret number\npin,a code\n",
        "card\ta bank card\npin\ta secret number\npin\ta code\n",
        'card;"a bank card"\npin;a secret number\npin;a code\n',
    ],
)
def test_other_words_come_from_a_file(tmp_path, written):
    file = tmp_path / "names"
    file.write_text(written, encoding="utf-8")
    words = words_of(["card", "pin", "rate"], file)
    assert words.texts == ("a bank card", "a secret number", "a code", "rate")
    assert words.classes.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('{"cards": "a"}', "is no class"),
        ('{"card": 3}', "no text for class 'card'"),
        ('{"card": ', "not JSON"),
        ("card,a,b\n", "row 1 has not two cells"),
        ("nothing\n", "row 1 has not two cells"),
        ("", "no rows"),
        ("card, \n", "no text"),
        ("card,\0\n", "not a text file"),
    ],
)
def test_a_file_of_words_that_is_none_is_refused_with_what_to_do(few_texts, command, tmp_path, written, said):
    file = tmp_path / "names.txt"
    file.write_bytes(written.encode())
    data, model = few_texts
    code, out, err = command("fit", data, "--model", model, "--how", "probe", "--names", file, "--out", tmp_path / "m")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.strip().splitlines()[-1]) < 300
    assert not (tmp_path / "m").exists()


def test_names_are_said_before_the_work_and_in_json(few_texts, command, tmp_path):
    data, model = few_texts
    run = ["fit", data, "--model", model, "--how", "probe", "--json"]
    code, out, err = command(*run, "--out", tmp_path / "a")
    assert code == 0
    assert json.loads(out)["names_used"] is True
    assert err.index("'card' as 'card'") < err.index("encode")
    assert "--names none" in err
    card = (tmp_path / "a" / "README.md").read_text(encoding="utf-8")
    assert "name" in card
    code, out, err = command(*run, "--names", "none", "--out", tmp_path / "b")
    assert json.loads(out)["names_used"] is False
    assert "counts as one" not in err
    code, out, err = command("evaluate", tmp_path / "a", data, "--json")
    assert code == 0


def test_words_of_ones_own_change_the_head_and_none_leaves_it_as_it_was(few_texts):
    data, model = few_texts
    ways = (None, "none", {"pin": ["a number that nobody knows", "new"]})
    made = [hs.fit(hs_rows(data)[0], hs_rows(data)[1], model=model, how="probe", names=names) for names in ways]
    assert len({one.head.weight.tobytes() for one in made}) == 3
    assert [one.record.names_used for one in made] == [True, False, True]


def hs_rows(data):
    with open(data, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


def test_the_packaged_model_learns_more_from_two_labels_a_class_with_names(tmp_path):
    asked = table(
        tmp_path, [(f"{text}, please", topic) for topic, texts in TOPICS.items() for text in texts], "asked.csv"
    )
    few = table(tmp_path, [(text, topic) for topic, texts in TOPICS.items() for text in texts[4:6]])
    scores = {
        names: hs.fit(few, test=asked, names=names, out=tmp_path / str(names), **MINI).scores.log_loss
        for names in (None, "none")
    }
    assert scores[None] < scores["none"]


def test_names_serve_neither_numbers_nor_photos(few_texts, photos, tmp_path):
    data, model = few_texts
    with pytest.raises(UserError, match="not names"):
        hs.fit(photos, how="probe", names={"global": "a"}, out=tmp_path / "m")
    with pytest.raises(DataError, match="names is a int"):
        hs.fit(data, model=model, how="probe", names=3, out=tmp_path / "m")
    numbers = [str(i) for i in range(24)]
    with pytest.raises(UserError, match="no classes"):
        hs.fit(
            [f"{t} {n}" for n, t in enumerate(FIRST * 4)],
            numbers,
            task="regression",
            model=model,
            how="probe",
            names={"a": "b"},
        )


def points(seed: int, each: int, *, apart: float = 1.2, wide: int = 40) -> tuple[Dataset, Features]:
    """Two classes of points, apart in the first of many directions, where few of them say little."""
    rng, labels = np.random.default_rng(seed), np.repeat(["no", "yes"], each)
    matrix = rng.normal(size=(2 * each, wide)).astype(np.float32)
    matrix[:, 0] += apart * np.where(labels == "yes", 1, -1)
    where = [str(i) for i in range(len(labels))]
    digests = rng.integers(0, 256, (len(labels), 32), dtype=np.uint8)
    data = Dataset(CLASSIFICATION, TEXT, "points", where, labels.tolist(), where, digests=digests)
    return data, Features(matrix, "", 0)


def _begun(data: Dataset, features: Features, names: np.ndarray | None):
    words = ClassWords(("no", "yes"), np.arange(2))
    beside = NOTHING if names is None else Auxiliary(words, names.astype(np.float32))
    rows = np.arange(len(data))
    return begin(data, rows, features, beside=beside, seed=0, within=UNLIMITED, advance=lambda _: None)


def test_names_that_stand_where_their_examples_do_make_a_better_probe():
    test, asked = points(99, 500)
    right = np.zeros((8, 2))
    truth = np.zeros((2, 40))
    truth[:, 0] = -3, 3
    for seed in range(8):
        data, features = points(seed, 4)
        for way, names in enumerate((None, truth)):
            head = _begun(data, features, names).probed.head
            right[seed, way] = (head.logits(asked.matrix).argmax(axis=1) == test.y).mean()
    assert right[:, 1].mean() > right[:, 0].mean() + 0.05


def test_names_that_do_harm_are_left_out_and_it_is_said():
    data, features = points(1, 20, wide=8)
    wrong = np.zeros((2, 8))
    wrong[:, 0] = 60, -60  # each where the other class is
    found = _begun(data, features, wrong)
    assert not len(found.beside.words)
    assert any("left out" in note and "with it" in note for note in found.notes)
    assert found.probed.head.weight.tobytes() == _begun(data, features, None).probed.head.weight.tobytes()


def test_held_out_examples_are_judged_as_many_as_there_are():
    data, features = points(2, 10)
    found = _begun(data, features, np.ones((2, 40)) * [[1], [-1]])
    assert found.probed.outputs.shape == (20, 2)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("refnd,money back\ncard,a lost card\n", "'refnd' is no class"),
        ("refund,money back\nrefund,Money back\ncard,money back\n", "stands for 'refund' too"),
        ('[{"class": "refund"}]', "a JSON list"),
        ("{}", "no words in it"),
    ],
)
def test_words_that_would_be_passed_over_are_refused(tmp_path, written, said):
    file = tmp_path / "words.csv"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        words_of(("refund", "card"), str(file))


def test_words_for_one_class_among_others_that_say_nothing_are_refused():
    with pytest.raises(DataError, match="words for one class only"):
        words_of(("0", "1"), {"1": "a person"})


def test_a_header_and_a_semicolon_within_a_text_are_read(tmp_path):
    file = tmp_path / "words.csv"
    file.write_text("class,text\nrefund,money back; please\ncard,a lost card\n", encoding="utf-8")
    assert words_of(("refund", "card"), str(file)).texts == ("money back; please", "a lost card")
