"""Tables beside photos: which column names them, where they lie, and what is refused since it is not plain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import headstart as hs
from headstart.data.read import rows_in
from headstart.errors import DataError
from headstart.values import Columns
from layouts import photo, photos, written

WORDS = ("euro rate", "track card")
PLACES = ("front", "side")


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


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            ["path,first_label,second_label", *(f"{a}/{n}.png,{n % 2},x{n % 3}" for n in range(6) for a in PLACES)],
            "several",
        ),
        ([f"caf\xe9 {n}\x98\x81" for n in range(40)], "encoding"),
    ],
)
def test_a_table_beside_class_folders_that_cannot_be_used_is_refused(lines, reason, tmp_path):
    photos(tmp_path, *PLACES)
    written(tmp_path / "labels.csv", *lines, encoding="latin-1")
    with pytest.raises(DataError, match=rf'(?s){reason}.*class_folders="outer".* takes the folders as the classes'):
        hs.check(tmp_path)
    assert hs.check(tmp_path, columns=Columns(class_folders="outer")).counts == {"front": 6, "side": 6}


@pytest.mark.parametrize("header", ["path", "species,length"])
def test_a_table_beside_class_folders_that_says_nothing_of_the_photos_is_left_aside(header, tmp_path):
    photos(tmp_path, *PLACES)
    rows = [f"{a}/{n}.png" if header == "path" else f"{a},{n + 100}" for n in range(6) for a in PLACES]
    written(tmp_path / "index.csv", header, *rows)
    found = hs.check(tmp_path)
    assert found.counts == {"front": 6, "side": 6}
    assert "not read, since there are folders: index.csv" in told(found)


def labels(*names: str) -> list[str]:
    return ["file,label", *(f"{name},{('rust', 'scab')[number % 2]}" for number, name in enumerate(names))]


def test_photos_of_one_name_and_size_are_told_apart_by_what_they_hold(tmp_path):
    for place in PLACES:
        for number in range(8):
            photo(tmp_path / place / f"{number}.bmp")
    table = written(tmp_path / "labels.csv", *labels(*(f"{number}.bmp" for number in range(8))))
    with pytest.raises(DataError, match=r"0\.bmp is in front and side, two photos\n.*front.* or .*side"):
        hs.check(table)
    found = hs.check(table, columns=Columns(image_root=str(tmp_path / "side")))
    assert {path.split("/")[-2] for path in found.dataset.inputs} == {"side"}
    for number in range(8):  # copies are one photo
        (tmp_path / "side" / f"{number}.bmp").write_bytes((tmp_path / "front" / f"{number}.bmp").read_bytes())
    assert len(hs.check(table).dataset) == 8


@pytest.mark.parametrize("ending", [".png", ""])
def test_every_name_is_looked_for_in_every_folder(ending, tmp_path):
    photos(tmp_path, "front", n=60)
    for number in range(60, 70):
        photo(tmp_path / "side" / f"{number}.png")
    table = written(tmp_path / "labels.csv", *labels(*(f"{number}{ending}" for number in range(70))))
    found = hs.check(table)
    assert (len(found.dataset), found.counts) == (70, {"rust": 35, "scab": 35})
    assert "labels.csv: photos from front, side" in told(found)
    with pytest.raises(DataError, match=r"labels\.csv takes the table, .* the folders"):
        hs.check(tmp_path)
    photo(tmp_path / "side" / "55.png")
    with pytest.raises(DataError, match=r"55.* is in front and side, two photos"):
        hs.check(table)


def test_two_endings_of_one_name_are_two_photos(tmp_path):
    photos(tmp_path, "pets", n=8)
    for number in range(8):
        photo(tmp_path / "pets" / f"{number}.jpg")
    table = written(tmp_path / "labels.csv", *labels(*map(str, range(8))))
    with pytest.raises(DataError, match=r"0 is 0\.jpg and 0\.png in pets\nwrite the endings"):
        hs.check(table)
    table = written(tmp_path / "labels.csv", *labels(*(f"{number}.png" for number in range(8))))
    assert all(path.endswith(".png") for path in hs.check(table).dataset.inputs)


def test_folders_of_another_part_are_another_parts_whatever_the_folders_above_are_called(tmp_path):
    photos(tmp_path / "train", "train_images", "test_images", n=8)
    table = written(tmp_path / "train" / "train.csv", *labels(*map(str, range(8))))
    assert all("train_images" in path for path in hs.check(table).dataset.inputs)


@pytest.mark.parametrize("ending", [".heic", ".HEIC", ""])
def test_heic_photos_that_a_table_names(ending, tmp_path):
    heif = pytest.importorskip("pillow_heif")
    (tmp_path / "phone").mkdir()
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((64, 64), Image.Resampling.NEAREST)
        heif.from_pillow(picture).save(tmp_path / "phone" / f"{number}{ending or '.heif'}")
    table = written(tmp_path / "labels.csv", *labels(*(f"{number}{ending}" for number in range(8))))
    for data in (table, tmp_path):
        found = hs.check(data)
        assert (found.counts, found.dataset.modality.name) == ({"rust": 4, "scab": 4}, "image")


@pytest.mark.parametrize("form", ["csv.gz", "jsonl.gz", "json", "xlsx"])
def test_tables_in_other_forms_beside_their_photos(form, tmp_path):
    pytest.importorskip("python_calamine")
    photos(tmp_path, "leaves", n=8)
    rows = pd.DataFrame({"file": [f"{n}.png" for n in range(8)], "label": ["rust", "scab"] * 4})
    path = tmp_path / f"labels.{form}"
    if form == "csv.gz":
        rows.to_csv(path, index=False)
    elif form == "xlsx":
        rows.to_excel(path, index=False)
    else:
        rows.to_json(path, orient="records", lines=form.startswith("jsonl"))
    found = hs.check(tmp_path)
    assert found.counts == {"rust": 4, "scab": 4}
    assert f"labels read from {path.name}" in told(found)
    written(tmp_path / "labels.csv", *labels(*(f"{number}.png" for number in range(6))))
    if not form.endswith("gz"):  # the form that is mostly one of tables goes first
        both = hs.check(tmp_path)
        assert (len(both.dataset), f"not read: {path.name}" in told(both)) == (6, True)


@pytest.mark.parametrize(
    "said",
    [
        '{"0": "cat", "1": "dog"}',
        '{"info": {"year": 2020}, "images": [{"id": 1, "file_name": "0.png"}], "categories": ["cat"]}',
        '["cat", "dog"]',
        "not JSON",
    ],
)
def test_json_beside_class_folders_that_is_no_table_of_photos_is_left_aside(said, tmp_path):
    for place in ("", "train/"):
        photos(tmp_path / (place or "all"), "cat", "dog")
        written(tmp_path / (place or "all") / "names.json", said)
    written(tmp_path / "names.json", said)
    assert hs.check(tmp_path / "all").counts == {"cat": 6, "dog": 6}
    (tmp_path / "all").rename(tmp_path / "train" / ".all")
    assert hs.check(tmp_path).counts == {"cat": 6, "dog": 6}


def test_class_folders_of_markdown_are_texts(tmp_path):
    for name in ("rust", "scab"):
        for number in range(6):
            written(tmp_path / name / f"{number}.md", f"leaf {number} has {name} on it, and {number**3} spots")
    found = hs.check(tmp_path)
    assert (found.dataset.modality.name, found.counts) == ("text", {"rust": 6, "scab": 6})
    assert "each .md file is one text" in told(found)


@pytest.mark.parametrize("before", ["images\\", "C:\\Users\\me\\images\\", "/data/upload/1/", "images/", "deep/er/"])
def test_names_of_another_system_or_place_are_found_below_the_folder_that_is_named(before, tmp_path):
    for number in range(12):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.effect_noise((24, 24), 30 + number).save(tmp_path / "images" / f"p{number}.png")
    rows = "".join(f"{before}p{number}.png,{'ab'[number % 2]}\n" for number in range(12))
    (tmp_path / "labels.csv").write_text(f"path,label\n{rows}")
    for root in (tmp_path, tmp_path / "images"):
        found = hs.check(tmp_path / "labels.csv", columns=hs.Columns(image_root=str(root)))
        assert [Path(path).name for path in found.dataset.inputs] == [f"p{number}.png" for number in range(12)]
    if before in ("images\\", "images/"):  # it lies beside the table
        assert len(hs.check(tmp_path / "labels.csv").dataset) == 12


def test_two_names_that_end_in_one_photo_are_refused(tmp_path):
    for number in range(6):
        Image.effect_noise((24, 24), 30 + number).save(tmp_path / f"{number}.png")
    rows = "".join(f"{where}/{number}.png,{where}\n" for where in "ab" for number in range(6))
    (tmp_path / "labels.csv").write_text(f"path,label\n{rows}")
    with pytest.raises(DataError, match=r"a/0.png and b/0.png would both be 0.png"):
        hs.check(tmp_path / "labels.csv", columns=hs.Columns(image_root=str(tmp_path)))


@pytest.mark.parametrize("named", ["{n}.png", "{n}", "f{n:03}/{n}.png"])
@pytest.mark.parametrize("root", [None, "patients"])
def test_each_photo_is_found_in_a_folder_of_its_own(named, root, tmp_path):
    for n in range(250):
        (tmp_path / "patients" / f"f{n:03}").mkdir(parents=True)
        Image.new("RGB", (64, 64), (n, n % 7, n % 5)).save(tmp_path / "patients" / f"f{n:03}" / f"{n}.png")
    table = written(tmp_path / "labels.csv", *labels(*(named.format(n=n) for n in range(250))))
    found = hs.check(table, columns=Columns(image_root=root and str(tmp_path / root)))
    assert [Path(path).name for path in found.dataset.inputs] == [f"{n}.png" for n in range(250)]


def test_names_with_their_folder_are_found_beside_those_of_the_first_rows(tmp_path):
    photos(tmp_path, "first/x", n=60)
    photos(tmp_path, "second/y")
    names = [*(f"x/{n}.png" for n in range(60)), *(f"y/{n}.png" for n in range(6))]
    found = hs.check(written(tmp_path / "labels.csv", *labels(*names)))
    assert (len(found.dataset), found.dataset.findings) == (66, ())


def test_folders_that_are_too_many_to_be_looked_through_are_said(tmp_path):
    photos(tmp_path, "a", n=12)
    for n in range(100):
        (tmp_path / "b" / f"{n}").mkdir(parents=True)
        (tmp_path / f"c{n}").symlink_to(tmp_path / "b")
    photo(tmp_path / "z" / "in" / "12.png")
    found = hs.check(written(tmp_path / "labels.csv", *labels(*(f"{n}.png" for n in range(13)))))
    assert len(found.dataset) == 12
    assert f"only the first 10,000 folders in {tmp_path} were looked through for photos" in told(found)


@pytest.mark.parametrize("layout", ["a folder beside", "no folder", "parts", "texts"])
def test_photos_without_a_row_are_counted_wherever_one_stands(layout, tmp_path, monkeypatch):
    data = tmp_path / "data"
    for n in range(14):
        photo(data / f"{n}.png")
    if layout == "a folder beside":
        (data / "other").mkdir()
    names = [f"{n}.png" if layout != "texts" else f"soup number {n} was good" for n in range(12)]
    if layout == "parts":
        written(data / "train.csv", *labels(*names[:6]))
        written(data / "test.csv", *labels(*names[6:]))
    else:
        written(data / "labels.csv", *labels(*names))
    found = hs.check(data)
    assert len(found.dataset) == 12
    left = 14 if layout == "texts" else 2
    assert f"{left} photos that no labelled row names are not read: data ({left})" in found.notes
    monkeypatch.chdir(data)
    assert hs.check(".").notes == found.notes


def test_photos_in_a_folder_and_beside_it_are_found(tmp_path):
    photos(tmp_path, "sub", n=60)
    (tmp_path / "other").mkdir()
    for n in range(60, 66):
        photo(tmp_path / f"{n}.png")
    written(tmp_path / "labels.csv", *labels(*(f"{n}.png" for n in range(66))))
    assert (len(hs.check(tmp_path).dataset), hs.check(tmp_path).dataset.findings) == (66, ())


@pytest.mark.parametrize("part", [".", "train"])
def test_two_tables_of_metadata_agree_or_one_is_to_be_named(part, tmp_path):
    names = [f"{n}.png" for n in range(12)]
    for name in names:
        photo(tmp_path / part / name)
    rows = [line.replace("file,", "file_name,") for line in labels(*names)]
    written(tmp_path / part / "metadata.csv", *rows)
    frame = pd.read_csv(tmp_path / part / "metadata.csv")
    frame.to_json(tmp_path / part / "metadata.jsonl", orient="records", lines=True)
    found = hs.check(tmp_path)
    assert found.counts == {"rust": 6, "scab": 6}
    assert "not read, beside metadata.csv: metadata.jsonl" in told(found)
    frame.assign(label="blight").to_json(tmp_path / part / "metadata.jsonl", orient="records", lines=True)
    with pytest.raises(DataError, match=r"0\.png is 'rust' in metadata\.csv, and 'blight' in metadata\.jsonl"):
        hs.check(tmp_path)
    assert hs.check(tmp_path / part / "metadata.csv").counts == {"rust": 6, "scab": 6}
