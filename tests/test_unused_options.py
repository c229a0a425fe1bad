"""What is said and would change nothing is refused: no option is left aside in silence."""

from __future__ import annotations

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
