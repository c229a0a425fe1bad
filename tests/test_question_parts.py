"""Questions in a training and a test part: by document, as the user's own parts say, and what is on both sides."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pandas as pd
import pytest

from headstart.data.check import check
from headstart.data.split import split
from headstart.errors import DataError
from headstart.values import Dataset, Split
from reading import read_questions
from test_questions import FINE, RHINE, TOWER, article, asked, squad, tables


def halves(questions: Dataset, **how: float) -> Split:
    """The parts of what `fit` would learn from and be tested on."""
    return split(check(questions), **how)


def test_parts_of_a_dataset_dict_have_ids_of_their_own(tmp_path):
    import datasets

    rows = tables(tmp_path)["dataset"]
    twice = datasets.concatenate_datasets([rows.select([1]), rows.select([1])])
    found = read_questions(datasets.DatasetDict({"train": rows, " Validation": twice}))
    assert found.parts == ["train", "train", "train", "val"]
    assert list(found.passages.ids) == ["a", "b", "c", "b"]
    assert [(f.kind, f.where) for f in found.findings] == [("duplicate-id", "val dataset row 2")]
    with pytest.raises(DataError, match="all 1 examples of the test part are in the training part too"):
        halves(found)
    other = rows.select([1]).map(lambda row: {**row, "question": f"{row['question']} Say it."})
    parts = halves(read_questions(datasets.DatasetDict({"train": rows, " Validation": other})))
    assert (parts.test.tolist(), parts.official) == ([3], True)
    assert [f.kind for f in parts.findings] == ["leak"]  # another question about the same text on both sides
    assert [caution.kind for caution in parts.cautions] == ["leak"]


def test_rows_of_an_unknown_part_are_left_out(tmp_path):
    """Taken as training, they would teach what they were to test."""
    parts = ["train", "test ", "Test", "holdout", "", "eval", " DEV"]
    texts = [TOWER, RHINE, RHINE, RHINE, RHINE, RHINE, TOWER]
    frame = pd.DataFrame({"context": texts, "question": "Q?", "answer": texts, "split": parts})
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
        assert halves(found).test.tolist() == [1, 2, 3]


def test_a_text_on_both_sides_of_the_users_own_split_is_said(tmp_path):
    rows = [{**FINE, "question": "When, then?"}, {**FINE, "context": f"{TOWER} It rusts.", "id": "2"}]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"id": "1", **row}) + "\n" for row in rows))
    (tmp_path / "other.jsonl").write_text(json.dumps({**FINE, "id": "1"}))
    found = read_questions(tmp_path / "train.jsonl", tmp_path / "other.jsonl")
    assert found.parts == ["train", "train", "test"]
    (leak,) = halves(found).findings
    assert (leak.kind, leak.where, "train.jsonl row 1" in leak.reason) == ("leak", "other.jsonl row 1", True)


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
    parts = halves(first, test=0.25, seed=3)
    sides = [{first.passages.contexts[c] for c in first.passages.context[rows]} for rows in (parts.train, parts.test)]
    assert not sides[0] & sides[1]
    assert sorted([*parts.train, *parts.test]) == list(range(len(first)))
    assert 0.2 < len(parts.test) / len(first) < 0.3
    again = halves(other, test=0.25, seed=3)
    tested = {first.passages.ids[row] for row in parts.test}
    assert tested == {other.passages.ids[row] for row in again.test}  # whatever the order in the file
    assert tested != {first.passages.ids[row] for row in halves(first, seed=4).test}


def test_one_document_cannot_be_split(tmp_path):
    with pytest.raises(DataError, match="one document"):
        halves(read_questions(squad(tmp_path, article("t", TOWER, asked("a", "When?", ("1889", 30))))))


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
        (read_questions(*files), ("more.csv row 1", "learn.csv row 2")),
    ):
        parts = halves(data)
        assert (parts.train.tolist(), parts.test.tolist(), parts.official) == ([0, 1], [2, 3], True)
        (leak,) = parts.findings
        assert (leak.kind, leak.where, leak.rejected) == ("leak", places[0], False)
        assert places[1] in leak.reason
