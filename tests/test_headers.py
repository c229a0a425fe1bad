"""Whether the first row of a table names its columns: by names that the user or a fit has, then by what is below."""

from __future__ import annotations

import csv
import json

import pandas as pd
import pytest

import headstart as hs
from headstart.data.read import rows_in
from headstart.errors import DataError
from headstart.values import Columns


@pytest.fixture
def rows(questions):
    return [(text, label) for text, label in questions]


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def checked(path, **columns):
    return hs.check(path, columns=Columns(**columns) if columns else None).dataset


def said(dataset, what):
    return any(what in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("header", "more"),
    [
        (("", "statement", "status"), lambda n: [n]),
        (("", "feedback_note", "team_name"), lambda n: [n + 1]),
        (("Timestamp", "Please tell us what your problem is", "Which team should take care of it?"),
         lambda n: [f"2024/03/{n % 28 + 1:02} 10:00:00 AM GMT+1"]),
        (("customer_feedback_free_text_field_english", "team"), lambda n: []),
        (("v1", "v2", "", "", ""), lambda n: []),
    ],
    ids=["pandas", "R", "a form", "a long name", "empty columns"],
)  # fmt: skip
def test_a_header_is_told_from_its_columns(header, more, tmp_path, rows):
    full = [[*more(n), *row] for n, row in enumerate(rows)]
    path = write(tmp_path / "t.csv", [header, *([*row, *[""] * (len(header) - len(row))] for row in full)])
    found = checked(path)
    assert list(found.inputs) == [text for text, _ in rows]
    assert set(found.classes) == {label for _, label in rows}
    assert said(found, "row 1 taken as the header")


def test_without_a_header_the_first_row_is_an_example_even_a_short_one(tmp_path, rows):
    for first in (rows[0], ("no card", "card")):
        found = checked(write(tmp_path / "t.csv", [first, *rows[1:]]))
        assert list(found.inputs) == [first[0], *(text for text, _ in rows[1:])]
        assert said(found, "no header; columns named 1, 2")


def test_what_the_user_names_decides(tmp_path, rows):
    """Names of cells of row 1 make it a header, numbers of columns make it an example; neither is a guess."""
    odd = write(tmp_path / "odd.csv", [("0x1f", "What is it about, as far as you can see"), *rows])
    named = checked(odd, text="0x1f", label="What is it about, as far as you can see")
    assert len(named) == len(rows)
    assert not said(named, "header")
    plain = write(tmp_path / "plain.csv", [("spam", "yes"), *rows, ("spam", "yes")])
    assert len(checked(plain, text="1", label="2")) == len(rows) + 2


def test_predict_reads_by_the_columns_of_the_fit_wherever_they_stand(tmp_path, rows):
    text, label = "Please tell us what your problem is", "Which team should take care of it?"
    path = write(tmp_path / "t.csv", [(label, text), *((label, text) for text, label in rows[:2])])
    inputs, notes, _ = rows_in(path, "text", Columns(known=Columns(text=text, label=label)))
    assert inputs == [text for text, _ in rows[:2]]
    assert not notes
    inputs, _, _ = rows_in(write(path, [("hello there", "pin")]), "text", Columns(known=Columns(text="1", label="2")))
    assert inputs == ["hello there"]


def test_a_column_that_is_called_like_one_of_its_values_is_a_header_and_that_is_said(tmp_path, rows):
    marked = [("body_of_it", "spam"), *((text, "spam" if n % 2 else "ham") for n, (text, _) in enumerate(rows))]
    found = checked(write(tmp_path / "t.csv", marked))
    assert len(found) == len(rows)
    assert said(found, "row 1 taken as the header")


def test_a_workbook_without_a_header_keeps_its_first_row(tmp_path, rows):
    pd.DataFrame(rows).to_excel(tmp_path / "t.xlsx", index=False, header=False)
    found = checked(tmp_path / "t.xlsx")
    assert list(found.inputs) == [text for text, _ in rows]
    assert said(found, "no header; columns named 1, 2")


def test_the_sheet_is_that_of_the_columns_which_the_user_or_the_fit_has(tmp_path, rows):
    path, data = tmp_path / "t.xlsx", pd.DataFrame(rows, columns=["text", "category"])
    about = pd.DataFrame([("made by", "Bob"), ("on", "2024")], columns=["About", "x"])
    with pd.ExcelWriter(path) as book:
        about.to_excel(book, sheet_name="Info", index=False)
        data.to_excel(book, sheet_name="Data", index=False)
    for found in (checked(path), checked(path, label="category")):
        assert list(found.inputs) == [text for text, _ in rows]
        assert said(found, "sheet 'Data' is read, and not: Info")
    inputs, _, _ = rows_in(path, "text", Columns(known=Columns(text="text", label="category")))
    assert inputs == [text for text, _ in rows]
    with pd.ExcelWriter(path) as book:
        about.to_excel(book, sheet_name="Info", index=False)
        data.to_excel(book, sheet_name="Data", index=False)
        data.to_excel(book, sheet_name="Old", index=False)
    with pytest.raises(DataError, match="several sheets may be meant: 'Data', 'Old'"):
        checked(path)
    with pd.ExcelWriter(path) as book:
        about.to_excel(book, sheet_name="Info", index=False)
        about.to_excel(book, sheet_name="More", index=False)
    with pytest.raises(
        DataError, match="none of 2 sheets can be read: 'Info': no label column among: About, x; 'More'"
    ):
        checked(path)


@pytest.mark.parametrize(
    ("texts", "encoding"),
    [(["pay \u00a3{n} for it", "TO E\u00a3ND"], "cp1252"), (["\u00fcber {n} hinaus", "\u00fcbrigens"], "mac_roman")],
)
def test_an_encoding_that_turns_symbols_into_letters_is_not_taken(texts, encoding, tmp_path):
    path = tmp_path / "t.csv"
    lines = [f"{text.format(n=n)},{'pay' if n % 2 else 'send'}\n" for n in range(12) for text in texts]
    path.write_bytes("".join(["text,label\n", *lines]).encode(encoding))
    with pytest.raises(DataError, match="its encoding cannot be told"):
        checked(path)
    plain = [line for line in lines if "E\u00a3" not in line]
    path.write_bytes("".join(["text,label\n", *plain]).encode("cp1252"))
    assert all(text.startswith(("pay \u00a3", "\u00fcb")) for text in checked(path).inputs)


def test_the_delimiter_is_what_all_lines_have_as_often(tmp_path, rows):
    """Commas within the first text of a part are none, where a semicolon is in each of its lines."""
    for number, part in enumerate(("train", "val", "test")):
        some = [(f"{'well , ' * (number + len(text) % 2)}{text}", label) for text, label in rows[number::3]]
        (tmp_path / f"{part}.txt").write_text("".join(f"{text};{label}\n" for text, label in some))
    found = checked(tmp_path)
    assert len(found) == len(rows)
    assert set(found.classes) == {label for _, label in rows}
    assert not found.rejected


def test_a_missing_value_that_is_written_out_is_no_example_and_as_a_label_it_is_said(tmp_path, rows):
    path = write(tmp_path / "t.csv", [("text", "label"), *rows, *[("nan", "nan")] * 4])
    found = checked(path)
    assert set(found.classes) == {label for _, label in rows}
    assert len(found.rejected) == 4
    found = checked(write(path, [("text", "label"), *rows, ("which one is it?", "N/A"), ("and this one", "N/A")]))
    assert "N/A" in found.classes
    assert said(found, "2 labels are 'N/A', which often says that a value is missing")


@pytest.mark.parametrize("names", [("headline", "short_description"), ("articleTitle", "article_body")])
def test_a_title_and_a_body_by_the_last_words_of_their_names_are_joined(names, tmp_path, rows):
    full = [(f"About the case {n} of them", text, label) for n, (text, label) in enumerate(rows)]
    found = checked(write(tmp_path / "t.csv", [(*names, "category"), *full]))
    assert found.inputs[0] == f"About the case 0 of them\n{rows[0][0]}"
    assert said(found, f"joined into one text; --text {names[1]} takes it alone")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", '{"messages": [{"role": "user", "content": "hi"}]}\n' * 9, "'messages' holds .*\nwrite one row"),
        ("a.jsonl", '{"data": {"text": "hi"}, "meta": {"label": "a"}}\n' * 9, "'data' holds .*\nwrite one row"),
        ("a.json", json.dumps({c: [f"number {n} of all of {c}" for n in range(9)] for c in "ab"}), "none the labels"),
        ("a.jsonl", '{"text": "hi", "cats": {"a": 1.0, "b": 0.0}}\n' * 9, "a.jsonl, column 'cats', row 1"),
        ("a.zip", "PK", "an archive\nunpack it"),
    ],
)
def test_what_is_no_table_of_examples_is_told_what_to_do(name, content, told, tmp_path):
    (tmp_path / name).write_text(content)
    columns = Columns(label="cats") if "cats" in content else None
    with pytest.raises(DataError, match=told):
        hs.check(tmp_path / name, columns=columns)


def test_what_was_rejected_beside_one_label_is_told_to_be_another(tmp_path, rows):
    answers = ["accept" if label == "card" else "reject" for _, label in rows]
    lines = [
        json.dumps({"text": text, "label": "CARD", "_task_hash": n, "answer": answer})
        for n, ((text, _), answer) in enumerate(zip(rows, answers, strict=True))
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match="of one label alone, write them as another: not LABEL"):
        checked(tmp_path / "t.jsonl")
