"""Tables of strangers: damaged, endless, deep or made to burst. Each is read, or refused in words."""

from __future__ import annotations

import json
import os
import sys
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from headstart.data.check import check
from headstart.data.files.arrow import Damaged
from headstart.data.files.parquet_footer import Part, largest_value, parts
from headstart.data.tables.table import open_blocks, table_errors
from headstart.errors import DataError, UserError
from headstart.values import Columns
from reading import read, read_questions

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


def footer_changed(path, change) -> None:
    content = path.read_bytes()
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    footer = change(content[start:-8])
    path.write_bytes(content[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def batch_sizes(monkeypatch) -> list[int]:
    """Of each Parquet file that is read from now on."""
    sizes, batches = [], pyarrow.parquet.ParquetFile.iter_batches

    def noted(self, batch_size):
        sizes.append(batch_size)
        return batches(self, batch_size)

    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", noted)
    return sizes


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (b"", "as those of a bomb do"),
        (b"\x08\x08\x00", "field 4 is there twice"),  # the groups of rows, as a text, which Thrift passes over
        (b"\x0c\x40\x1b\x02\x11\x01\x02\x01\x02\x00", "as those of a bomb do"),  # a map of booleans, a byte each
    ],
    ids=["as it is", "twice", "map"],
)
def test_a_field_that_readers_pass_over_hides_no_bomb(more, said, tmp_path, monkeypatch):
    sizes = batch_sizes(monkeypatch)
    long = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 400, pa.int8()), ["a" * 2**20, "b" * 2**20])
    pyarrow.parquet.write_table(pa.table({"text": long, "label": ["a", "b"] * 400}), tmp_path / "t.parquet")
    footer_changed(tmp_path / "t.parquet", lambda footer: footer[:-1] + more + footer[-1:])
    assert pyarrow.parquet.read_metadata(tmp_path / "t.parquet").num_row_groups == 1
    with pytest.raises(DataError, match=said):
        read(tmp_path / "t.parquet")
    assert sizes == ([511] if "bomb" in said else [])  # which take half a gigabyte


def test_lists_have_the_entries_that_are_read_there(parquet):
    """Those of the encodings are said to be bytes: Thrift reads the numbers that it expects."""
    footer_changed(parquet, lambda footer: footer.replace(b"\x19\x35", b"\x19\x33", 1))
    assert pyarrow.parquet.read_metadata(parquet).num_rows == 20
    with pytest.raises(DataError, match="a list of entries of kind 3"):
        read(parquet)


def test_groups_have_the_rows_of_the_whole(parquet):
    footer_changed(parquet, lambda footer: footer.replace(b"\x16\x28\x19", b"\x16\x26\x19", 1))
    assert pyarrow.parquet.read_metadata(parquet).num_rows == 19
    with pytest.raises(DataError, match="its groups of rows have not as many as the whole"):
        read(parquet)


def zigzag(value: int) -> bytes:
    value, made = 2 * value, b""
    while value > 127:
        made, value = made + bytes([value & 127 | 128]), value >> 7
    return made + bytes([value])


DICTIONARY = b"\x15" + zigzag(2) + b"\x15" + zigzag(10**6) + b"\x15\x00"  # type, bytes unpacked, and packed


def page(values: int, encoding: int = 0) -> bytes:
    """The header of one that is of four bytes, unpacked."""
    return b"\x15\x00\x15\x08\x15\x00\x2c\x15" + zigzag(values) + b"\x15" + zigzag(encoding) + b"\x00\x00"


VALUES = page(50)


@pytest.mark.parametrize(
    ("pages", "largest"),
    [
        (DICTIONARY + b"\x00" + VALUES, 10**6),
        (page(20) + DICTIONARY + b"\x00" + VALUES, 10**6),  # behind other values
        (b"\x15\x02\x15\x00\x15\x00\x00" + DICTIONARY + b"\x00" + VALUES, 10**6),  # behind a page that is skipped
        (b"\x05\x02\x04\x05\x04" + zigzag(10**6) + b"\x05\x06\x00\x00" + VALUES, 10**6),  # numbers in the long form
        (DICTIONARY + b"\x7b\x02\x11\x01\x02\x01\x02\x00" + VALUES, 10**6),  # and a map of booleans, a byte each
        (DICTIONARY + b"\x79\x21\x01\x02\x00" + VALUES, 10**6),  # a list of them
        (DICTIONARY + b"\x71\x00" + VALUES, 10**6),  # a field that is one
        (VALUES, 4 / 50),
        (page(50, 7), 4),  # in which each may begin as the one before
    ],
)
def test_a_value_is_as_large_as_its_pages_let_it_be(pages, largest):
    assert largest_value(BytesIO(b"PAR1" + pages), Part(rows=50, values=50, texts=True, start=4)) == largest


@pytest.mark.parametrize(
    "pages",
    [
        b"",
        b"\x00",
        b"junk",
        DICTIONARY,  # without an end
        DICTIONARY + b"\x00",  # without values
        DICTIONARY + b"\x05\x02\x00\x00" + VALUES,  # its type twice
        DICTIONARY + b"\x08\x04\x00\x00" + VALUES,  # its size twice, the second of another kind
        b"\x15" + zigzag(2**32 + 2) + DICTIONARY[2:] + b"\x00" + VALUES,  # of 32 bits, which Thrift takes
        b"\x15\x04\x15\x01\x15\x00\x00" + VALUES,  # below nothing
    ],
)
def test_pages_that_are_none_are_refused(pages):
    with pytest.raises(ValueError, match=r"no page at byte|field|too large"):
        largest_value(BytesIO(b"PAR1" + pages), Part(rows=50, values=50, texts=True, start=4))


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_dictionary": False},
        {"use_dictionary": False, "data_page_version": "2.0"},
        {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"},
        {"use_dictionary": False, "column_encoding": "DELTA_LENGTH_BYTE_ARRAY"},
    ],
    ids=str,
)
def test_a_few_large_texts_are_not_hidden_by_many_small_ones(how, tmp_path):
    texts = [str(number) for number in range(300_000)]
    texts[200_000:200_100] = [f"{number}{'a' * 100_000}" for number in range(100)]
    how = {**how, "write_batch_size": 100, "data_page_size": 10_000}  # older versions make one page of very many rows
    pyarrow.parquet.write_table(pa.table({"text": texts}), tmp_path / "t.parquet", compression="zstd", **how)
    with (tmp_path / "t.parquet").open("rb") as file:
        (part,) = parts(file, 300_000)
        assert 5_000 < largest_value(file, part) < 20_000_000


def test_lines_of_label_and_text_come_in_blocks(tmp_path):
    (tmp_path / "t.label").write_text(
        "".join(f"NUM:count how many are {n} ?\n\nLOC:city where is {n} ?\n" for n in range(60))
    )
    blocks, _ = open_blocks(tmp_path / "t.label", [], Columns(), rows=50)
    assert [len(block["label"]) for block in blocks] == [50, 50, 20]
    found = read(tmp_path / "t.label")
    assert (found.targets[:2], found.inputs[1], len(found)) == (["NUM", "LOC"], "where is 0 ?", 120)


@pytest.mark.parametrize("column", ["label", "split"])
def test_labels_and_parts_are_counted_as_texts_are(column, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[open_blocks.__module__], "_MOST_TOGETHER", 5_000)
    rows = [{"text": text, "label": label, "split": "train"} for text, label in ROWS]
    lines = [json.dumps({**row, column: row[column] + " " * 300}) for row in rows]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match="more than 5,000 characters"):
        read(tmp_path / "t.jsonl")


@pytest.mark.parametrize("error", [Damaged(""), Damaged("\n"), UnicodeError()])
def test_an_error_that_says_nothing_is_said_by_its_kind(error):
    with pytest.raises(DataError, match=f"cannot be read as a table: {type(error).__name__}"), table_errors("t.csv"):
        raise error


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
