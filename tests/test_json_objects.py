"""One JSON object with rows in several places: parts, or refused. What is twice in a row or a header, too."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

import headstart as hs
from headstart.errors import DataError

ROWS = [
    {"text": f"a wholly different sentence about {n * n} ships and {n + 7} harbours", "label": "ab"[n % 2]}
    for n in range(30)
]


def written(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize("form", ["rows", "columns", "lines"])
def test_rows_under_names_of_parts_are_parts(form, tmp_path):
    parts = {"version": 1, "train": ROWS[:20], "validation": [], "test": ROWS[20:], "labels": ["a", "b"]}
    if form == "columns":
        parts = {name: pd.DataFrame(rows).to_dict("list") for name, rows in (("train", ROWS[:20]), ("test", ROWS[20:]))}
    name = "t.jsonl" if form == "lines" else "t.json"
    found = hs.check(written(tmp_path / name, parts))
    assert (len(found.parts.train), len(found.parts.test)) == (20, 10)
    assert found.dataset.inputs[20] == ROWS[20]["text"]


@pytest.mark.parametrize("cells", [dict, list])
@pytest.mark.parametrize(("one", "other"), [("data", "test"), ("rows", "more"), ("train", "extra")])
def test_rows_beside_other_rows_are_not_dropped(one, other, cells, tmp_path):
    rows = ROWS if cells is dict else [list(row.values()) for row in ROWS]
    path = written(tmp_path / "t.json", {one: rows[:20], other: rows[20:]})
    with pytest.raises(DataError, match=f"rows under '{one}' and under '{other}'"):
        hs.check(path)


def test_what_is_beside_rows_and_no_row_is_no_matter(tmp_path):
    beside = {"features": [{"name": "text"}, {"name": "label"}], "index": list(range(30)), "names": ["a", "b"]}
    assert len(hs.check(written(tmp_path / "t.json", {"data": ROWS, **beside})).dataset) == 30


def test_questions_beside_articles_are_not_dropped(tmp_path):
    def article(n):
        asked = {"id": str(n), "question": "Where is it?", "answers": [{"text": "here", "answer_start": 6}]}
        return {"title": str(n), "paragraphs": [{"context": f"It is here {n}.", "qas": [asked]}]}

    told = {"data": [article(n) for n in range(8)], "test": [article(n) for n in range(8, 12)]}
    with pytest.raises(DataError, match="rows under 'data' and under 'test'"):
        hs.check(written(tmp_path / "t.json", told))


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "json", "frame", "parquet", "pandas wrote it"])
def test_two_columns_of_one_name_that_differ_are_refused_until_one_is_named(form, tmp_path):
    rows = [(row["text"], row["label"], "xyz"[n % 3]) for n, row in enumerate(ROWS)]
    second = "label.1" if form == "pandas wrote it" else "label"
    frame = pd.DataFrame(rows, columns=["text", "label", second])
    data = tmp_path / f"t.{form if form != 'pandas wrote it' else 'csv'}"
    lines = [f'{{"text": "{text}", "label": "{one}", "label": "{two}"}}' for text, one, two in rows]
    if form == "frame":
        data = frame
    elif form == "jsonl":
        written(data, "\n".join(lines))
    elif form == "json":
        written(data, f"[{', '.join(lines)}]")
    elif form == "parquet":
        arrays = [pa.array(column) for column in zip(*rows, strict=True)]
        pa.parquet.write_table(pa.Table.from_arrays(arrays, names=["text", "label", "label"]), data)
    else:
        frame.to_csv(data, index=False, sep="\t" if form == "tsv" else ",")
    other = "label.1" if form == "pandas wrote it" else "label.2"
    with pytest.raises(DataError, match="two columns 'label', and they differ") as refused:
        hs.check(data)
    assert f'Columns(label="{other}")' in str(refused.value)
    first = hs.check(data, columns=hs.Columns(label="label"))
    assert first.dataset.classes == ("a", "b")
    assert any("the first is taken" in note for note in first.notes)
    assert hs.check(data, columns=hs.Columns(label=other)).dataset.classes == ("x", "y", "z")


def test_two_columns_of_one_name_that_agree_are_one():
    frame = pd.DataFrame(
        [(row["text"], row["label"], row["label"]) for row in ROWS], columns=["text", "label", "label"]
    )
    assert hs.check(frame).dataset.classes == ("a", "b")


def test_two_columns_of_answers_are_refused():
    rows = [
        (f"The ship {n} is called Aurora {n}.", f"What is ship {n} called?", f"Aurora {n}", "ship") for n in range(9)
    ]
    with pytest.raises(DataError, match="two columns 'answer', and they differ"):
        hs.check(pd.DataFrame(rows, columns=["context", "question", "answer", "answer"]))


def test_a_list_without_rows_says_what_is_in_it(tmp_path):
    with pytest.raises(DataError, match=r"no rows that can be read; of t.json row 1: not a JSON object"):
        hs.check(written(tmp_path / "t.json", ["a text", "another"]))


@pytest.mark.parametrize(
    "header", ["text,label,label.2,label", "label.2,text,label,label", "label,label.2,text,label.2"]
)
def test_no_two_columns_have_one_name(header, tmp_path):
    """A second column of a name that is free is called so only where no other is."""
    first = header.split(",").index("label.2")
    rows = [[row["text"] if name == "text" else f"{at}{row['label']}" for at, name in enumerate(header.split(","))]
            for row in ROWS]  # fmt: skip
    path = written(tmp_path / "t.csv", "\n".join([header, *map(",".join, rows)]))
    found = hs.check(path, columns=hs.Columns(text="text", label="label.2"))
    assert set(found.counts) == {f"{first}a", f"{first}b"}


def test_all_columns_of_a_name_are_proposed(tmp_path):
    rows = [f"{row['text']},{row['label']},x{n % 3},y{n % 3}" for n, row in enumerate(ROWS)]
    path = written(tmp_path / "t.csv", "\n".join(["text,label,label,label", *rows]))
    with pytest.raises(DataError, match="3 columns 'label', and they differ") as refused:
        hs.check(path)
    for name in ("label", "label.2", "label.3"):
        assert f'Columns(label="{name}")' in str(refused.value)
        assert len(hs.check(path, columns=hs.Columns(label=name)).counts) == (2 if name == "label" else 3)


@pytest.mark.parametrize("start", ['{"train":', '{"data":', '{"train":[{"test":', '[{"data":{"test":'])
@pytest.mark.parametrize("times", [300, 800, 50_000])
def test_parts_within_parts_are_refused_in_words(start, times, tmp_path):
    ends = "".join({"{": "}", "[": "]"}[sign] for sign in reversed(start) if sign in "{[")
    for name in ("t.json", "t.jsonl"):
        with pytest.raises(DataError):
            hs.check(written(tmp_path / name, start * times + "1" + ends * times))
