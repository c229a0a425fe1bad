"""What is written in a table is what is read from it, in each form of table."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import DataError
from headstart.values import Columns
from reading import read

TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=60)
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from(["good", "bad", "so-so", "1", "2.5"])), min_size=2, max_size=30)


def written(folder: Path, rows: list[tuple[str, str]], kind: str) -> Path:
    path = folder / f"table.{kind}"
    if kind == "parquet":
        table = pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
        pyarrow.parquet.write_table(table, path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"text": t, "label": n}) + "\n" for t, n in rows), encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@settings(max_examples=60)
@given(rows=ROWS)
def test_tables_come_back_as_they_were_written(kind, rows):
    with tempfile.TemporaryDirectory() as folder:
        dataset = read(written(Path(folder), rows, kind))
    assert list(dataset.inputs) == [text for text, _ in rows]
    assert list(dataset.targets) == [label for _, label in rows]
    assert dataset.where[-1] == f"table.{kind} row {len(rows)}"
    assert dataset.modality.name == "text"


def test_json_lines_with_numbers_and_words_as_labels_and_a_damaged_line(tmp_path):
    path = tmp_path / "mixed.jsonl"
    rows = [{"text": "one", "label": 1}, {"text": "two", "label": "two"}, {"text": "three", "label": None}]
    path.write_text("\n".join([*map(json.dumps, rows), '{"text": "cut', "[1, 2]"]) + "\n")
    dataset = read(path)
    assert list(dataset.targets) == ["1", "two", None]
    assert [f.where for f in dataset.findings] == ["mixed.jsonl row 4", "mixed.jsonl row 5"]
    assert all(f.rejected for f in dataset.findings)


def test_a_json_list_is_a_table_too(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps([{"q": "where is it?", "y": "a"}, {"q": "who are you?", "y": "b"}]))
    assert list(read(tmp_path / "list.json").targets) == ["a", "b"]
    (tmp_path / "broken.json").write_text('[{"q": "where')
    with pytest.raises(DataError, match="not JSON"):
        read(tmp_path / "broken.json")


def test_columns_by_name(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("id,title,body,stars\n1,Great,I liked it a lot,5\n2,Bad,It broke at once,1\n")
    dataset = read(path, columns=Columns(text="title", label="stars"))
    assert (list(dataset.inputs), list(dataset.targets)) == (["Great", "Bad"], ["5", "1"])
    with pytest.raises(DataError, match="did you mean 'stars'"):
        read(path, columns=Columns(label="star"))


def test_a_folder_of_tables(tmp_path):
    rows = "text,label\nhello there,a\nbye now,b\n"
    (tmp_path / "questions.csv").write_text(rows)
    assert len(read(tmp_path)) == 2
    (tmp_path / "more.csv").write_text(rows)
    with pytest.raises(DataError, match=r"2 tables: more\.csv, questions\.csv"):
        read(tmp_path)
    (tmp_path / "train.csv").write_text(rows)
    (tmp_path / "test.csv").write_text(rows)
    found = read(tmp_path)
    assert list(found.parts) == ["train", "train", "test", "test"]
    assert "more.csv, questions.csv" in found.notes[-1]  # which nothing was read from
    (tmp_path / "training.jsonl").write_text('{"text": "hello", "label": "a"}')
    with pytest.raises(DataError, match=r"several tables of part 'train': train\.csv, training\.jsonl"):
        read(tmp_path)


def test_folders_beside_the_parts_are_no_classes(tmp_path):
    """As competitions have it: photos to predict beside train and val. A class may be called "train" all the same."""
    for name in ("train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg", "test/4.jpg", "test/5.jpg", "models/best.bin"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"photo")
    found = read(tmp_path / "set")
    assert found.classes == ("cat", "dog")
    assert list(found.parts) == ["train", "train", "val"]
    assert "models (1 files), test (2 files)" in found.notes[0]
    for name in ("bus/1.jpg", "train/steam/2.jpg", "train/3.jpg"):
        (tmp_path / "vehicles" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "vehicles" / name).write_bytes(b"photo")
    found = read(tmp_path / "vehicles")
    assert (found.classes, found.parts) == (("bus", "train"), None)


@pytest.mark.parametrize("rows", [1, 3000], ids=["at once", "after the sample"])
def test_rows_of_an_unknown_part_are_left_out_and_listed(rows, tmp_path):
    """Taken as training, they would teach what they were to test."""
    parts = ["train", "Test ", *["train"] * rows, "holdout", "", " DEV"]
    frame = pd.DataFrame({"text": [f"text {i}" for i in range(len(parts))], "label": "a", "split": parts})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for data in (frame, tmp_path / "rows.csv"):
        found = read(data)
        assert list(found.parts) == ["train", "test", *["train"] * rows, "val"]
        assert list(found.inputs) == [*frame.text[: rows + 2], frame.text.iloc[-1]]
        listed = [(f.kind, f.where.rsplit(" ", 1)[1], f.rejected) for f in found.findings]
        assert listed == [("unknown-part", str(rows + 3), True), ("unknown-part", str(rows + 4), True)]
        assert "'holdout'" in found.findings[0].reason


def test_a_column_of_such_a_name_that_holds_no_parts_is_said_to_be_none():
    found = read(pd.DataFrame({"text": ["a b", "c d", "e f"], "label": "x", "part": ["lid", "test", "rim"]}))
    assert (found.parts, len(found), found.findings) == (None, 3, ())
    assert "'lid', 'rim', 'test'" in found.notes[-1]


def test_parts_of_a_dataset_dict():
    """As IMDB has them: a part without labels beside train and test."""
    import datasets

    names = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
    some = datasets.Dataset.from_dict({"text": ["one", "two"], "label": [0, 1]}, features=names)
    none = datasets.Dataset.from_dict({"text": ["three"], "label": [-1]}, features=names)
    found = read(datasets.DatasetDict({"train": some, "valid": some, "dev": some, "test": some, "unsupervised": none}))
    assert list(found.parts) == ["train"] * 2 + ["val"] * 4 + ["test"] * 2
    assert list(found.targets) == ["bad", "good"] * 4
    assert "'unsupervised' (1 rows)" in found.notes[-1]
