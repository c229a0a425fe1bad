"""Questions from every form of file: what is read, moved, listed and left out."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from headstart.data.questions.read import has_questions
from headstart.errors import DataError
from reading import read_questions

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
    assert list(found.passages.ids) == ["a", "b", "c", "d"]
    assert list(found.passages.contexts) == [TOWER, RHINE]
    assert list(found.passages.documents) == ["Tower", "Rhine"]
    assert found.passages.context.tolist() == [0, 0, 0, 1]
    assert found.targets[0] == (("1889", 30), ("in 1889", 27))
    assert found.targets[2] == ()
    assert found.where[3] == "manuals.json question d"
    assert found.findings == ()
    for row, answers in enumerate(found.targets):
        for text, start in answers:
            assert found.passages.contexts[found.passages.context[row]][start : start + len(text)] == text


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
    assert list(found.passages.ids) == ["moved", "manuals.json data[0].paragraphs[0].qas[3]", "right"]
    assert found.targets[0] == (("1889", 30),)
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
    lists = [{**r, "answers": p, "is_impossible": not p} for r, p in zip(nested, pairs, strict=True)]
    (folder / "list.json").write_text(json.dumps(lists))
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
        assert list(found.passages.ids) == ["a", "b", "c"], form
        assert list(found.targets) == [(("1889", 30),), (), (("北海", 32),)], form
        assert list(found.passages.documents) == ["T", "R"], form
        assert list(found.passages.contexts) == [TOWER, RHINE], form


@pytest.mark.parametrize("name", ["holdout", "all"])
def test_an_unknown_part_of_a_dataset_dict_is_not_dropped(name, tmp_path):
    import datasets

    rows = tables(tmp_path)["dataset"]
    with pytest.raises(DataError, match=rf"unknown part '{name}'\n.*train.*validation.*test"):
        read_questions(datasets.DatasetDict({"train": rows, name: rows} if name == "holdout" else {name: rows}))


def test_a_column_that_names_no_part_at_all_is_not_taken_for_parts(tmp_path):
    frame = pd.DataFrame({"context": [TOWER, RHINE], "question": "Q?", "answer": "", "part": ["I", "II"]})
    found = read_questions(frame)
    assert (found.parts, len(found), found.findings) == (None, 2, ())
    assert "'I', 'II'" in found.notes[-1]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_many_rows_about_a_long_text_take_the_memory_of_one(form, tmp_path):
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
    assert len(found.passages.contexts) == 1
    assert most < 0.4 * 1_500 * len(text)
    assert found.where[-1] == ("rows.csv row 1502" if form == "csv" else f"rows.{form} row 1500")


def test_an_id_that_was_made_up_is_nobody_elses(tmp_path):
    rows = [{**FINE, "id": name} for name in (None, "1", "rows.jsonl row 4", "")]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_questions(tmp_path / "rows.jsonl")
    assert len(found) == len(set(found.passages.ids)) == 4
    assert list(found.passages.ids[1:3]) == ["1", "rows.jsonl row 4"]
    assert found.passages.ids[0] == "rows.jsonl row 1"


def test_a_plain_table_of_contexts_questions_and_answers(tmp_path):
    path = tmp_path / "plain.csv"
    twice = "Paris, not the Paris in Texas."
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [(TOWER, "When?", "1889"), (twice, "Which?", "Paris"), (twice, "How far?", ""), (TOWER, "Who?", "Bach")]
        csv.writer(file).writerows([("Context", "Question", "Answer"), *rows])
    found = read_questions(path)
    assert list(found.targets) == [(("1889", 30),), (("Paris", 0),), ()]
    assert found.guessed.tolist() == [False, True, False]
    assert found.passages.contexts[0] == TOWER  # the line end inside it is what it was
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
        assert list(found.targets) == [(("1889", 30),)]
        (said,) = found.findings
        assert (said.kind, said.where, said.rejected) == (kind, f"{name} row 2", True)
        assert words in said.reason


def test_an_answer_without_text_in_squads_own_form(tmp_path):
    rows = [asked("a", "When?", ("1889", 30)), asked("b", "When?", (None, 30)), asked("c", "When?", ("1889", "30.0"))]
    found = read_questions(squad(tmp_path, article("Tower", TOWER, *rows)))
    assert list(found.passages.ids) == ["a", "c"]
    assert [(f.kind, f.reason) for f in found.findings] == [("damaged-row", "an answer without text")]


def test_said_to_have_no_answer(tmp_path):
    """An empty cell, nothing in both columns; or impossible, as SQuAD 2.0 puts it. That it was guessed is said."""
    nothing = [{"answers": None}, {"answers": {"text": [], "answer_start": []}}, {"answers": ""}]
    nothing += [{"answers": {"text": None, "answer_start": None}}, {"is_impossible": True}]
    nothing += [{"is_impossible": 1, "answers": []}]
    rows = [FINE, *({**NAMED, **none} for none in nothing)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_questions(tmp_path / "rows.jsonl")
    assert list(found.targets[1:]) == [()] * 6
    assert found.findings == ()
    (note,) = found.notes
    assert note.startswith("4 of 7 empty answers")
    assert "is_impossible" in note


def nobody_has_answered(folder: Path) -> list[Path]:
    """A question with an answer, one that annotators have not come to, and one without an answer, in several forms."""
    qas = [asked("a", "When?", ("1889", 30)), asked("b", "Where?"), asked("c", "Who?", is_impossible=True)]
    told = [{"context": TOWER, "qas": [{**one, "is_impossible": "is_impossible" in one} for one in qas]}]
    table = [{**one, "context": TOWER} for one in told[0]["qas"]]
    forms = {
        "squad.json": {"data": [article("Tower", TOWER, *qas)]},
        "articles.json": [article("Tower", TOWER, *told[0]["qas"])],
        "contexts.json": told,
        "one.json": told[0],
        "table.json": table,
    }
    for name, content in forms.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "mrqa.jsonl").write_text(json.dumps({"header": {"dataset": "x"}}) + "\n" + json.dumps(told[0]) + "\n")
    (folder / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    pd.DataFrame(table).to_csv(folder / "table.csv", index=False)
    return [folder / name for name in (*forms, "mrqa.jsonl", "table.jsonl", "table.csv")]


def test_a_question_that_nobody_has_answered_is_left_out(tmp_path):
    for path in nobody_has_answered(tmp_path):
        assert has_questions(path), path.name
        found = read_questions(path)
        assert list(found.passages.ids) == ["a", "c"], path.name
        assert list(found.targets) == [(("1889", 30),), ()], path.name
        (finding,) = found.findings
        assert (finding.kind, finding.rejected) == ("not-answered", True), path.name
        assert "not answered yet" in finding.reason


@pytest.mark.parametrize("form", ["python", "json", "arrays", "columns of arrays", "list of dicts", "texts"])
def test_answers_that_a_table_holds_as_text(form, tmp_path):
    """What `to_csv` makes of SQuAD's columns, and what people put into cells themselves."""
    texts, starts = [["1889", "in 1889"], ['the "capital"'], []], [[30, 27], [7], []]
    contexts = [TOWER, 'Paris, the "capital"', TOWER]
    rows = [{"context": c, "question": "Q?"} for c in contexts]
    for row, some, places in zip(rows, texts, starts, strict=True):
        pairs = [{"text": t, "answer_start": s} for t, s in zip(some, places, strict=True)]
        as_arrays = {"text": np.array(some, dtype=object), "answer_start": np.array(places, dtype=np.int32)}
        row |= {
            "python": {"answers": answers(some, places)},
            "json": {"answers": json.dumps(answers(some, places))},
            "arrays": {"answers": as_arrays},
            "columns of arrays": {f"answers.{name}": value for name, value in as_arrays.items()},
            "list of dicts": {"answers": pairs, "is_impossible": not pairs},
            "texts": {"answers": some, "is_impossible": not some},
        }[form]
    pd.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    found = read_questions(tmp_path / "rows.csv")
    wanted = [tuple(zip(some, places, strict=True)) for some, places in zip(texts, starts, strict=True)]
    assert list(found.targets) == wanted
    assert found.findings == ()


def test_brackets_that_are_part_of_an_answer_stay(tmp_path):
    text = "They wrote ['a'] there, and [citation needed]."
    frame = pd.DataFrame({"context": text, "question": "Q?", "answer": ["['a']", "[citation needed]", "['b']", "{'a"]})
    found = read_questions(frame)
    assert list(found.targets) == [(("['a']", 11),), (("[citation needed]", 28),)]
    assert [f.kind for f in found.findings] == ["answer-outside", "answer-outside"]


def test_a_dict_that_is_cut_off_is_said(tmp_path):
    rows = [{**NAMED, "answers": "{'text': ['1889'], 'answer_start': [30]}"}, {**NAMED, "answers": "{'text': ...}"}]
    found = read_questions(pd.DataFrame(rows))
    assert list(found.targets) == [(("1889", 30),)]
    assert "as JSON lines or Parquet" in found.findings[0].reason


def test_names_that_come_late_in_a_file_count(tmp_path):
    """JSON lines say in each row what they have: those without an answer may come first, and say nothing of answers."""
    first = [{**NAMED, "question": f"Who, {n}?", "is_impossible": True} for n in range(300)]
    last = [{**FINE, "id": "last", "title": "Tower", "split": "test", "answers": answers(["1889"], [10**400])}]
    last += [{**FINE, "id": "last", "title": "Tower", "split": "test"}]
    rows = [{**row, "split": "train"} for row in first[:1]] + first[1:] + last
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_questions(tmp_path / "rows.jsonl")
    assert list(found.targets) == [(), (("1889", 30),)]
    assert (found.passages.ids[-1], found.passages.documents[-1], found.parts) == ("last", "Tower", ["train", "test"])
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
        assert list(found.targets) == [(("1889", 30),), (), (("in 1889", 27),)]
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
