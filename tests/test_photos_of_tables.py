"""Tables beside photos: which column names them, where they lie, and what is refused since it is not plain."""

from __future__ import annotations

import pytest

import headstart as hs
from headstart.data.read import rows_in
from headstart.values import Columns
from layouts import photos, written

WORDS = ("euro rate", "track card")


def told(found) -> str:
    return "\n".join(found.notes)


def test_short_texts_beside_photos_of_the_same_numbers_are_texts(tmp_path):
    photos(tmp_path, "holiday", n=20)
    rows = [
        f"{number},{WORDS[number % 2]} {'abcdefghijklmnopqrst'[number]},{('rate', 'card')[number % 2]}"
        for number in range(20)
    ]
    table = written(tmp_path / "items.csv", "id,text,label", *rows)
    found = hs.check(table)
    assert all(text.startswith(WORDS) for text in found.dataset.inputs)
    assert "--image id takes photos in holiday" in told(found)
    named = hs.check(table, columns=Columns(image="id"))
    assert all("holiday" in path for path in named.dataset.inputs)


def test_a_column_that_is_taken_as_names_of_photos_is_said(tmp_path):
    photos(tmp_path, "leaves", n=12)
    rows = [f"{number},{('rust', 'scab')[number % 2]},{number % 3}" for number in range(12)]
    found = hs.check(written(tmp_path / "items.csv", "id,label,tree", *rows))
    assert all("leaves" in path for path in found.dataset.inputs)
    assert "column 'id' taken as names of photos; --text COLUMN takes texts" in told(found)


@pytest.mark.parametrize("known", [Columns(text="said"), Columns(text="gone")])
def test_texts_to_ask_about_are_no_photos(known, tmp_path):
    photos(tmp_path, "holiday", n=20)
    photos(tmp_path, "other", n=20)
    rows = [f"{number},{WORDS[number % 2]}" for number in range(20)]
    table = written(tmp_path / "asked.csv", "id,said", *rows)
    inputs, _, _ = rows_in(table, "text", Columns(known=known))
    assert inputs == [WORDS[number % 2] for number in range(20)]
