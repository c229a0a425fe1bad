"""What is said and would change nothing is refused: no option is left aside in silence."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import headstart as hs
from headstart.errors import UserError
from headstart.values import Columns
from layouts import photos, sentences, written


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
