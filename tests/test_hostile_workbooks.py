"""Workbooks of strangers: a few kilobytes that ask for more memory than there is are refused before there is any."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import headstart as hs
from headstart.data.files import workbook_archive
from headstart.data.files.workbook_archive import checked_archive
from headstart.errors import DataError
from reading import read

calamine = pytest.importorskip("python_calamine")

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TABLE = [("text", "label"), *((f"a text of number {n}", "ab"[n % 2]) for n in range(20))]


def cell(at: str, said: str) -> str:
    return f'<c r="{at}" t="inlineStr"><is><t>{escape(said)}</t></is></c>'


ROWS = "".join(f'<row r="{n}">{cell(f"A{n}", a)}{cell(f"B{n}", b)}</row>' for n, (a, b) in enumerate(TABLE, start=1))


def write(
    path: Path, rows: str = "", *, sheet: str = "worksheets/sheet1.xml", first: str = "", shared: str = ""
) -> Path:
    """A workbook as small as one can be, of a table and these rows."""
    worksheet = f"{first}<worksheet {MAIN}><sheetData>{ROWS}{rows}</sheetData></worksheet>"
    relation = f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="{sheet}"/>'
    book = f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    sheets = '<sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets>'
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}">{book}</Relationships>',
        "xl/workbook.xml": f'<workbook {MAIN} xmlns:r="{OFFICE}">{sheets}</workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">{relation}</Relationships>',
        f"xl/{sheet}": worksheet,
    }
    if shared:
        parts["xl/sharedStrings.xml"] = f"<sst {MAIN}>{shared}</sst>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


FAR = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
BOMBS = {
    "far off": FAR,
    "single quotes": FAR.replace('"', "'"),
    "space around the sign": FAR.replace('r="X', 'r = "X'),
    "lower case": FAR.replace("XFD", "xfd"),
    "a character by its number": FAR.replace("XFD1048576", "XFD104857&#54;"),
    "a prefix": FAR.replace("<c ", "<x:c xmlns:x='y' ").replace("</c>", "</x:c>"),
    "twelve digits": '<row r="999999999999"><c r="A999999999999"><v>1</v></c></row>',
    "a row beyond 32 bits": '<row r="4294967297"><c><v>1</v></c></row>',
    "cells without names": '<row r="1048570">' + "<c><v>1</v></c>" * 9000 + "</row>",
    "rows without names": '<row r="1048570"/>' + "<row/>" * 9000 + '<row><c r="ZZ2000000"><v>1</v></c></row>',
    "a row before the first": '<row r="2"><c r="A1"><v>1</v></c></row>',
    "a second table": f"</sheetData><sheetData>{FAR}",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_cell_far_off_is_refused_however_it_is_written(kind, tmp_path):
    with pytest.raises(DataError, match=r"t\.xlsx: a (sheet with a )?(cell|row)") as error:
        read(write(tmp_path / "t.xlsx", BOMBS[kind]))
    assert "save it as CSV" in error.value.fix


def test_a_sheet_is_what_the_workbook_takes_for_one(tmp_path):
    for name in ("w/sheet1.xml", "sheet1.xml", "sharedStrings.xml", "media/image1.xml"):
        with pytest.raises(DataError, match="a sheet with a cell in row 1,048,576 and column 16,384"):
            read(write(tmp_path / "t.xlsx", FAR, sheet=name))
    with pytest.raises(DataError, match="cannot be read"):  # no part that could not be counted reaches the library
        read(write(tmp_path / "t.xlsx", FAR, sheet="media/image1.png"))


def test_what_two_readers_may_see_differently_reaches_none(tmp_path):
    doctype = "<!DOCTYPE worksheet [<!ENTITY far 'XFD1048576'>]>"
    with pytest.raises(DataError, match="a document type"):
        read(write(tmp_path / "t.xlsx", FAR, first=doctype))
    with pytest.raises(DataError, match="cannot be read: not well-formed"):
        read(write(tmp_path / "t.xlsx", "<row>"[:-1]))
    path = write(tmp_path / "t.xlsx")
    assert len(hs.check(path).dataset) == 20
    with zipfile.ZipFile(path, "a") as book, pytest.warns(UserWarning, match="Duplicate name"):
        book.writestr("xl/worksheets/sheet1.xml", book.read("xl/worksheets/sheet1.xml"))
    with pytest.raises(DataError, match="two parts of the name"):
        read(path)
    content = bytearray(write(tmp_path / "t.xlsx", FAR).read_bytes())
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(b"xl/worksheets/sheet1.xml"))
    content[at + 24 : at + 28] = struct.pack("<I", len(ROWS) // 2)  # the size that the directory says, and less is read
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read(path)


def test_one_long_text_in_many_cells_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook_archive, "_MOST_CHARACTERS", 10**6)
    text = "<si><rPh sb='0' eb='1'><t>x</t></rPh></si><si/>" + f"<si><t>{'long ' * 1000}</t></si>"
    for number in (0, 2):  # as texts are counted that are empty, or not
        rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>{number}</v></c></row>' for n in range(30, 300))
        with pytest.raises(DataError, match="cells that hold 1,350,000 characters"):
            read(write(tmp_path / "t.xlsx", rows, shared=text))
    few = '<row r="30"><c r="A30" t="s"><v>0</v></c><c r="B30" t="inlineStr"><is><t>a</t></is></c></row>'
    assert (
        hs.check(write(tmp_path / "t.xlsx", few, shared="<si><r><t>ri</t></r><r><t>ch</t></r></si>")).dataset.inputs[-1]
        == "rich"
    )


REFERENCES = st.sampled_from(
    ["A1", "B7", "J9", "A50", "AZ3", "CV200", "c3", "A0", "0", "7", "200", "+9", " 9", "9 ", "1e2", "²"]
)
CELLS = st.lists(st.none() | REFERENCES, max_size=4)
SHEETS = st.lists(st.tuples(st.none() | REFERENCES, CELLS), max_size=5)


@settings(max_examples=300, deadline=None)
@given(rows=SHEETS)
def test_a_sheet_that_is_let_through_takes_no_more_room_than_was_counted(rows, tmp_path_factory):
    written = ""
    for row, cells in rows:
        inside = "".join(f"<c{'' if at is None else f' r={at!r}'}><v>1</v></c>" for at in cells)
        written += f"<row{'' if row is None else f' r={row!r}'}>{inside}</row>"
    path = write(tmp_path_factory.getbasetemp() / "counted.xlsx", written)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbook_archive, "_MOST_CELLS", 400)
        try:
            opened = checked_archive(path)
        except DataError:
            return
    sheet = calamine.CalamineWorkbook.from_filelike(opened).get_sheet_by_index(0)
    assert sheet.height * sheet.width <= 400


@pytest.mark.parametrize("at", ["XFD1048576", "XFD3", "ZZ900000"])
def test_a_cell_far_off_in_a_workbook_as_openpyxl_writes_it(at, tmp_path):
    book = openpyxl.Workbook()
    for row in TABLE:
        book.active.append(row)
    book.active[at] = "x"
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(DataError, match=r"a sheet with a cell in row [\d,]+ and column [\d,]+"):
        read(tmp_path / "t.xlsx")


def test_one_that_is_damaged_or_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "t.xlsx")
    (tmp_path / "cut.xlsx").write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "cut.xlsx")
    monkeypatch.setattr(workbook_archive, "MOST_BYTES", 1000)
    with pytest.raises(DataError, match="it unpacks to too much"):
        read(path)


def old_workbook(path: Path, cells: list[tuple[int, int, str]]) -> Path:
    """An .xls of one sheet."""

    def record(kind: int, content: bytes) -> bytes:
        return struct.pack("<HH", kind, len(content)) + content

    begin = record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0))
    sheets, end = struct.pack("<IBB", len(begin) + 4 + 9 + 4, 0, 0) + b"\x01\x00s", record(0x0A, b"")
    labels = [struct.pack("<HHHHB", row, column, 0, len(said), 0) + said.encode() for row, column, said in cells]
    stream = begin + record(0x85, sheets) + end + begin + b"".join(record(0x204, label) for label in labels) + end
    stream = stream.ljust(-(-max(4096, len(stream)) // 512) * 512, b"\0")
    count, last, free = len(stream) // 512, 0xFFFFFFFE, 0xFFFFFFFF
    chain = [*range(3, 2 + count), last]
    table = struct.pack("<128I", 0xFFFFFFFD, last, *chain, *[free] * (126 - count))
    header = bytes.fromhex("D0CF11E0A1B11AE1").ljust(24, b"\0") + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
    header = header.ljust(44, b"\0") + struct.pack("<IIIIIIII", 1, 1, 0, 4096, last, 0, last, 0)
    header += struct.pack("<109I", 0, *[free] * 108)

    def entry(name: str, kind: int, first: int, size: int, child: int) -> bytes:
        written = (name + "\0").encode("utf-16-le")
        about = written.ljust(64, b"\0") + struct.pack("<HBBIII", len(written), kind, 1, free, free, child)
        return about.ljust(116, b"\0") + struct.pack("<IQ", first, size)

    folder = entry("Root Entry", 5, last, 0, 1) + entry("Workbook", 2, 2, len(stream), free)
    path.write_bytes(header + table + folder.ljust(512, b"\0") + stream)
    return path


def test_an_old_workbook_is_read_or_refused_whatever_it_does_to_its_reader(tmp_path):
    cells = [(row, column, said) for row, each in enumerate(TABLE) for column, said in enumerate(each)]
    found = hs.check(old_workbook(tmp_path / "t.xls", cells)).dataset
    assert (list(found.inputs), found.classes) == ([text for text, _ in TABLE[1:]], ("a", "b"))
    far = [(0, 0, "text"), (0, 1, "label"), (65535, 65535, "x")]
    with pytest.raises(DataError, match="cannot be read: it is damaged, or asks for too much memory"):
        read(old_workbook(tmp_path / "far.xls", far))
    with pytest.raises(DataError, match="no workbook of this kind"):
        read(write(tmp_path / "t.xlsx", FAR).rename(tmp_path / "other.XLS"))


def test_whole_numbers_are_whole(tmp_path):
    """A workbook knows only one kind of number; 1000.0 would join with nothing."""
    book = openpyxl.Workbook()
    for row in [
        ("id", "price", "text", "label"),
        *((4006381333931 + n, n / 2, f"number {n} of it", n % 2) for n in range(20)),
    ]:
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    from headstart.data.as_written import as_written
    from headstart.values import Columns

    _, rows = as_written(tmp_path / "t.xlsx", Columns(text="text"))
    assert rows[1] == ["4006381333932", "0.5", "number 1 of it", "1"]
    assert hs.check(tmp_path / "t.xlsx", columns=hs.Columns(text="text", label="label")).dataset.classes == ("0", "1")
