"""What is said and would change nothing is refused: no option is left aside in silence."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import headstart as hs
from headstart.errors import UserError
from headstart.values import Columns
from layouts import photos, sentences, written
from topics import MINI


@pytest.fixture
def frame():
    return pd.DataFrame({"text": sentences("x", 12), "label": ["odd", "even"] * 6})


@pytest.fixture(
    params=["csv", "parquet", "frame", "table", "lists", "classes", "photos", "lines", "metadata", "questions"]
)
def data(request, frame, tmp_path):
    """Data of one form, with the options that it has a use for."""
    form = request.param
    if form in ("frame", "table", "lists", "questions"):
        import pyarrow as pa

        questions = pd.DataFrame({"context": ["a bowl of soup"], "question": ["of what?"], "answer": ["soup"]})
        pairs = (frame["text"].tolist(), frame["label"].tolist())
        return {"frame": frame, "table": pa.Table.from_pandas(frame), "lists": pairs, "questions": questions}[form], ()
    if form == "csv":
        frame.to_csv(tmp_path / "t.csv", index=False)
        return tmp_path / "t.csv", ("encoding", "delimiter")
    if form == "parquet":
        frame.to_parquet(tmp_path / "t.parquet")
        return tmp_path / "t.parquet", ()
    if form == "lines":
        for label in ("pos", "neg"):
            written(tmp_path / f"a.{label}", *sentences(label, 8))
        return tmp_path, ("encoding",)
    for label in ("odd", "even"):
        if form == "classes":
            for number, text in enumerate(sentences(label)):
                written(tmp_path / label / f"{number}.txt", text)
        else:
            photos(tmp_path, label)
    if form == "metadata":
        rows = [f"{label}/{number}.png,{label}" for label in ("odd", "even") for number in range(6)]
        written(tmp_path / "metadata.csv", "file_name,label", *rows)
    used = {
        "classes": ("encoding", "class_folders"),
        "photos": ("class_folders",),
        "metadata": ("encoding", "delimiter"),
    }
    return tmp_path, used[form]


@pytest.mark.parametrize(("option", "value"), [("encoding", "utf-8"), ("delimiter", ","), ("class_folders", "outer")])
def test_an_option_is_used_or_refused(option, value, data):
    given, used = data
    if option in used:
        assert len(hs.check(given, columns=Columns(**{option: value})).dataset) in (12, 16)
        return
    with pytest.raises(UserError, match=f"{option}|class folders"):
        hs.check(given, columns=Columns(**{option: value}))


def test_class_folders_says_outer_or_inner(tmp_path, command):
    photos(tmp_path / "data", "cat", "dog")
    code, _, err = command("check", tmp_path / "data", "--class-folders", "banana")
    assert (code, "'banana' is neither outer nor inner" in err) == (2, True)


def test_a_separator_is_for_several_labels(frame):
    several = frame.assign(label=["odd;first", "even", "odd"] * 4)
    named = Columns(separator=";")
    assert hs.check(several, columns=named).dataset.task.name == "multilabel"
    for task, data in (("classification", several), ("regression", frame.assign(label=[*range(12)]))):
        with pytest.raises(UserError, match=f"of no use for {task}: ';'"):
            hs.check(data, task=task, columns=named)
    other = hs.check(several, columns=Columns(separator="|"), task="multilabel")
    assert "no label has the separator '|' in it" in other.notes


@pytest.mark.parametrize("kind", ["image", "pair"])
def test_the_kind_of_the_inputs_is_used_or_refused(kind, data):
    given, _ = data
    if "question" in getattr(given, "columns", ()):  # which are refused below
        return
    if hs.check(given).dataset.modality.name == kind:
        assert hs.check(given, kind=kind).dataset.modality.name == kind
        return
    with pytest.raises(UserError, match=f"{kind}s are wanted|no usable example|several columns may be the label"):
        hs.check(given, kind=kind)


def test_questions_are_no_texts_of_a_kind():
    asked = {"context": ["a bowl of soup", "a glass of wine"], "question": ["of what?"] * 2, "answer": ["soup", "wine"]}
    with pytest.raises(UserError, match="these are passages, and texts are wanted"):
        hs.check(pd.DataFrame(asked), task="answering", kind="text")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    texts = [f"{text} {label}" for label in ("odd", "even") for text in sentences(label, 12)]
    folder = tmp_path_factory.mktemp("model") / "m"
    hs.fit(texts, labels=["odd"] * 12 + ["even"] * 12, out=folder, **MINI)
    return folder


@pytest.mark.parametrize("option", [("--delimiter", ";"), ("--encoding", "cp1252"), ("--force",), ("--text", "text")])
def test_predict_uses_an_option_or_refuses_it(option, model, tmp_path, command):
    code, _, err = command("predict", model, "an odd text", *option)
    assert (code, f"{option[0]}: it" in err, "leave it out" in err) == (2, True, True)
    lines = written(tmp_path / "lines.txt", "an odd text", "an even one")
    code, _, err = command("predict", model, lines, *option)
    assert (code, f"{option[0]}: it" in err) == ((0, False) if option[0] == "--encoding" else (2, True))


def test_predict_in_memory_refuses_it_too(model):
    loaded = hs.load(model)
    for columns in (Columns(delimiter=";"), Columns(encoding="cp1252"), Columns(text="text")):
        with pytest.raises(UserError, match="no input is one"):
            loaded.predict(["an odd text"], columns=columns)


@pytest.mark.parametrize(
    "columns",
    [
        Columns(text=["text", "label"], label="label"),
        Columns(text="text", text2="text", label="label"),
        Columns(text=["text", "text"], label="label"),
        Columns(text="text", labels=["label", "label"]),
        Columns(text=["text", "label"], labels=["label", "other"]),
        Columns(image="text", label="text"),
    ],
    ids=str,
)
def test_a_column_is_one_thing(columns, frame, tmp_path, command):
    """A label that is a part of the text would be learned by copying it."""
    frame["other"] = [0, 1] * 6
    frame.to_csv(tmp_path / "t.csv", index=False)
    for data in (frame, tmp_path / "t.csv"):
        with pytest.raises(UserError, match=r"is named with Columns\(\w+="):
            hs.check(data, columns=columns)
    code, _, err = command("check", tmp_path / "t.csv", "--text", "text", "--text", "label", "--label", "label")
    assert (code, "'label' is named with --text and --label" in err) == (2, True)
    assert hs.check(frame, columns=Columns(text="text", label="label", group="text")).dataset.columns.group == "text"


@pytest.mark.parametrize("form", ["table", "file", "squad"])
@pytest.mark.parametrize("given", ["labels", "groups"])
def test_questions_take_no_labels_and_no_groups(given, form, tmp_path):
    rows = [{"context": f"a bowl of soup {n}", "question": "of what?", "answer": "soup"} for n in range(6)]
    asked = [
        {"id": str(n), "question": "of what?", "answers": [{"text": "soup", "answer_start": 10}]} for n in range(6)
    ]
    articles = [{"context": "a bowl of soup", "qas": asked}]
    squad = {"data": [{"title": "soup", "paragraphs": articles}]}
    path = written(tmp_path / "q.json", json.dumps(squad if form == "squad" else rows))
    data = pd.DataFrame(rows) if form == "table" else path
    for task in ("answering", *(["auto"] if given == "groups" else [])):
        with pytest.raises(UserError, match=f"{given}: not for questions"):
            hs.check(data, task=task, **{given: ["a"] * 6})


@pytest.mark.parametrize("group", [None, "label"])
def test_groups_beside_a_table_are_refused(group, frame):
    frame["other"] = frame["label"]
    with pytest.raises(UserError, match="groups are for inputs with labels"):
        hs.check(frame, groups=["a"] * 12, columns=Columns(label="other", group=group))
