"""What a model is asked about: in any container that has an order, or in a table; and what is no text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import headstart as hs
from topics import TOPICS, mixed, same_or_not

ASKED = ["Where is my card, please?", "Which exchange rate, today?"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Fitted on a table whose columns no name gives away."""
    from conftest import QUESTIONS

    rows = [(s.strip(), label) for label, t in QUESTIONS.items() for s in t.replace("?", ".").split(".") if s.strip()]
    table = pd.DataFrame(rows, columns=["said", "kind"])
    table.insert(0, "title", "a longer text than the others, which nobody should take for what was said")
    folder = tmp_path_factory.mktemp("asked") / "model"
    hs.fit(table, columns=hs.Columns(text="said", label="kind"), how="probe", out=folder)
    return folder


@pytest.fixture(scope="module")
def model(saved):
    return hs.load(saved)


@pytest.fixture(scope="module")
def of_pairs():
    return hs.fit(*zip(*[((a, b), label) for a, b, label in same_or_not(24)], strict=True), how="probe")


def test_texts_in_any_container_with_an_order(model):
    plain = model.predict(ASKED)
    frame = pd.DataFrame({"title": "an exchange rate of nothing", "said": ASKED})
    containers = [
        *(tuple(ASKED), np.array(ASKED), np.array(ASKED, dtype=object), np.array(ASKED)[:, None], pd.Series(ASKED)),
        *(pa.array(ASKED), iter(ASKED), frame[["said"]], frame, pa.Table.from_pandas(frame)),
    ]
    for asked in containers:
        assert model.predict(asked) == plain, type(asked)
    assert model.predict(np.array(ASKED[0])) == model.predict(ASKED[0]) == model.predict(ASKED[:1])
    assert model.predict_proba(pd.Series(ASKED)).shape == model.predict_proba(frame).shape == (2, 3)
    assert model.predict_proba(ASKED[0]).shape == (1, 3)
    assert model.predict([]) == []


def test_a_row_of_a_table_is_one_input(model):
    frame = pd.DataFrame({"title": "an exchange rate of nothing", "said": ASKED}, index=["a", "b"])
    plain = model.predict(ASKED[:1])
    assert model.predict(frame.iloc[0]) == model.predict(next(frame.itertuples())) == plain
    assert model.predict(frame["said"]) == model.predict(ASKED), "a column, whatever its index"


def test_what_is_no_text_is_refused_or_an_error_of_its_own(model, tmp_path):
    for nothing in ({"said": ASKED}, {*ASKED}, b"text", 3, 2.5, None, float("nan"), np.array([ASKED * 2])[0][None]):
        with pytest.raises(hs.UserError):
            model.predict(nothing)
    with pytest.raises(hs.UserError, match="no such file"):
        model.predict(tmp_path / "nofile.csv")
    for name, content in (("said.csv", f"title,said\nx,{ASKED[0]!r}\n"), ("said.txt", f"{ASKED[0]}\n")):
        (tmp_path / name).write_text(content.replace("'", '"'))
        assert [asked.label for asked in model.predict(tmp_path / name)] == ["card"]
    table, text = model.predict(tmp_path)  # each file is a text, and a table is none
    assert (table.label, "a table" in table.error, text.label) == ("", True, "card")
    with pytest.raises(hs.UserError, match="column"):
        model.predict(pd.DataFrame({"n": [1, 2]}))
    mixture = [ASKED[0], np.nan, None, 3, {"a": 1}, b"text", Path("a.txt"), pd.NA, ["a text"], "  "]
    first, *others = model.predict(mixture)
    assert (first.error, first.label) == ("", "card") or not first.error
    assert all(other.error for other in others)
    assert "3 is no text (int)" in others[2].error
    with pytest.raises(hs.UserError, match=r"input 2: .*no text"):
        model.predict_proba([ASKED[0], 7])


def test_pairs_in_arrays_tables_and_lists(of_pairs):
    asked = [("grilled fish", "fresh bread with butter"), ("a drum solo", "chess")]
    plain = of_pairs.predict(asked)
    frame = pd.DataFrame(asked, columns=["sentence1", "sentence2"])
    for given in (np.array(asked), np.array(asked, dtype=object), frame, [list(pair) for pair in asked], iter(asked)):
        assert of_pairs.predict(given) == plain, type(given)
    with pytest.raises(hs.UserError, match="these are texts, and pairs are wanted"):
        of_pairs.evaluate(frame.assign(label="same"), columns=hs.Columns(text="sentence1"))
    good, bad = of_pairs.predict([asked[0], ("a drum solo", np.nan)])
    assert not good.error
    assert "blank" in bad.error
    X, y = np.array([(a, b) for a, b, _ in same_or_not(24)]), [label for *_, label in same_or_not(24)]
    assert hs.HeadstartClassifier().fit(X, y).predict(X[:2]).shape == (2,)
    assert hs.check((X, y)).dataset.modality.name == "pair"


def test_estimators_leave_no_row_that_is_no_text(questions):
    texts, labels = [t for t, _ in questions], [label for _, label in questions]
    for estimator in (hs.HeadstartClassifier(), hs.HeadstartEncoder()):
        for odd in (np.nan, None, 3):
            with pytest.raises(hs.UserError, match=r"row 2: .*no text"):
                estimator.fit([texts[0], odd, *texts[2:]], labels)
        with pytest.raises(hs.UserError, match="row 1: no text"):
            estimator.fit([np.nan, *texts[1:]], labels)
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            estimator.fit([], [])
        frame = pd.DataFrame({"id": range(len(texts)), "text": texts})
        for no_order in (set(texts), dict(questions), frame):
            with pytest.raises(hs.UserError):
                estimator.fit(no_order, labels)
    found = hs.check(([np.nan, *texts[1:]], labels))
    assert [(f.where, f.reason) for f in found.dataset.findings if f.rejected] == [("row 1", "no text")]
    features = hs.HeadstartEncoder().fit(texts)
    np.testing.assert_array_equal(features.transform(pd.DataFrame({"text": texts})), features.transform(iter(texts)))


def test_labels_as_columns_and_lists_are_scored(questions):
    rows = mixed()
    texts, names = [text for text, _ in rows], [sorted(some) for _, some in rows]
    model = hs.HeadstartClassifier().fit(texts, names)
    matrix = np.array([[topic in some for topic in model.classes_] for some in names], dtype=int)
    assert model.score(texts, names) == (model.predict(texts) == matrix).all(axis=1).mean() > 0.3
    assert model.score(texts, names) == model.score(texts, matrix)
    unknown = [[*some, "unheard of"] for some in names]
    assert model.score(texts, unknown) == 0.0
    with pytest.raises(hs.UserError, match="of its labels the model knows 0"):
        model.score(texts, [["another"], *[["other"]] * (len(texts) - 1)])
    table = pd.DataFrame(matrix, columns=model.classes_)[[*TOPICS][::-1]]
    named = hs.HeadstartClassifier().fit(texts, table)
    assert named.classes_.tolist() == [*TOPICS][::-1]
    assert named.score(texts, table[[*TOPICS]]) == named.score(texts, table.to_numpy()) > 0.3


IN_WORKERS = """
import warnings
import headstart as hs
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

if __name__ == "__main__":
    hs.HeadstartClassifier
    print(cross_val_score(LogisticRegression(), *make_classification(60, random_state=0), n_jobs=2, cv=2).mean() > 0.5)
    texts = [f"a {word} soup, table {i}" for word in ("good", "awful") for i in range(8)]
    search = GridSearchCV(hs.HeadstartClassifier(), {"seed": [0, 1]}, n_jobs=2, cv=2, error_score="raise")
    print(search.fit(texts, [0] * 8 + [1] * 8).best_score_ > 0.5)
"""


def test_scikit_learns_workers_start(tmp_path):
    """It sends them all filters of warnings, Pillow's silence among them."""
    (tmp_path / "search.py").write_text(IN_WORKERS)
    done = subprocess.run([sys.executable, tmp_path / "search.py"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\nTrue\n"), done.stderr


def test_paths_are_no_texts(saved, command, textile, tmp_path):
    (tmp_path / "folder").mkdir()
    photo = next(textile.rglob("*.jpg"))
    for asked, said in (
        ("nofile.csv", "no such file"),
        ("pictures/nofile.JPG", "no such file"),
        ("folder", "a folder of this name is there, and the model takes texts"),
        (photo, "a file of this name is there, and the model takes texts"),
        ("nofolder/", "no such file"),
        ("new_reviews/2024", "no such file"),
    ):
        code, out, err = command("predict", saved, asked)
        assert (code, out) == (2, ""), err
        assert said in err
        assert f"headstart predict MODEL {asked} --as text" in err
    for text in ("my card is in nofile.csv", "What.", "card?", "a card and/or a rate"):
        assert command("predict", saved, text)[0] == 0


def test_each_line_of_a_plain_file_is_a_text(saved, command, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text(f"card\n{ASKED[0]}\n\n{ASKED[1]}\n")
    code, out, err = command("predict", saved, lines, "--json")
    assert code == 0, err
    assert [row["input"] for row in json.loads(out)["predictions"]] == ["card", *ASKED]
    assert "note: lines.txt: each of 3 lines taken as a text; left out: 1 blank" in err
    (tmp_path / "table.txt").write_text(f"said\tkind\n{ASKED[0]}\tcard\n")
    code, out, err = command("predict", saved, tmp_path / "table.txt", "--json")
    assert [row["input"] for row in json.loads(out)["predictions"]] == [ASKED[0]], err


def test_a_table_of_images_is_predicted_by_the_fits_column(photos, command, tmp_path):
    names = [(f"{kind}/{file.name}", kind) for kind in ("global", "nominal") for file in (photos / kind).iterdir()]
    table = photos / "list.csv"
    table.write_text("where,kind\n" + "".join(f"{name},{kind}\n" for name, kind in names))
    out = tmp_path / "model"
    fitted = ["--image", "where", "--label", "kind", "--model", "efficientnet_lite0", "--how", "probe", "--out", out]
    code, _, err = command("fit", table, *fitted)
    assert code == 0, err
    code, printed, err = command("predict", out, table, "--json")
    assert code == 0, err
    assert [row["input"] for row in json.loads(printed)["predictions"]] == [str(photos / name) for name, _ in names]
    assert len(hs.load(out).predict(table)) == len(names)
    (photos / "other.csv").write_text(table.read_text().replace("where,kind", "shot,sort"))
    code, printed, err = command("evaluate", out, photos / "other.csv", "--image", "shot", "--label", "sort", "--json")
    assert (code, json.loads(printed)["n_test"]) == (0, 40), err


def test_evaluate_names_columns(saved, command, tmp_path):
    table = tmp_path / "new.csv"
    rows = "".join(
        f'a title of several words,"{text}",{label}\n' for text, label in zip(ASKED, ("card", "exchange"), strict=True)
    )
    table.write_text("text,said,sort of\n" + rows)
    code, out, err = command("evaluate", saved, table, "--label", "sort of", "--json")
    assert code == 0, err
    assert json.loads(out)["accuracy"] == 1.0  # the texts are the fit's column still
    code, _, err = command("evaluate", saved, table, "--label", "sort")
    assert (code, "did you mean 'sort of'?" in err) == (2, True)


def test_arguments_of_another_kind_are_told_in_words(model, questions):
    frame = pd.DataFrame(questions, columns=["a", "b"])
    for columns, said in (
        ({"text": "a"}, r"hs\.Columns\(text="),
        (hs.Columns(label=["a", "b"]), r"labels=\[...\]"),
        (hs.Columns(labels="a,b"), "a list of the columns' names"),
        (hs.Columns(text="a", label="c"), r"Columns\(label=.*: no column 'c'"),
    ):
        with pytest.raises(hs.UserError, match=said):
            hs.fit(frame, columns=columns)
        with pytest.raises(hs.UserError, match=said):
            model.evaluate(frame, columns=columns)
    for progress in (True, 3, "bar"):
        with pytest.raises(hs.UserError, match=r"progress: .* is no function"):
            hs.check(frame, progress=progress)
    with pytest.raises(hs.UserError, match=r'Columns\(label="..."\)'):
        hs.check(pd.DataFrame({"text": [text for text, _ in questions]}))
    two = frame.assign(b=frame["a"] + " and more")
    with pytest.raises(hs.UserError) as refused:
        hs.check(two.assign(label=1))
    assert 'Columns(text="a", text2="b") as pairs, Columns(text=["a", "b"]) joined' in str(refused.value)


@pytest.mark.parametrize("test", [pd.DataFrame({"text": ["a"], "label": ["b"]}), (["a"], ["b"]), True, None])
def test_a_test_that_is_neither_a_share_nor_a_path_is_told(test, questions):
    frame = pd.DataFrame(questions, columns=["text", "label"])
    with pytest.raises(hs.UserError, match=r"test: a .* is neither a share nor a path\n.*a column split"):
        hs.check(frame, test=test)


def test_a_text_that_is_the_name_of_a_file_is_told(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("ask.txt").write_text("Where is my new card?\n")
    for name in ("ask.txt", "gone.csv", "./questions"):
        with pytest.raises(hs.UserError, match=rf"Path\('{name}'\) asks about the file, \['{name}'\] about the words"):
            model.predict(name)
    assert model.predict(["ask.txt"])[0].input == "ask.txt"
    assert model.predict(Path("ask.txt"))[0].label == "card"


def test_what_is_told_in_python_names_no_option(model, tmp_path):
    """A word behind an option is its value only where it is no part of the sentence."""
    frame = pd.DataFrame(
        {"one": ["where is my card", "what is the rate"], "two": ["it is late today", "it is too high"]}
    )
    with pytest.raises(hs.UserError) as told:
        model.predict(frame)
    assert 'Columns(text="one") takes it alone' in str(told.value)
    assert [found.label for found in model.predict(frame, columns=hs.Columns(text="one"))] == ["card", "exchange"]
    assert model.predict_proba(frame, columns=hs.Columns(text="two")).shape == (2, 3)
    with pytest.raises(hs.UserError, match=r'Columns\(text2="..."\) is the second text of a pair, and'):
        hs.check(frame.assign(label="a"), columns=hs.Columns(text2="one"))


def test_scores_and_tasks_are_printed_in_a_line(model, questions):
    heard = []
    frame = pd.DataFrame([(t, label) for t, label in questions], columns=["said", "kind"])
    scores = model.evaluate(frame, progress=heard.append).scores
    assert repr(scores).startswith(f"Scores(n={scores.n}, accuracy=")
    assert len(str(scores)) < 200
    assert repr(model.task) == "Task('classification')"
    assert heard[0].step == "read"
