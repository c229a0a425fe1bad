"""Columns that nobody named, whose cells are no texts: said what they are, never learned as texts."""

from __future__ import annotations

import base64
import io

import pandas as pd
import pytest
from PIL import Image

import headstart as hs
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
