"""Names that are written in two ways are the same: accents apart or with their letters, 1 and 1.0."""

from __future__ import annotations

import csv
import shutil
import unicodedata

import pandas as pd
import pytest
from PIL import Image

import headstart as hs
from layouts import photos

TEXTS = [f"a wholly different sentence about {n * n} ships and {n + 7} harbours" for n in range(40)]


def apart(text):
    return unicodedata.normalize("NFD", text)


def write(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.mark.parametrize("form", ["one table", "two files", "a list"])
def test_a_label_in_two_spellings_is_one_class(form, tmp_path):
    rows = [(text, "cardé" if n % 2 else "taux") for n, text in enumerate(TEXTS)]
    decomposed = [(text, apart(label)) for text, label in rows]
    if form == "one table":
        found = hs.check(write(tmp_path / "t.csv", ("text", "label"), [*rows[:20], *decomposed[20:]]))
    elif form == "two files":
        train, test = (
            write(tmp_path / f"{name}.csv", ("text", "label"), some)
            for name, some in (("a", rows[:30]), ("b", decomposed[30:]))
        )
        found = hs.check(train, test=test)
    else:
        found = hs.check(TEXTS, labels=[label for _, label in [*rows[:20], *decomposed[20:]]])
    assert found.dataset.classes == ("cardé", "taux")
    assert "two spellings of one name, accents apart or with their letters: cardé" in " ".join(found.notes)


def test_one_spelling_alone_is_not_worth_a_note(tmp_path):
    rows = [(text, apart("cardé") if n % 2 else "taux") for n, text in enumerate(TEXTS)]
    found = hs.check(write(tmp_path / "t.csv", ("text", "label"), rows))
    assert found.dataset.classes == ("cardé", "taux")
    assert not any("spelling" in note for note in found.notes)


def test_labels_in_lists_and_with_separators_are_composed_too(tmp_path):
    rows = [(text, ["café;thé", apart("thé"), "thé;lait", apart("café")][n % 4]) for n, text in enumerate(TEXTS)]
    found = hs.check(write(tmp_path / "t.csv", ("text", "label"), rows))
    assert found.dataset.classes == ("café", "lait", "thé")
    assert any("two spellings" in note for note in found.notes)


def test_a_group_in_two_spellings_is_one_group(tmp_path):
    who = ["André", "Zoë", "Noémie", "Renée", "Chloé"]
    rows = [(text, "ab"[n % 2], who[n % 5] if n % 3 else apart(who[n % 5])) for n, text in enumerate(TEXTS)]
    found = hs.check(write(tmp_path / "t.csv", ("text", "label", "patient"), rows), columns=hs.Columns(group="patient"))
    assert len(set(found.dataset.checked_groups.tolist())) == 5
    assert any("written in several ways are one each: 'Andre\\u0301' and 'Andr\\xe9'" in note for note in found.notes)


@pytest.mark.parametrize(("asked", "there"), [(str, apart), (apart, str)])
def test_columns_are_found_in_either_spelling(asked, there, tmp_path):
    header = [there("texté"), there("catégorie"), "note"]
    path = write(tmp_path / "t.csv", header, [(text, "ab"[n % 2], n % 3) for n, text in enumerate(TEXTS)])
    named = hs.Columns(text=asked("texté"), label=asked("catégorie"))
    assert hs.check(path, columns=named).dataset.classes == ("a", "b")
    assert hs.check(pd.read_csv(path), columns=named).dataset.classes == ("a", "b")


@pytest.mark.parametrize(("named", "there"), [(str, apart), (apart, str)])
@pytest.mark.parametrize("folder", ["", "images"])
def test_photos_are_found_in_either_spelling(named, there, folder, tmp_path):
    photos(tmp_path, "all", n=12)
    (tmp_path / folder).mkdir(exist_ok=True)
    rows = []
    for n, path in enumerate(sorted((tmp_path / "all").iterdir())):
        rows.append((named(f"é{n}{path.suffix}"), "ab"[n % 2]))
        shutil.copy(path, tmp_path / folder / there(rows[-1][0]))
    shutil.rmtree(tmp_path / "all")
    found = hs.check(write(tmp_path / "labels.csv", ("image", "label"), rows))
    assert len(found.dataset) == 12
    Image.open(found.dataset.inputs[0]).close()


def test_text_files_are_found_in_either_spelling(tmp_path):
    for n, text in enumerate(TEXTS):
        (tmp_path / apart(f"é{n}.txt")).write_text(text)
    rows = [(f"é{n}.txt", "ab"[n % 2]) for n in range(len(TEXTS))]
    assert list(hs.check(write(tmp_path / "t.csv", ("file", "label"), rows)).dataset.inputs) == TEXTS


@pytest.mark.parametrize("words", [[], ["n/a"]])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_1_and_1_point_0_are_one_class(form, words, tmp_path):
    labels = ["1", "1.0", "2", "2.0", *words]
    rows = [(text, labels[n % len(labels)]) for n, text in enumerate(TEXTS)]
    path = tmp_path / f"t.{form}"
    if form == "csv":
        write(path, ("text", "label"), rows)
    else:  # a number, beside texts
        pd.DataFrame([(t, int(v) if v == "1" else v) for t, v in rows], columns=["text", "label"]).to_json(
            path, orient="records", lines=True
        )
    found = hs.check(path)
    assert found.dataset.classes == ("1", "2", *words)
    assert any("with .0 and without are taken as one: '1', '2'" in note for note in found.notes)


def test_versions_stay_as_they_are_written(tmp_path):
    rows = [(text, ["1.0", "1.1", "2.0", "beta"][n % 4]) for n, text in enumerate(TEXTS)]
    found = hs.check(write(tmp_path / "t.csv", ("text", "label"), rows))
    assert found.dataset.classes == ("1.0", "1.1", "2.0", "beta")


def test_whole_numbers_far_down_a_table_are_those_above(tmp_path):
    rows = [(f"{TEXTS[n % 40]} {n}", n % 2 if n < 10_500 else f"{n % 2}.0") for n in range(11_000)]
    assert hs.check(write(tmp_path / "t.csv", ("text", "label"), rows)).dataset.classes == ("0", "1")
