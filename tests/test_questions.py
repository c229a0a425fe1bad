"""Questions from every form of file: what is read, moved, listed and left out; splits, windows, spans and scores."""

from __future__ import annotations

import csv
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from weakref import ref
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.answering.decode import Best, place, window_spans
from headstart.answering.metrics import Predicted, best_threshold, exact_match, f1, score
from headstart.answering.sentences import sentence
from headstart.data.questions import has_questions, read_questions, read_questions_with_test
from headstart.data.split import split_questions
from headstart.errors import DataError
from headstart.evaluate.calibration import answer_temperature
from headstart.evaluate.intervals import by_group
from headstart.inputs.windows import Slicer, Window, batches, cut, targets
from headstart.pretrained.load import load_reader
from headstart.values import TextPreparation
from small_models import FILLING, YEARS, small_reading_model

TOWER = "The Eiffel Tower was built in 1889.\r\nIt stands in Paris, the capital of France."
RHINE = "The Rhine rises in Switzerland. 北海に流れる。 The Rhine is 1230 km long 🏞️."


def article(title: str, context: str, *asked: dict) -> dict:
    return {"title": title, "paragraphs": [{"context": context, "qas": list(asked)}]}


def asked(name: str, question: str, *answers: tuple[str, int], **more: object) -> dict:
    return {"id": name, "question": question, "answers": [{"text": t, "answer_start": s} for t, s in answers], **more}


def squad(folder: Path, *articles: dict) -> Path:
    path = folder / "manuals.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}), encoding="utf-8")
    return path


@pytest.fixture
def two_articles(tmp_path) -> Path:
    tower = article(
        "Tower",
        TOWER,
        asked("a", "When was it built?", ("1889", 30), ("in 1889", 27)),
        asked("b", "Where does it stand?", ("Paris", TOWER.index("Paris"))),
        asked("c", "Who painted it?", is_impossible=True),
    )
    rhine = article("Rhine", RHINE, asked("d", "どこに流れますか", ("北海", RHINE.index("北海"))))
    return squad(tmp_path, tower, rhine)


def test_squad_is_read_with_each_context_once(two_articles):
    found = read_questions(two_articles)
    assert list(found.ids) == ["a", "b", "c", "d"]
    assert list(found.contexts) == [TOWER, RHINE]
    assert list(found.documents) == ["Tower", "Rhine"]
    assert found.context.tolist() == [0, 0, 0, 1]
    assert found.answers[0] == (("1889", 30), ("in 1889", 27))
    assert found.answers[2] == ()
    assert found.where[3] == "manuals.json question d"
    assert found.findings == ()
    for row, answers in enumerate(found.answers):
        for text, start in answers:
            assert found.contexts[found.context[row]][start : start + len(text)] == text


def test_what_is_wrong_with_a_question_is_said_row_by_row(tmp_path):
    twice = "Paris is in France, and there is a Paris in Texas."
    path = squad(
        tmp_path,
        article(
            "one",
            TOWER,
            asked("moved", "When?", ("1889", 3)),
            asked("outside", "When?", ("1890", 3)),
            asked("empty", "When?", ("", 3)),
            asked("", "without an id", ("1889", 30)),
            asked("moved", "again?", ("1889", 30)),
            asked("both", "When?", ("1889", 30), is_impossible=True),
            {"id": "nothing", "question": "When?"},
            {"id": "half", "question": "When?", "answers": [{"text": "1889"}]},
            asked("blank", "  ", ("1889", 30)),
        ),
        article("two", twice, asked("which", "Where?", ("Paris", 3)), asked("right", "Where?", ("Paris", 35))),
        article("three", " \n", asked("nowhere", "Where?", ("Paris", 3))),
    )
    found = read_questions(path)
    assert list(found.ids) == ["moved", "manuals.json data[0].paragraphs[0].qas[3]", "right"]
    assert found.answers[0] == (("1889", 30),)
    told = {f.where.rsplit(" ", 1)[1]: (f.kind, f.rejected) for f in found.findings}
    assert told == {
        "moved": ("duplicate-id", True),
        "outside": ("answer-outside", True),
        "empty": ("blank-answer", True),
        "both": ("damaged-row", True),
        "nothing": ("no-answer", True),
        "half": ("damaged-row", True),
        "blank": ("blank-question", True),
        "which": ("wrong-offset", True),
        "nowhere": ("blank-context", True),
    }
    assert ("moved-offset", False) in [(f.kind, f.rejected) for f in found.findings]
    assert "2 times" in next(f.reason for f in found.findings if f.kind == "wrong-offset")


def tables(folder: Path) -> dict[str, object]:
    """The same three questions in every flattened form."""
    import datasets

    nested = [
        {"id": "a", "title": "T", "context": TOWER, "question": "When?", "answers": answers(["1889"], [30])},
        {"id": "b", "title": "T", "context": TOWER, "question": "Who?", "answers": answers([], [])},
        {"id": "c", "title": "R", "context": RHINE, "question": "Where to?", "answers": answers(["北海"], [32])},
    ]
    flat = [
        {**{k: v for k, v in row.items() if k != "answers"}, **{f"answers.{k}": v for k, v in row["answers"].items()}}
        for row in nested
    ]
    jsonl, parquet = folder / "rows.jsonl", folder / "rows.parquet"
    jsonl.write_text("".join(json.dumps(row) + "\n" for row in nested), encoding="utf-8")
    pyarrow.parquet.write_table(pa.Table.from_pylist(flat), parquet)
    pairs = [[{"text": t, "answer_start": s} for t, s in zip(*r["answers"].values(), strict=True)] for r in nested]
    (folder / "list.json").write_text(json.dumps([{**r, "answers": p} for r, p in zip(nested, pairs, strict=True)]))
    data = folder / "data.json"
    data.write_text(json.dumps({"version": "1", "data": nested}))
    return {
        "jsonl": jsonl,
        "parquet": parquet,
        "json data": data,
        "json list": folder / "list.json",
        "dataset": datasets.Dataset.from_list(nested),
        "arrow": pa.Table.from_pylist(nested),
        "frame": pd.DataFrame(nested),
        "frame of arrays": pa.Table.from_pylist(nested).to_pandas(),
    }


def answers(texts: list[str], starts: list[int]) -> dict:
    return {"text": texts, "answer_start": starts}


def test_flattened_forms_say_the_same(tmp_path):
    for form, data in tables(tmp_path).items():
        assert has_questions(data), form
        found = read_questions(data)
        assert list(found.ids) == ["a", "b", "c"], form
        assert list(found.answers) == [(("1889", 30),), (), (("北海", 32),)], form
        assert list(found.documents) == ["T", "R"], form
        assert list(found.contexts) == [TOWER, RHINE], form


def test_parts_of_a_dataset_dict_have_ids_of_their_own(tmp_path):
    import datasets

    rows = tables(tmp_path)["dataset"]
    twice = datasets.concatenate_datasets([rows.select([1]), rows.select([1])])
    found = read_questions(datasets.DatasetDict({"train": rows, " Validation": twice}))
    assert found.parts == ["train", "train", "train", "val"]
    assert list(found.ids) == ["a", "b", "c", "b"]
    assert [(f.kind, f.where) for f in found.findings] == [("duplicate-id", "val dataset row 2")]
    parts = split_questions(found)
    assert (parts.test.tolist(), parts.official) == ([3], True)
    assert [f.kind for f in parts.findings] == ["leak"]  # the same question about the same text on both sides


@pytest.mark.parametrize("name", ["holdout", "all"])
def test_an_unknown_part_of_a_dataset_dict_is_not_dropped(name, tmp_path):
    import datasets

    rows = tables(tmp_path)["dataset"]
    with pytest.raises(DataError, match=rf"unknown part '{name}'\n.*train.*validation.*test"):
        read_questions(datasets.DatasetDict({"train": rows, name: rows} if name == "holdout" else {name: rows}))


def test_rows_of_an_unknown_part_are_left_out(tmp_path):
    """Taken as training, they would teach what they were to test."""
    parts = ["train", "test ", "Test", "holdout", "", "eval", " DEV"]
    frame = pd.DataFrame(
        {"context": [TOWER, RHINE, RHINE, RHINE, RHINE, RHINE, TOWER], "question": "Q?", "answer": "", "split": parts}
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for data in (frame, tmp_path / "rows.csv"):
        found = read_questions(data)
        assert found.parts == ["train", "test", "test", "test", "val"]
        assert [(f.kind, f.where.rsplit(" ", 1)[1], f.rejected) for f in found.findings] == [
            ("unknown-part", "4", True),
            ("unknown-part", "5", True),
        ]
        assert "'holdout'" in found.findings[0].reason
        assert "train" in found.findings[0].reason
        assert split_questions(found).test.tolist() == [1, 2, 3]


def test_a_column_that_names_no_part_at_all_is_not_taken_for_parts(tmp_path):
    frame = pd.DataFrame({"context": [TOWER, RHINE], "question": "Q?", "answer": "", "part": ["I", "II"]})
    found = read_questions(frame)
    assert (found.parts, len(found), found.findings) == (None, 2, ())
    assert "'I', 'II'" in found.notes[0]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_many_rows_about_a_long_text_take_the_memory_of_one(form, tmp_path):
    import tracemalloc

    text = TOWER + " and so on" * 3_000
    frame = pd.DataFrame({"context": [text] * 1_500, "question": "When?", "answer": "1889"})
    path = tmp_path / f"rows.{form}"
    if form == "csv":
        frame.to_csv(path, index=False)
        with path.open("a") as file:
            file.write("ragged\n")
            frame[:1].to_csv(file, index=False, header=False)
    elif form == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    tracemalloc.start()
    found = read_questions(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.contexts) == 1
    assert most < 0.4 * 1_500 * len(text)
    assert found.where[-1] == ("rows.csv row 1502" if form == "csv" else f"rows.{form} row 1500")


def test_an_id_that_was_made_up_is_nobody_elses(tmp_path):
    rows = [{**FINE, "id": name} for name in (None, "1", "rows.jsonl row 4", "")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_questions(tmp_path / "rows.jsonl")
    assert len(found) == len(set(found.ids)) == 4
    assert list(found.ids[1:3]) == ["1", "rows.jsonl row 4"]
    assert found.ids[0] == "rows.jsonl row 1"


def test_a_text_on_both_sides_of_the_users_own_split_is_said(tmp_path):
    rows = [{**FINE, "question": "When, then?"}, {**FINE, "context": f"{TOWER} It rusts.", "id": "2"}]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"id": "1", **row}) + "\n" for row in rows))
    (tmp_path / "other.jsonl").write_text(json.dumps({**FINE, "id": "1"}))
    found = read_questions_with_test(tmp_path / "train.jsonl", tmp_path / "other.jsonl")
    assert found.parts == ["train", "train", "test"]
    (leak,) = split_questions(found).findings
    assert (leak.kind, leak.where, "train.jsonl row 1" in leak.reason) == ("leak", "other.jsonl row 1", True)


def test_a_plain_table_of_contexts_questions_and_answers(tmp_path):
    path = tmp_path / "plain.csv"
    twice = "Paris, not the Paris in Texas."
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [(TOWER, "When?", "1889"), (twice, "Which?", "Paris"), (twice, "How far?", ""), (TOWER, "Who?", "Bach")]
        csv.writer(file).writerows([("Context", "Question", "Answer"), *rows])
    found = read_questions(path)
    assert list(found.answers) == [(("1889", 30),), (("Paris", 0),), ()]
    assert found.unsure.tolist() == [False, True, False]
    assert found.contexts[0] == TOWER  # the line end inside it is what it was
    assert {(f.kind, f.where, f.rejected) for f in found.findings} == {
        ("unsure-offset", "plain.csv row 2", False),
        ("answer-outside", "plain.csv row 4", True),
    }


NAMED = {"context": TOWER, "question": "When?"}
FINE = {**NAMED, "answers": {"text": ["1889"], "answer_start": [30]}}


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        ({**NAMED, "answer": "1889"}, "no-answer", "nothing is said about its answer"),
        ({**NAMED, "answers": {"texts": ["1889"], "answer_start": [30]}}, "damaged-row", "without text: texts"),
        ({**NAMED, "answers": {"text": None, "answer_start": [30]}}, "damaged-row", "without text"),
        ({**NAMED, "answers": {"text": [None], "answer_start": [30]}}, "damaged-row", "without text"),
        ({**NAMED, "answers": [{"text": None, "answer_start": 30}]}, "damaged-row", "without text"),
        ({**NAMED, "answers": ["1889", None]}, "damaged-row", "without text"),
        ({**NAMED, "answers": {"text": ["1889"], "answer_start": ["3.5"]}}, "damaged-row", "'3.5' is no place"),
        ({**NAMED, "answers": {"text": ["1889"], "answer_start": ["x"]}}, "damaged-row", "'x' is no place"),
        ({**FINE, "is_impossible": True}, "damaged-row", "said to be impossible, and has answers"),
    ],
)
def test_an_answer_that_is_not_there_is_not_no_answer(row, kind, words, tmp_path):
    for name, content in (
        ("rows.jsonl", json.dumps(FINE) + "\n" + json.dumps(row)),
        ("rows.json", json.dumps({"data": [FINE, row]})),
    ):
        (tmp_path / name).write_text(content)
        found = read_questions(tmp_path / name)
        assert list(found.answers) == [(("1889", 30),)]
        (said,) = found.findings
        assert (said.kind, said.where, said.rejected) == (kind, f"{name} row 2", True)
        assert words in said.reason


def test_an_answer_without_text_in_squads_own_form(tmp_path):
    rows = [asked("a", "When?", ("1889", 30)), asked("b", "When?", (None, 30)), asked("c", "When?", ("1889", "30.0"))]
    found = read_questions(squad(tmp_path, article("Tower", TOWER, *rows)))
    assert list(found.ids) == ["a", "c"]
    assert [(f.kind, f.reason) for f in found.findings] == [("damaged-row", "an answer without text")]


def test_said_to_have_no_answer(tmp_path):
    """An empty cell, an empty list, nothing in both columns; or impossible, as SQuAD 2.0 puts it."""
    nothing = [{"answers": None}, {"answers": {"text": [], "answer_start": []}}, {"answers": []}, {"answers": ""}]
    nothing += [{"answers": {"text": None, "answer_start": None}}, {"is_impossible": True}]
    rows = [FINE, *({**NAMED, **none} for none in nothing)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_questions(tmp_path / "rows.jsonl")
    assert list(found.answers[1:]) == [()] * 6
    assert found.findings == ()


def test_names_that_come_late_in_a_file_count(tmp_path):
    """JSON lines say in each row what they have: those without an answer may come first, and say nothing of answers."""
    first = [{**NAMED, "question": f"Who, {n}?", "is_impossible": True} for n in range(300)]
    last = [{**FINE, "id": "last", "title": "Tower", "split": "test", "answers": answers(["1889"], [10**400])}]
    last += [{**FINE, "id": "last", "title": "Tower", "split": "test"}]
    rows = [{**row, "split": "train"} for row in first[:1]] + first[1:] + last
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_questions(tmp_path / "rows.jsonl")
    assert list(found.answers) == [(), (("1889", 30),)]
    assert (found.ids[-1], found.documents[-1], found.parts) == ("last", "Tower", ["train", "test"])
    kinds = {f.kind: f.where for f in found.findings}
    assert set(kinds) == {"unknown-part", "damaged-row"}
    assert kinds["damaged-row"] == "rows.jsonl row 301"


def test_a_column_of_places_with_empty_cells_as_pandas_writes_it(tmp_path):
    frame = pd.DataFrame(
        {"context": [TOWER] * 3, "question": "Q?", "answer": ["1889", None, "in 1889"], "answer_start": [30, None, 27]}
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert "30.0" in (tmp_path / "rows.csv").read_text()
    for data in (tmp_path / "rows.csv", frame, pa.Table.from_pandas(frame)):
        found = read_questions(data)
        assert list(found.answers) == [(("1889", 30),), (), (("in 1889", 27),)]
        assert found.findings == ()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", '{"data": [{"title": "x"}]}', ["no list", "paragraphs"]),
        ("a.json", '{"data": [{"title": ', ["not SQuAD"]),
        ("a.csv", "context,answer\na,b\n", ["no column 'question'", "columns: context, answer"]),
        ("a.csv", "context,question,anwsers,is_impossible\na,b,,true\n", ["no column 'answers'", "rename 'anwsers'"]),
        ("a.csv", "contex,question,answer\na,b,c\n", ["no column 'context'", "rename 'contex'"]),
        ("a.csv", "context,question,answer\na,b,c\n", ["no usable question", "row 1", "'c' is not in its context"]),
        ("a.pdf", "x", ["not a kind of file", ".pdf"]),
        ("a.parquet", "x", ["cannot be read as a table"]),
    ],
)
def test_files_that_hold_no_questions(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as error:
        read_questions(tmp_path / name)
    for word in words:
        assert word in str(error.value)


def test_only_questions_look_like_questions(tmp_path, two_articles):
    assert has_questions(two_articles)
    (tmp_path / "texts.csv").write_text("text,label\nfine,good\n")
    assert not has_questions(tmp_path / "texts.csv")
    assert not has_questions(tmp_path / "missing.json")
    assert not has_questions(tmp_path)
    assert not has_questions([1, 2])
    with pytest.raises(DataError, match="no such file"):
        read_questions(tmp_path / "missing.json")


def many(folder: Path, documents: int, *, order: int) -> Path:
    """Articles of one to four questions; the same text stands under two titles."""
    made = [
        article(
            f"title {d}",
            f"Text {min(d, documents - 2)} was written in {1900 + d % 100}.",
            *(
                asked(f"{d}.{q}", f"When, {q}?", ("was", 5 + len(str(min(d, documents - 2))) + 1))
                for q in range(1 + d % 4)
            ),
        )
        for d in range(documents)
    ]
    random.Random(order).shuffle(made)
    return squad(folder, *made)


def test_no_document_is_on_both_sides(tmp_path):
    first, other = read_questions(many(tmp_path, 40, order=1)), read_questions(many(tmp_path, 40, order=2))
    parts = split_questions(first, test=0.25, seed=3)
    sides = [{first.contexts[c] for c in first.context[rows]} for rows in (parts.train, parts.test)]
    assert not sides[0] & sides[1]
    assert sorted([*parts.train, *parts.test]) == list(range(len(first)))
    assert 0.2 < len(parts.test) / len(first) < 0.3
    again = split_questions(other, test=0.25, seed=3)
    assert {first.ids[r] for r in parts.test} == {other.ids[r] for r in again.test}  # whatever the order in the file
    assert {first.ids[r] for r in parts.test} != {first.ids[r] for r in split_questions(first, seed=4).test}


def test_one_document_cannot_be_split(tmp_path):
    with pytest.raises(DataError, match="one document"):
        split_questions(read_questions(squad(tmp_path, article("t", TOWER, asked("a", "When?", ("1889", 30))))))


def documents(path: Path, *rows: tuple[str, str, str]) -> Path:
    """A table of questions: part, title and context; "" is no title, and without any part there is no such column."""
    made = [
        {"id": f"{path.stem} {number}", "split": part, "title": title, "context": text, "question": "When?"}
        for number, (part, title, text) in enumerate(rows)
    ]
    columns = [name for name in made[0] if any(row[name] for row in made)]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*columns, "answer"], extrasaction="ignore")
        table.writeheader()
        table.writerows({**row, "answer": row["context"].split()[-1]} for row in made)
    return path


LEAKING = [  # a question to learn from, and one of the test: the text or the document is the same
    (("", "The old tower was built in 1889"), ("", "the  OLD tower\twas built in 1889 ")),
    (("Tower", "It was built in 1889"), ("Of towers", "It was built in 1889")),
    (("Tower", "It was built in 1889"), ("Tower", "It stands in Paris")),
]


@pytest.mark.parametrize(("learned", "asked_again"), LEAKING)
def test_a_test_question_about_what_was_learned_from_is_a_leak(tmp_path, learned, asked_again):
    other = ("Rhine" if learned[0] else "", "The Rhine is long")
    learn, tested = [other, learned], [asked_again, ("Bread" if learned[0] else "", "The bread is hot")]
    both = [("train", *row) for row in learn] + [("test", *row) for row in tested]
    official = read_questions(documents(tmp_path / "all.csv", *both))
    files = [
        documents(tmp_path / f"{name}.csv", *[("", *row) for row in rows])
        for name, rows in (("learn", learn), ("more", tested))
    ]
    for data, places in (
        (official, ("all.csv row 3", "all.csv row 2")),
        (read_questions_with_test(*files), ("more.csv row 1", "learn.csv row 2")),
    ):
        parts = split_questions(data)
        assert (parts.train.tolist(), parts.test.tolist(), parts.official) == ([0, 1], [2, 3], True)
        (leak,) = parts.findings
        assert (leak.kind, leak.where, leak.rejected) == ("leak", places[0], False)
        assert places[1] in leak.reason


# ---- windows


@pytest.fixture(scope="session")
def preparation(tmp_path_factory) -> TextPreparation:
    folder = tmp_path_factory.mktemp("reading") / "model"
    folder.mkdir()
    small_reading_model("bert", folder, words=[*FILLING, *YEARS, "##er", "##s", "北", "海", ".", ",", "?"])
    found = load_reader(str(folder)).preparation
    assert isinstance(found, TextPreparation)
    return found


ODD = ["towers", "北海", "e\u0301tage", "👩‍👩‍👧", "\r\n", " ", "\t", ".", "\ufeff", "\ud800", "ﬁ", "İ", "a\u0300\u0301"]
NO_DIGITS = st.text(st.characters(exclude_categories=["Cs", "Nd"]), max_size=8)
JUNK = st.lists(st.one_of(st.sampled_from([*FILLING, *ODD]), NO_DIGITS), max_size=60).map(" ".join)  # and no year in it
PIECES = st.sampled_from([*FILLING, *YEARS[:3], *ODD])
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=60).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(before=TEXTS, after=TEXTS, start=st.integers(0, 200), length=st.integers(1, 30))
def test_places_are_characters_of_the_users_own_string(preparation, before, after, start, length):
    text, at = f"{before} 1954 {after}", len(before) + 1
    slicer = Slicer(preparation, most_tokens=24, overlap=6)
    question, tokens, year = slicer.tokens(["when was it built?", text, "1954"])
    assert ((tokens.starts >= 0) & (tokens.starts <= tokens.stops) & (tokens.stops <= len(text))).all()
    windows = list(slicer.windows(0, question, 0, tokens))
    assert {t for window in windows for t in range(window.first, window.stop)} == set(range(len(tokens)))
    inside_of = [window.target(at, at + 4) for window in windows]
    assert any(first > 0 for first, _ in inside_of)
    stop = min(start + length, len(text))
    for window, (first, last) in zip(windows, inside_of, strict=True):
        if first > 0:
            assert slicer.batch([window])[0][0, first : last + 1].tolist() == year.ids.tolist()
            token = window.first + first - window.lead
            assert place(tokens, token, token, text) == (at, at + 4)
        first, last = window.target(start, stop)
        if first > 0:  # the tokens that are the target reach over the characters that were asked for
            low, high = (window.first + t - window.lead for t in (first, last))
            inside = [t for t in range(len(tokens)) if tokens.starts[t] < stop and tokens.stops[t] > start]
            assert inside[0] == low
            assert inside[-1] == high
        if start < stop:
            begin, end = place(tokens, window.first, min(window.first + 2, window.stop - 1), text)
            assert 0 <= begin <= end <= len(text)
            assert text[begin:end] == text[begin:end].strip() or begin == end


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_windows_are_those_of_the_tokenizers_own_truncation(preparation, text):
    from tokenizers import Tokenizer

    text = text.replace("\ud800", "")
    slicer = Slicer(preparation, most_tokens=32, overlap=8)
    reference = Tokenizer.from_str(preparation.tokenizer)
    reference.enable_truncation(32, stride=8, strategy="only_second")
    whole = reference.encode("when was it built ?", text)
    theirs = [whole, *whole.overflowing]
    question, tokens = slicer.tokens(["when was it built ?", text])
    ours = list(slicer.windows(0, question, 0, tokens))
    if not len(tokens):
        assert not ours
        return
    for window, encoding in zip(ours, theirs, strict=True):
        ids, mask, types = slicer.batch([window])
        assert ids[0].tolist() == encoding.ids
        assert types[0].tolist() == encoding.type_ids
        assert mask.all()


def test_targets_of_a_window(preparation):
    slicer = Slicer(preparation, most_tokens=16, overlap=4)
    text = " ".join(["the"] * 20 + ["1954"] + ["the"] * 20)
    found = list(cut(["when ?"], [text], np.array([[0, 0]]), slicer))
    given = (("1954", text.index("1954")),)
    places = targets(found, [given])
    for window, ((first, last),) in zip(found, places.tolist(), strict=True):
        ids = slicer.batch([window])[0][0]
        has = window.first <= 20 < window.stop
        assert (first > 0) == has
        assert first == last
        if has:
            assert ids[first] == slicer.tokens(["1954"])[0].ids[0]
    assert (places > 0).any()
    assert targets(found, [()]).max() == 0  # no answer: the first special token, everywhere
    spaces = Slicer(preparation).tokens(["a   b"])[0]
    window = next(Slicer(preparation).windows(0, slicer.tokens(["when ?"])[0], 0, spaces))
    assert window.target(2, 3) == (-100, -100)  # characters that no token covers


def test_every_answer_that_lies_in_a_window_is_a_target(preparation):
    """Annotators differ; where they do, a window may hold the answer of one and not the other's."""
    slicer = Slicer(preparation, most_tokens=16, overlap=4)
    text = " ".join(["the"] * 4 + ["1954"] + ["the"] * 20 + ["2004"])
    given = (("1954", text.index("1954")), ("the 1954", text.index("the 1954")), ("2004", text.index("2004")))
    found = list(cut(["when ?"], [text], np.array([[0, 0]]), slicer))
    places = targets(found, [given])
    nothing = [-100, -100]
    for window, given_here in zip(found, places.tolist(), strict=True):
        at = {word: window.lead + word - window.first for word in range(window.first, window.stop)}
        if window.first == 0:
            assert given_here == [[at[4], at[4]], [at[3], at[4]]]
        elif 25 in at:
            assert given_here == [[at[25], at[25]], nothing]
        else:
            assert given_here == [[0, 0], nothing]
    assert len(found) > 2


def test_a_long_text_is_tokenised_in_pieces_as_if_it_were_whole(preparation):
    from tokenizers import Tokenizer

    rng = random.Random(0)
    text = "".join(rng.choice([*FILLING, "北海", "towers,"]) + rng.choice([" ", "  ", "\r\n"]) for _ in range(60_000))
    whole = Tokenizer.from_str(preparation.tokenizer).encode(text, add_special_tokens=False)
    tokens = Slicer(preparation).tokens([text])[0]
    assert len(text) > 250_000
    assert tokens.ids.tolist() == whole.ids
    assert list(zip(tokens.starts.tolist(), tokens.stops.tolist(), strict=True)) == whole.offsets
    words = np.array(whole.word_ids)
    np.testing.assert_array_equal(np.diff(tokens.words) == 0, np.diff(words) == 0)
    assert len(Slicer(preparation).tokens(["x" * 120_000])[0]) == 3  # no white space: cut all the same


@pytest.mark.parametrize("kind", ["bytes", "metaspace"])
def test_tokenizers_that_keep_spaces(kind, preparation):
    """Those of RoBERTa's and XLM-R's kind: a token may start with a space, a word may end with a comma."""
    tokenizer = spaced_tokenizer(kind)
    slicer = Slicer(replace(preparation, tokenizer=tokenizer.to_str()))
    rng = random.Random(0)
    text = "".join(rng.choice([*FILLING, "北海", "towers,"]) + rng.choice([" ", "\r\n"]) for _ in range(15_000))
    whole, tokens = tokenizer.encode(text, add_special_tokens=False), slicer.tokens([text])[0]
    assert len(text) > 60_000
    assert tokens.ids.tolist() == whole.ids
    assert list(zip(tokens.starts.tolist(), tokens.stops.tolist(), strict=True)) == whole.offsets
    for number in range(200):
        start, stop = place(tokens, number, number, text)
        assert text[start:stop].strip(" \r\n,") in ("", *FILLING, "北", "海", "北海", "towers")
    window = next(slicer.windows(0, slicer.tokens(["when was it built?"])[0], 0, tokens))
    first, last = window.target(text.index("towers"), text.index("towers") + 6)
    ids = slicer.batch([window])[0][0]
    assert tokenizer.decode(ids[first : last + 1].tolist()).strip() in ("towers", "towers,")


def spaced_tokenizer(kind: str):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    if kind == "bytes":
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    else:
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    made.train_from_iterator([" ".join([*FILLING, "towers, 北海 when built?"])] * 20, trainer)
    ends = [(token, made.token_to_id(token)) for token in ("</s>", "<s>")]
    made.post_processor = processors.RobertaProcessing(*ends, trim_offsets=True, add_prefix_space=False)
    return made


@contextmanager
def most_memory() -> Iterator[Callable[[], int]]:
    """Bytes that Python and numpy took at most inside, beyond what they had."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_million_characters_for_many_questions_are_cut_when_they_are_asked_for(preparation):
    text, slicer = "the old tower was built " * 42_000, Slicer(preparation)
    pairs = np.array([(row, 0) for row in range(1000)])
    next(cut(["when ?"], ["the tower"], np.array([[0, 0]]), slicer))
    with most_memory() as peak:
        some = list(islice(batches(cut(["when ?"] * 1000, [text], pairs, slicer), slicer), 400))
        assert peak() < 150e6  # all windows of all questions would be more than a gigabyte
    assert len(some) == 400


def test_a_batch_is_padded_and_of_similar_length(preparation):
    slicer = Slicer(preparation)
    texts = ["the tower " * n for n in (1, 150, 2, 140)]
    found = list(batches(cut(["when ?"], texts, np.array([(0, i) for i in range(4)]), slicer), slicer, tokens=700))
    assert [sorted(w.text for w in some) for some, _ in found] == [[1, 3], [0, 2]]
    (windows, (ids, mask, types)) = found[0]
    assert ids.shape == mask.shape == types.shape
    assert mask.sum(axis=1).tolist() == [slicer.length(w) for w in windows]
    assert (ids[mask == 0] == preparation.pad_id).all()


# ---- spans


@settings(max_examples=100, deadline=None)
@given(count=st.integers(1, 40), lead=st.integers(1, 6), longest=st.integers(1, 8), seed=st.integers(0, 1000))
def test_spans_are_the_best_of_all(count, lead, longest, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (lead + count + 2, 2)).astype(np.float32)
    first, last, scores, nothing = window_spans(logits, lead=lead, count=count, longest=longest, most=7)
    allowed = [0, *range(lead, lead + count)]
    log = [np.log(np.exp(x - x.max()) / np.exp(x - x.max()).sum()) for x in logits[allowed].astype(float).T]
    everything = sorted(
        (-(log[0][1 + a] + log[1][1 + b]), a, b) for a in range(count) for b in range(a, min(count, a + longest))
    )[:7]
    assert [(a, b) for _, a, b in everything] == list(zip(first.tolist(), last.tolist(), strict=True))
    np.testing.assert_allclose(scores, [-s for s, _, _ in everything], atol=1e-6)
    assert nothing == pytest.approx(log[0][0] + log[1][0])


def scores_of(window: Window, slicer: Slicer) -> np.ndarray:
    """(t, 2) random ones, always the same for the same input."""
    ids = slicer.batch([window])[0]
    return np.random.default_rng(crc32(ids.tobytes())).normal(0, 4, (ids.shape[1], 2)).astype(np.float32)


@pytest.mark.parametrize("kind", ["bytes", "metaspace", "words"])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=3), margin=st.sampled_from([0.5, 5.0, 100.0]))
def test_windows_that_are_read_again_give_the_same_spans(preparation, kind, texts, margin):
    """Also where a word goes on beyond a window's end."""
    tokenizer = preparation.tokenizer if kind == "words" else spaced_tokenizer(kind).to_str()
    slicer = Slicer(replace(preparation, tokenizer=tokenizer), most_tokens=24, overlap=6)
    best = Best(margin=margin)
    for window in cut(["when was it built?"], texts, np.array([(0, i) for i in range(len(texts))]), slicer):
        best.add(window, scores_of(window, slicer), texts[window.text])
    before = best.spans()
    again = best.doubtful()
    assert not again or best.spans() != before
    for window in again:
        best.add(window, scores_of(window, slicer), texts[window.text])
    assert best.spans() == before


@pytest.mark.parametrize("margin", [None, 1000.0])
def test_nothing_keeps_a_whole_text(preparation, margin):
    slicer, best, rng = Slicer(preparation), Best(margin=margin), random.Random(0)
    question, held = slicer.tokens(["when was it built?"])[0], []
    for number in range(24):
        text = " ".join(rng.choices([*FILLING, *YEARS], k=3000))
        tokens = slicer.tokens([text])[0]
        held.append(ref(tokens.ids))
        for window in slicer.windows(0, question, number, tokens):
            best.add(window, scores_of(window, slicer), text)
    del tokens, window
    assert len(best.spans()) == 20
    assert [ids for ids in held if ids() is not None] == []
    assert bool(best.doubtful()) == (margin is not None)


def test_a_window_that_others_surpass_is_let_go(preparation):
    slicer, best, rng = Slicer(preparation), Best(margin=5.0), random.Random(0)
    text = " ".join(rng.choices([*FILLING, *YEARS], k=150_000))
    windows = list(cut(["when was it built?"], [text], np.array([[0, 0]]), slicer))
    assert len(windows) > 500
    with most_memory() as peak:
        for number, window in enumerate(windows):
            scores = scores_of(window, slicer)
            scores[0] -= 10 * number  # each is surer than all before that something is there
            best.add(window, scores, text)
        assert peak() < 1e6  # of all together, the tokens alone would be 3.6 MB
    (last,) = best.doubtful()
    np.testing.assert_array_equal(slicer.batch([last]), slicer.batch(windows[-1:]))


@pytest.mark.parametrize(
    ("text", "span", "whole"),
    [
        ("the towers stand", "tower", "towers"),  # one word of several tokens
        ("the tower, old", "tower", "tower"),  # not its comma
        ("in the 北海 of", "北", "北"),  # each ideograph is a word
    ],
)
def test_half_a_word_is_no_answer(preparation, text, span, whole):
    tokens = Slicer(preparation).tokens([text])[0]
    start = text.index(span)
    number = next(i for i in range(len(tokens)) if tokens.starts[i] == start)
    begin, end = place(tokens, number, number, text)
    assert text[begin:end] == whole


@pytest.mark.parametrize(
    ("text", "span", "expected"),
    [
        ("It rained. The Rhine is long. It is cold.", "Rhine", "The Rhine is long."),
        ("Ask Dr. Smith of St. Ives. He knows.", "Smith", "Ask Dr. Smith of St. Ives."),
        ("One.\n\nTwo is here\n\nThree.", "Two", "Two is here"),
        ("wrapped at\neighty columns. Next.", "wrapped", "wrapped at\neighty columns."),
        ("北海に流れる。ライン川は長い。", "ライン", "ライン川は長い。"),
        ("It cost 3.5 million. Yes.", "3.5", "It cost 3.5 million."),
        ("Ends here.", "here.", "Ends here."),
    ],
)
def test_the_sentence_around_an_answer(text, span, expected):
    start = text.index(span)
    first, last = sentence(text, start, start + len(span))
    assert text[first:last] == expected


def test_a_sentence_without_end_is_cut_between_words():
    text = "word " * 1000
    first, last = sentence(text, 2500, 2504)
    assert text[first:last].split() == ["word"] * len(text[first:last].split())
    assert 500 < last - first < 620


# ---- scores


SILENT = ["the", "a", "The", "an", ".", "(", '"']  # which the rules do not compare
WORDS = [*SILENT, "Denver", "broncos", "1889", "in", "U.S.", "—", "of", "(AFC)", "Éire"]


def says_something(text: str) -> bool:
    return any(word not in SILENT for word in text.split())


def test_scores_are_torchmetrics_own_on_a_thousand_random_cases():
    """Its rules are SQuAD 1.1's. SQuAD 2.0's say what it does not: a true answer that says nothing does not count; if
    none is left, nothing is right, and only nothing is."""
    from headstart.pretrained.torchvision_operators import declare_missing

    declare_missing()
    from torchmetrics.functional.text import squad as reference

    rng, seen = random.Random(0), Counter()
    for case in range(1000):
        true = [" ".join(rng.choices(WORDS, k=rng.randint(1, 4))) for _ in range(rng.randint(0, 3))]
        said = rng.choice([*true, " ".join(rng.choices(WORDS, k=rng.randint(0, 4)))])
        counted = [text for text in true if says_something(text)]
        seen[len(counted) < len(true), bool(counted), says_something(said)] += 1
        if counted:
            given = {"answers": {"text": counted, "answer_start": [0] * len(counted)}, "id": "x"}
            scores = reference([{"prediction_text": said, "id": "x"}], [given])
            wanted = [float(scores[name]) for name in ("exact_match", "f1")]
        else:
            wanted = [0.0, 0.0] if says_something(said) else [100.0, 100.0]
        assert [100 * exact_match(said, true), 100 * f1(said, true)] == pytest.approx(wanted, abs=1e-4), (case, said)
    assert len(seen) == 8
    assert min(seen.values()) > 10


@pytest.mark.parametrize(
    ("said", "true", "right"),
    [
        ("", [], 1),
        ("the", [], 1),
        ("Paris", [], 0),
        ("", ["Paris"], 0),
        ("a.", ["Paris"], 0),
        ("", ["the"], 1),
        ("an", ["the", "."], 1),
        ("Paris", ["the"], 0),
        ("the", ["the", "Paris"], 0),
        ("", ["", "Paris"], 0),
        ("the Paris!", ["the", "Paris"], 1),
    ],
)
def test_what_is_right_where_nothing_is_said(said, true, right):
    assert (exact_match(said, true), f1(said, true)) == (right, right)


def predicted(text: str, start: int = 0, *, group: int = 0, confidence: float = 0.5) -> Predicted:
    return Predicted(text, start, confidence, TOWER, "When?", f"{text} {start}", group)


def test_scores_of_questions_with_and_without_answer():
    year, where = (("1889", 30),), (("Paris", TOWER.index("Paris")),)
    found = score(
        [
            predicted("1889", 30),
            predicted("in 1889.", 27, group=1),  # "in" is a word more: F1 2/3
            predicted("", group=1),
            predicted("", group=2),
            predicted("Eiffel", 4, group=2, confidence=0.9),
            predicted("France", TOWER.index("France"), group=3),
            predicted("Tower", 11, group=3),
        ],
        [year, year, year, (), (), where, where],
    )
    assert found.exact_match == pytest.approx(2 / 7)
    assert found.f1 == pytest.approx((2 + 2 / 3) / 7)
    assert (found.answerable.n, found.answerable.exact_match) == (5, pytest.approx(1 / 5))
    assert (found.unanswerable.n, found.unanswerable.f1) == (2, pytest.approx(1 / 2))
    assert found.documents == 4
    assert found.errors == {
        "boundary": 1,
        "no answer given": 1,
        "answered without one": 1,
        "right sentence": 1,
        "wrong sentence": 1,
    }
    assert found.mistakes[0].answered == "Eiffel"  # the most confident one
    assert found.exact_match_interval.low <= found.exact_match <= found.exact_match_interval.high


def test_an_interval_is_over_documents():
    values = np.repeat([0.0, 1.0] * 10, 50)
    alone, together = by_group(values, np.arange(1000)), by_group(values, np.repeat(np.arange(20), 50))
    assert alone.high - alone.low < 0.08
    assert together.high - together.low > 0.3
    assert by_group(values[45:55], np.zeros(10, int)) == by_group(values[45:55], np.arange(10))
    assert 0.7 < by_group(np.ones(60), np.repeat(np.arange(20), 3)).low < 0.9  # all right, but only 20 documents


def test_an_interval_over_many_documents_takes_little_memory():
    rng = np.random.default_rng(1)
    values, groups = rng.random(12_000), rng.integers(0, 6000, 12_000)
    with most_memory() as peak:
        found = by_group(values, groups)
        assert peak() < 20e6
    of = np.unique(groups, return_inverse=True)[1]
    drawn = np.random.default_rng(0).multinomial(of.max() + 1, np.full(of.max() + 1, 1 / (of.max() + 1)), size=2000)
    means = (drawn @ np.bincount(of, weights=values)) / (drawn @ np.bincount(of))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_no_threshold_is_better_than_the_best(rows):
    lead = np.array([row[0] for row in rows], dtype=float)
    has, right = (np.array([row[i] for row in rows]) for i in (1, 2))
    with_answer, without = (has & right).astype(float), (~has).astype(float)

    def total(threshold: float) -> float:
        return float(np.where(lead > threshold, without, with_answer).sum())

    found = best_threshold(lead, with_answer, without)
    best = max(total(t) for t in np.arange(-4, 5, 0.5))
    assert total(np.inf if found is None else found) == best


def test_a_temperature_makes_confidence_honest():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1.5, (4000, 6))
    order = np.argsort(-true, axis=1)
    scores = np.take_along_axis(true, order, axis=1)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    right = rng.random(4000) < shares[:, 0]
    scores[:, 5] = -np.inf  # rows are filled up
    assert answer_temperature(3 * scores, right) == pytest.approx(3, rel=0.2)
    assert answer_temperature(scores / 2, right) == pytest.approx(0.5, rel=0.2)
    few = answer_temperature(scores[:6], np.ones(6, dtype=bool))  # six right ones are not yet certainty
    shares = np.exp(scores[:6] / few)
    assert 0.7 < np.mean(shares[:, 0] / shares.sum(axis=1)) < 0.95
