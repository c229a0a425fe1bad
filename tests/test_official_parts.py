"""Official parts in files of their own: the test is read as the training part is, and each row is told from others."""

from __future__ import annotations

import csv

import pytest

import headstart as hs
from headstart.errors import DataError
from headstart.values import Columns
from layouts import sentences
from topics import MINI

FEW = ("card", "rate")


def table(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def labelled(about, n=12, label=lambda number: FEW[number % 2]):
    return [(text, label(number)) for number, text in enumerate(sentences(about, n))]


@pytest.fixture
def two(tmp_path):
    """A function that writes two tables, as train.csv and test.csv of a folder or anywhere: gives their paths."""

    def write(train, test, header=("text", "label"), test_header=None):
        one = table(tmp_path / "data" / "train.csv", header, train)
        return one, table(tmp_path / "data" / "test.csv", test_header or header, test)

    return write


def told(found) -> str:
    return "\n".join(found.notes)


def test_a_class_that_the_test_part_lacks_is_told(two, tmp_path):
    """Whatever its score says, it says nothing of that class."""
    three = ("card", "rate", "pin")
    train = labelled("train", 36, lambda number: three[number % 3])
    one, other = two(train, labelled("test", 12, lambda number: three[number % 2]))
    for found in (hs.check(one, test=other), hs.check(one.parent)):
        (caution,) = found.cautions
        assert caution.kind == "untested"
        assert "no example of 'pin' (12), so the score says nothing of it: add some to the test part" in caution.text


@pytest.mark.parametrize("form", ["--test", "folder", "dict"])
def test_the_separator_and_the_columns_are_those_of_the_whole(form, two):
    marks = ["card;even", "rate", "rate;odd", "card"]
    train, test = (labelled(part, 12, lambda number: marks[number % 4]) for part in ("train", "test"))
    one, other = two(train, test, ("review", "tags"))
    columns = Columns(text="review", label="tags", separator=";")
    if form == "dict":
        import datasets

        parts = {name: [dict(zip(("review", "tags"), row, strict=True)) for row in rows]
                 for name, rows in (("train", train), ("test", test))}  # fmt: skip
        given = datasets.DatasetDict({name: datasets.Dataset.from_list(rows) for name, rows in parts.items()})
    else:
        given = one if form == "--test" else one.parent
    found = hs.check(given, columns=columns, **({"test": other} if form == "--test" else {}))
    assert found.dataset.title == "text-multilabel"
    assert set(found.counts) == {"card", "even", "odd", "rate"}
    assert found.dataset.columns == Columns(text=("review",), label="tags", separator=";")
    assert len({*found.dataset.where}) == 24


@pytest.mark.parametrize("form", ["--test", "folder"])
def test_the_test_table_is_read_by_the_columns_of_the_training_table(form, two):
    train = labelled("train")
    test = [(text, "another topic", label) for text, label in labelled("test")]
    one, other = two(train, test, ("comment", "airline_sentiment"), ("comment", "topic", "airline_sentiment"))
    found = hs.check(one, test=other) if form == "--test" else hs.check(one.parent)
    assert found.counts == {"card": 12, "rate": 12}
    assert found.dataset.columns.label == "airline_sentiment"


def test_a_test_without_the_labels_is_refused_or_left_out(two):
    one, other = two(labelled("train"), labelled("test"), test_header=("text", "topic"))
    with pytest.raises(DataError, match=r"test\.csv: no column label, as the training part has"):
        hs.check(one, test=other)
    found = hs.check(one.parent)
    assert len(found.dataset) == 12
    assert "test.csv: not read, since it has no column label" in told(found)


def test_a_test_with_inputs_of_another_name_is_read_and_that_is_said(two):
    test = [(label, text, "x") for text, label in labelled("test")]
    one, other = two(labelled("train"), test, ("comment", "my_label"), ("my_label", "review", "topic"))
    found = hs.check(one, test=other)
    assert found.counts == {"card": 12, "rate": 12}
    assert "read by columns of its own (review, my_label)" in told(found)


def test_rows_of_tables_of_one_name_are_told_apart(tmp_path):
    ragged = [("a cell too many", "card", "x"), *labelled("train")]
    one = table(tmp_path / "aa" / "d.csv", ("text", "label"), ragged)
    other = table(tmp_path / "bb" / "d.csv", ("text", "label"), [("and here", "rate", "x"), *labelled("test")])
    found = hs.check(one, test=other)
    assert [f.where for f in found.dataset.findings if f.rejected] == ["aa/d.csv row 1", "bb/d.csv row 1"]
    assert found.dataset.where[0] == "aa/d.csv row 2"
    assert len({*found.dataset.where}) == 24


def test_groups_beside_inputs_and_a_test_that_has_none(tmp_path):
    texts, labels = zip(*labelled("train", 40), strict=True)
    other = table(tmp_path / "new.csv", ("text", "label"), labelled("test"))
    groups = [f"P{number // 4}" for number in range(40)]
    found = hs.check(list(texts), list(labels), groups=groups, test=other)
    assert len(found.dataset) == 52
    assert "12 examples name no group" in told(found)


def test_a_model_of_parts_in_files_remembers_its_columns(two, tmp_path):
    """As one fitted on one table does: `evaluate` takes no other column that might be the label."""
    decoy = [(text, FEW[number % 3 == 0], label) for number, (text, label) in enumerate(labelled("test", 40))]
    header = ("comment", "topic", "airline_sentiment")
    train, test = two(labelled("train", 40), decoy, ("comment", "airline_sentiment"), header)
    model = hs.fit(train, test=test, out=tmp_path / "model", **MINI)
    assert (model.columns.texts, model.columns.label) == (("comment",), "airline_sentiment")
    assert model.evaluate(test).scores.values == model.scores.values
    for path, odd in ((train, 5), (test, 2)):
        with path.open("a", newline="") as file:
            csv.writer(file).writerows([[*"abcdef"]] * odd)
    scored = model.evaluate(train.parent)
    assert [(caution.kind, caution.text) for caution in scored.cautions if caution.kind == "left-out"] == [
        ("left-out", "2 of 42 examples were left out, and the score is of the others: see the findings")
    ]
    assert [finding.where for finding in scored.findings if finding.rejected] == ["test.csv row 41", "test.csv row 42"]


@pytest.mark.parametrize("form", ["--test", "folder"])
@pytest.mark.parametrize("header", ["What, in words;About", "Text, and all of it;label"])
def test_the_delimiter_is_that_of_the_training_table(form, header, tmp_path):
    """In each row of the test, and in the header, is a comma, which would stand between cells as well."""
    texts = [f"{text}, and so{', and on' * (number < 12)}" for number, text in enumerate(sentences("train", 16))]
    rows = [f"{text};{FEW[number % 2]}" for number, text in enumerate(texts)]
    for name, some in (("train", rows[:12]), ("test", rows[12:])):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *some]))
    one, other = tmp_path / "train.csv", tmp_path / "test.csv"
    found = hs.check(one, test=other) if form == "--test" else hs.check(tmp_path)
    assert (list(found.dataset.inputs), len(found.parts.test)) == (texts, 4)
    assert found.counts == {"card": 8, "rate": 8}


def test_a_test_without_a_header_is_read_as_the_training_table_without_one(tmp_path):
    texts = sentences("train", 20)
    rows = [f"{('topic', 'rate')[number % 2]}\t{text}" for number, text in enumerate(texts)]
    (tmp_path / "train.tsv").write_text(
        "\n".join(["3\tone of a class that is a number", *rows[1:16], "3\tanother of it"])
    )
    (tmp_path / "test.tsv").write_text("\n".join(rows[16:]))
    found = hs.check(tmp_path / "train.tsv", test=tmp_path / "test.tsv")
    assert (found.dataset.inputs[-4], len(found.parts.test)) == (texts[16], 4)
