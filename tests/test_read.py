"""What is written in a table is what is read from it, in each form of table."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.data import Columns, read
from headstart.errors import DataError

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
@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_tables_come_back_as_they_were_written(kind, rows):
    with tempfile.TemporaryDirectory() as folder:
        dataset = read(written(Path(folder), rows, kind))
    assert list(dataset.inputs) == [text for text, _ in rows]
    assert list(dataset.labels) == [label for _, label in rows]
    assert dataset.where[-1] == f"table.{kind} row {len(rows)}"
    assert dataset.kind == "text"


def test_json_lines_with_numbers_and_words_as_labels_and_a_damaged_line(tmp_path):
    path = tmp_path / "mixed.jsonl"
    rows = [{"text": "one", "label": 1}, {"text": "two", "label": "two"}, {"text": "three", "label": None}]
    path.write_text("\n".join([*map(json.dumps, rows), '{"text": "cut', "[1, 2]"]) + "\n")
    dataset = read(path)
    assert list(dataset.labels) == ["1", "two", None]
    assert [f.where for f in dataset.findings] == ["mixed.jsonl row 4", "mixed.jsonl row 5"]
    assert all(f.rejected for f in dataset.findings)


def test_a_json_list_is_a_table_too(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps([{"q": "where is it?", "y": "a"}, {"q": "who are you?", "y": "b"}]))
    assert list(read(tmp_path / "list.json").labels) == ["a", "b"]
    (tmp_path / "broken.json").write_text('[{"q": "where')
    with pytest.raises(DataError, match="not JSON"):
        read(tmp_path / "broken.json")


def test_columns_by_name(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("id,title,body,stars\n1,Great,I liked it a lot,5\n2,Bad,It broke at once,1\n")
    dataset = read(path, columns=Columns(text="title", label="stars"))
    assert (list(dataset.inputs), list(dataset.labels)) == (["Great", "Bad"], ["5", "1"])
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
    assert list(read(tmp_path).parts) == ["train", "train", "test", "test"]
