"""Tables of strangers: damaged, endless, deep or made to burst. Each is read, or refused in words."""

from __future__ import annotations

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from headstart.data import check, read, read_questions
from headstart.errors import DataError, UserError

ROWS = [("a text of one kind", "one"), ("quite another text", "other")] * 10


@pytest.fixture
def parquet(tmp_path):
    table = pa.table({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def test_damaged_parquet_is_a_line(parquet):
    content = parquet.read_bytes()
    rng, said = np.random.default_rng(0), []
    for number in range(300):
        changed = bytearray(content[: rng.integers(1, len(content))] if number % 5 == 0 else content)
        for at in rng.integers(0, len(changed), 8):
            changed[at] = rng.integers(0, 256)
        parquet.write_bytes(changed)
        try:
            read(parquet)
        except UserError as error:
            said.append(str(error))
    assert len(said) > 100
    assert all(len(error.splitlines()) <= 2 for error in said)


def test_a_small_parquet_file_of_very_many_rows_is_refused_before_they_are_read(tmp_path):
    n = 11_000_000
    values = pa.DictionaryArray.from_arrays(pa.array(np.tile(np.array([0, 1], np.int8), n)), ["one text", "two text"])
    pyarrow.parquet.write_table(pa.table({"text": values, "label": values}), tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 2_000_000
    with pytest.raises(DataError, match="rows"):
        read(tmp_path / "bomb.parquet")


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.json", DEEP),
        ("object.json", '{"data": ' + DEEP),
        ("rows.jsonl", DEEP + "\n"),
        ("bom.csv", b"\xef\xbb\xbf"),
        ("bom16.csv", b"\xff\xfe"),
        ("bom.json", b"\xef\xbb\xbf"),
        ("empty.csv", b""),
        ("empty.parquet", b""),
        ("nul.csv", b"\0" * 1000),
        ("number.jsonl", '{"text": ' + "9" * 10_000 + ', "label": 1}\n'),
        ("cut.json", '[{"text": "a", "label": "b"}, {"te'),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_strange_content_is_a_line(name, content, tmp_path):
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as caught:
        check(read(file))
    assert len(str(caught.value).splitlines()) <= 2
    if name.endswith(".json"):
        with pytest.raises(UserError):
            read_questions(file)


def test_one_row_that_is_too_deep_is_left_out_alone(tmp_path):
    lines = [json.dumps({"text": text, "label": label}) for text, label in ROWS]
    (tmp_path / "t.jsonl").write_text("\n".join([*lines[:3], '{"text": ' + DEEP, *lines[3:]]))
    dataset = check(read(tmp_path / "t.jsonl"))
    assert len(dataset) == len(ROWS)
    assert [(f.kind, f.where) for f in dataset.rejected] == [("damaged-row", "t.jsonl row 4")]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.json", "t.parquet"])
def test_a_sparse_file_of_200_gb_is_refused_at_once(name, tmp_path):
    with (tmp_path / name).open("wb") as file:
        file.write(b"text,label\n")
        file.truncate(200 * 2**30)
    with pytest.raises(UserError, match="214,748,364,800 bytes"):
        read(tmp_path / name)


def test_a_line_without_an_end_is_refused(tmp_path):
    with (tmp_path / "t.csv").open("wb") as file:
        file.write(b"text,label\n")
        for _ in range(80):
            file.write(b"word " * 200_000)
    with pytest.raises(UserError, match="line 2 has more than 64 MB"):
        check(read(tmp_path / "t.csv"))


STRANGE_PATHS = {  # of photos in a table -> what is said of them
    "a\0b.jpg": "a NUL character",
    "\ud800.jpg": "half a character",
    "x" * 5000: "File name too long",
    "~nobody-of-this-name/x.jpg": "No such file",
    "circle.jpg": "Too many levels of symbolic links",
    "pipe.jpg": "a named pipe",
    "/dev/zero": "a device",
    "global": "a folder",
}


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_paths_of_photos_that_are_none_are_listed(name, photos):
    (photos / "circle.jpg").symlink_to("circle.jpg")
    os.mkfifo(photos / "pipe.jpg")
    rows = [{"image": str(file.relative_to(photos)), "label": file.parent.name} for file in photos.rglob("*0*.jpg")]
    strange = [{"image": path, "label": "global"} for path in STRANGE_PATHS]
    written = [json.dumps(row) for row in (*rows, *strange)]
    (photos / name).write_text("\n".join(written) if name == "t.jsonl" else f"[{','.join(written)}]")
    dataset = check(read(photos / name))
    assert len(dataset) == len(rows)
    said = [finding.reason for finding in dataset.rejected]
    assert all(part in reason for part, reason in zip(STRANGE_PATHS.values(), said, strict=True)), said


def test_a_folder_with_a_tables_name_is_a_folder(tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(DataError, match="no class folders"):
        read(tmp_path / "x.csv")
