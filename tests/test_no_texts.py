"""Columns that nobody named, whose cells are no texts: said what they are, never learned as texts."""

from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import headstart as hs
from headstart.data.read import rows_in
from headstart.errors import DataError


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((24, 24), 40 + number).save(file, "PNG")
    return file.getvalue()


def as_json(content: bytes) -> str:
    return base64.b64encode(content).decode()


WRITTEN = {
    "to_csv of bytes": (str, "bytes of pictures"),
    "to_csv of a hub's dicts": (lambda content: str({"bytes": content, "path": None}), "bytes of pictures"),
    "base64": (as_json, "base64"),
    "data: addresses": (lambda content: f"data:image/png;base64,{as_json(content)}", "base64"),
    "lists of pixels": (lambda content: str(list(content[-60:])), "lists of numbers"),
    "to_csv of Pillow's": (lambda content: f"<PIL.PngImagePlugin.PngImageFile size={len(content)}>", "Python prints"),
}


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("called", ["image", "cell"])
def test_pictures_written_into_a_table_are_no_texts(tmp_path, form, called):
    write, said = WRITTEN[form]
    rows = [(write(png(number)), "ab"[number % 2]) for number in range(20)]
    pd.DataFrame(rows, columns=[called, "label"]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=said):
        hs.check(tmp_path / "t.csv")


def test_written_pictures_are_refused_where_they_are_named_and_beside_captions(tmp_path):
    rows = [(str(png(n)), f"a small picture of thing number {n}", "ab"[n % 2]) for n in range(20)]
    frame = pd.DataFrame(rows, columns=["image", "caption", "label"])
    for columns in (None, hs.Columns(image="image")):
        with pytest.raises(DataError, match="bytes of pictures"):
            hs.check(frame, columns=columns)
    assert len(hs.check(frame, columns=hs.Columns(text="caption")).dataset) == 20


def test_a_column_called_image_is_not_taken_for_texts_by_its_length():
    frame = pd.DataFrame({"image": [f"the scene {chr(97 + n) * 3}" for n in range(20)], "label": ["a", "b"] * 10})
    with pytest.raises(DataError, match="called as pictures are"):
        hs.check(frame)
    assert len(hs.check(frame.rename(columns={"image": "image_description"})).dataset) == 20


@pytest.mark.parametrize(
    "name", ["v_{n}_c01", "IMG_{n:04}", "{n}-{n}-2024", "{h}"], ids=["videos", "photos", "numbers", "hashes"]
)
def test_ids_are_no_texts(name):
    names = [name.format(n=n, h=f"{n * 7919 + 3:040x}") for n in range(20)]
    frame = pd.DataFrame({"video_name": names, "tag": ["a", "b"] * 10})
    with pytest.raises(DataError, match="holds ids or names") as error:
        hs.check(frame)
    assert 'text="video_name"' in str(error.value)
    assert len(hs.check(frame, columns=hs.Columns(text="video_name")).dataset) == 20


@pytest.mark.parametrize(
    "words",
    [
        ["Müller", "Schmidt", "Rossi", "Bianchi", "Weber", "Ricci", "Wagner", "Conti", "Becker", "Greco"],
        ["好吃", "难吃", "很好", "太差", "推荐", "失望", "喜欢", "讨厌", "满意", "后悔"],
        ["CC(=O)O1", "c1ccccc1", "C1CC1N", "O=C1NC2", "N#C3CC3", "CCO2C2", "C=C4F", "CN1C=N", "BrC1O", "ClC2S"],
    ],
    ids=["names", "Chinese", "molecules"],
)
def test_single_words_may_be_texts(words):
    checked = hs.check(pd.DataFrame({"cell": words, "tag": ["a", "b"] * 5}))
    assert len(checked.dataset) == 10


ROWS = [(f"the {word} says thing number {n}", "ab"[n % 2]) for n, word in enumerate(["cat", "dog", "cow", "hen"] * 5)]
NO_TEXTS = {
    "objects": lambda text: {"en": text, "de": "ja"},
    "messages": lambda text: [{"role": "user", "content": text}],
    "vectors": lambda text: [float(len(text)), 1.0],
    "sets": lambda text: set(text.split()),
    "other bytes": lambda text: b"\xff" + text.encode(),
}


@pytest.mark.parametrize("held", NO_TEXTS)
def test_a_cell_of_rows_is_no_text_in_any_row(held):
    texts = [NO_TEXTS[held](text) for text, _ in ROWS]
    labels = [label for _, label in ROWS]
    named = hs.Columns(text="text")
    with pytest.raises(DataError, match=r"column 'text' holds .* and a text is wanted"):
        hs.check(pd.DataFrame({"text": texts, "label": labels}), columns=named)
    mixed = pd.DataFrame({"text": [*(text for text, _ in ROWS[:9]), texts[9], *texts[10:]], "label": labels})
    with pytest.raises(DataError, match="table row 10: column 'text'"):
        hs.check(mixed, columns=named)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_objects_in_a_file_are_refused_where_no_column_is_named(tmp_path, form):
    frame = pd.DataFrame({"messages": [NO_TEXTS["messages"](t) for t, _ in ROWS], "label": [la for _, la in ROWS]})
    path = tmp_path / f"t.{form}"
    frame.to_json(path, orient="records", lines=True) if form == "jsonl" else frame.to_parquet(path)
    with pytest.raises(DataError, match="column 'messages' holds"):
        hs.check(path)
    with pytest.raises(DataError, match="column 'messages' holds"):
        rows_in(path, "text", hs.Columns())  # as predict reads it


@pytest.mark.parametrize("called", ["text", "tokens"])
@pytest.mark.parametrize("form", [list, tuple, np.array])
def test_lists_of_words_are_joined_and_that_is_said(called, form):
    frame = pd.DataFrame({called: [form(text.split()) for text, _ in ROWS], "label": [label for _, label in ROWS]})
    found = hs.check(frame)
    assert list(found.dataset.inputs) == [text for text, _ in ROWS]
    assert any(f"column '{called}' holds lists" in note for note in found.notes)
    inputs, notes, _ = rows_in(frame, "text", hs.Columns())
    assert inputs == [text for text, _ in ROWS]
    assert any("joined with spaces" in note for note in notes)


def test_bytes_of_texts_are_read_where_they_are_named_as_texts():
    frame = pd.DataFrame({"text": [f"ä{text}".encode() for text, _ in ROWS], "label": [label for _, label in ROWS]})
    assert hs.check(frame, columns=hs.Columns(text="text")).dataset.inputs[0] == f"ä{ROWS[0][0]}"


@pytest.mark.parametrize("column", ["author", "product"])
def test_ids_that_recur_are_no_texts_once_the_text_is_named_as_something_else(column):
    ids = {"author": ["ann", "bob", "cat", "dan"], "product": ["p1", "p2", "p3", "p4"]}[column]
    frame = pd.DataFrame({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS], column: ids * 5})
    with pytest.raises(DataError, match=f"no column of texts: '{column}' holds ids"):
        hs.check(frame, columns=hs.Columns(group="text"))
    assert len(hs.check(frame, columns=hs.Columns(group=column)).dataset) == 20


def test_questions_of_squad_among_texts_name_their_task():
    cells = [[{"context": text, "qas": [{"question": "Who?", "answers": []}]}] for text, _ in ROWS]
    frame = pd.DataFrame({"paragraphs": cells, "label": [label for _, label in ROWS]})
    with pytest.raises(DataError, match=r"questions about texts\n.*answering"):
        hs.check(frame)
