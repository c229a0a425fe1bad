"""A `datasets.Dataset` is read by the rules of all tables: the same columns, parts, groups and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from headstart.errors import DataError, UserError
from headstart.values import Columns
from layouts import sentences

datasets = pytest.importorskip("datasets")

N = 24
TEXTS = sentences("x", N)
HALVES = [number % 2 for number in range(N)]
THIRDS = [number % 3 for number in range(N)]
TOPICS = ["sport", "food", "war"]


def classes(*names):
    return datasets.ClassLabel(names=list(names))


def table(rows, **features):
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


@pytest.fixture
def texts():
    rows = {"text": TEXTS, "topic": THIRDS, "label": HALVES}
    kinds = {"text": datasets.Value("string"), "topic": classes(*TOPICS), "label": classes("neg", "pos")}
    return table(rows, **kinds)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    some = [Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)) for _ in range(N)]
    rows = {
        "file_name": [f"{number}.png" for number in range(N)],
        "image": some,
        "breed": HALVES,
        "split": ["train"] * (N - 8) + ["test"] * 6 + ["else"] * 2,
    }
    text = datasets.Value("string")
    kinds = {"file_name": text, "image": datasets.Image(), "breed": classes("cat", "dog"), "split": text}
    return table(rows, **kinds)


def named(data):
    """The same table in memory, with names for numbers."""
    frame = data.to_pandas()
    for name, kind in data.features.items():
        if isinstance(kind, datasets.ClassLabel):
            frame[name] = [kind.names[number] for number in frame[name]]
    return frame


@pytest.mark.parametrize("columns", [None, Columns(label="topic"), Columns(text="text", label="label")])
@pytest.mark.parametrize("form", ["table", "dict", "formatted"])
def test_the_columns_are_those_of_a_frame(columns, form, texts):
    frame = hs.check(named(texts), columns=columns).dataset
    given = {"table": texts, "dict": datasets.DatasetDict({"train": texts.select(range(16)),
             "test": texts.select(range(16, N))}), "formatted": texts.with_format("numpy")}[form]  # fmt: skip
    found = hs.check(given, columns=columns).dataset
    assert (found.columns, list(found.targets)) == (frame.columns, list(frame.targets))
    assert [note.split(": ", 1)[1] for note in found.notes] == [note.split(": ", 1)[1] for note in frame.notes]


def test_labels_that_are_named_are_learned_and_no_others(texts):
    insults = [int(row % 3 == 0) for row in range(N)]
    more = texts.add_column("toxic", HALVES).add_column("insult", insults)
    found = hs.check(more, columns=Columns(labels=["toxic", "insult"])).dataset
    assert found.columns.labels == ("toxic", "insult")
    both = zip(HALVES, insults, strict=True)
    assert [set(labels) for labels in found.targets] == [{*["toxic"] * a, *["insult"] * b} for a, b in both]


def test_classes_of_yes_and_no_side_by_side_are_labels():
    kinds = {"text": datasets.Value("string"), "toxic": classes("no", "toxic"), "insult": classes("no", "insult")}
    data = table({"text": TEXTS, "toxic": HALVES, "insult": [int(each == 0) for each in THIRDS]}, **kinds)
    assert set(hs.check(data).counts) == {"toxic", "insult"}
    assert set(hs.check(data, columns=Columns(label="insult")).counts) == {"no", "insult"}


def test_lists_of_classes_are_no_rows_of_0_and_1():
    kinds = {"text": datasets.Value("string"), "label": datasets.Sequence(classes("no", "yes"))}
    rows = {"text": TEXTS, "label": [[0, 1] if each else [1, 1] for each in HALVES]}
    assert list(hs.check(table(rows, **kinds)).dataset.targets)[:2] == [("yes",), ("no", "yes")]


def test_rows_of_no_part_are_left_out_with_their_labels(texts):
    parts = ["else"] * 3 + ["train"] * 13 + ["test"] * 8
    found = hs.check(texts.add_column("split", parts)).dataset
    assert list(found.targets) == [("neg", "pos")[each] for each in HALVES[3:]]
    assert [f.kind for f in found.findings[:3]] == ["unknown-part"] * 3


def test_pictures_have_parts_groups_and_labels_as_in_any_table(pictures):
    data = pictures.add_column("owner", [f"o{number // 2}" for number in range(N)])
    found = hs.check(data, columns=Columns(group="owner")).dataset
    assert found.columns == Columns(image="image", label="breed", group="owner")
    assert list(found.targets) == [("cat", "dog")[each] for each in HALVES[:-2]]
    assert list(found.parts) == ["train"] * 16 + ["test"] * 6
    assert [f.where for f in found.findings if f.kind == "unknown-part"] == ["dataset row 23", "dataset row 24"]
    np.testing.assert_array_equal(np.asarray(found.inputs[3]), np.asarray(pictures[3]["image"]))
    assert any("column 'breed' taken as the label" in note for note in found.notes)


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        (Columns(label="bread"), "no column 'bread'"),
        (Columns(group="nobody"), "no column 'nobody'"),
        (Columns(encoding="cp1252"), "of no use"),
        (Columns(image_root="x"), "of no use"),
        (Columns(image="image", label="image"), "'image' is named with"),
    ],
    ids=str,
)
def test_pictures_refuse_what_other_tables_refuse(columns, what, pictures):
    with pytest.raises(UserError, match=what):
        hs.check(pictures, columns=columns)


def test_a_text_that_is_named_is_taken_beside_pictures(pictures):
    data = pictures.add_column("caption", TEXTS)
    assert hs.check(data, columns=Columns(text="caption")).dataset.inputs[0] == TEXTS[0]


def test_pictures_without_a_label_are_refused(pictures):
    with pytest.raises(DataError, match="no label column among: image"):
        hs.check(pictures.select_columns(["image"]))
