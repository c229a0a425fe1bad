"""A workbook as an archive of our own, of which is known how much room its cells take before a library makes it.

A file of a kilobyte may name a cell in the last row and the last column, or one text of a megabyte in each of a million
cells, and a library that keeps sheets whole then asks for more memory than there is, which ends the process. What a
stranger's archive holds, and what its XML says, two readers may see differently. So every part is read once, by an XML
parser and to its end; what could not be counted is refused; and the library is given what was read, and no other bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import IO
from xml.parsers import expat

from headstart.data.files.arrow import MOST_BYTES
from headstart.errors import DataError

_MOST_CELLS = 30_000_000  # of all sheets, rows times columns: room is made for empty ones too
_MOST_COLUMNS = 10_000
_MOST_CHARACTERS = 4 * 2**30  # of all cells, each with a text of its own
_PART = 1 << 20  # bytes
_CELL, _ROW = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})"), re.compile(r"[1-9][0-9]{0,6}")
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, expat.ExpatError),
    *(NotImplementedError, RuntimeError, EOFError, OSError, ValueError),
)
_FAR_OFF = "delete what is far off the table, or save it as CSV"
_UNREAD = ("customxml/", "docprops/", "content.xml")  # no cells; the last is another format's, which is not counted


class _Refused(ValueError):
    """What no writer of workbooks writes, or more of it than there is room for; and what to do."""

    def __init__(self, what: str, fix: str = "save it as CSV") -> None:
        super().__init__(what)
        self.fix = fix


def checked_archive(path: Path) -> io.BytesIO:
    """The parts of an .xlsx file that say what is in its cells, and nothing else of it.

    Raises:
        DataError: it is damaged, unpacks to more than a table may have, has a cell far off, or is written as no
            workbook is.
    """
    target, cells, left, seen = io.BytesIO(), _Cells(), MOST_BYTES, set[str]()
    try:
        with zipfile.ZipFile(path) as book, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
            for part in book.infolist():
                name = part.filename.lower()
                if name.startswith(_UNREAD) or not name.endswith((".xml", ".rels")):
                    continue
                if name in seen:
                    raise _Refused(f"two parts of the name {part.filename!r}")
                seen.add(name)
                with book.open(part) as source, copy.open(part.filename, "w", force_zip64=True) as sink:
                    left -= cells.copy(source, sink, left)
        cells.refuse_long()
    except _Refused as error:
        raise DataError(str(error), where=str(path), fix=error.fix) from None
    except _DAMAGED as error:
        raise DataError(f"cannot be read: {error}", where=str(path), fix="save it as CSV") from None
    target.seek(0)
    return target


class _Cells:
    """Where the cells of all sheets are, and how long their texts, as far as a workbook has been read.

    Any part may be a sheet, whatever its name: what has cells below `sheetData` counts as one.
    """

    def __init__(self) -> None:
        self.cells = 0  # of the sheets before this one, with room for the empty ones
        self.strings: list[list[int]] = [[], []]  # lengths of shared texts: of all, and of those that have any
        self.shared = Counter[str]()  # which of them cells take, as it is written
        self._start_part()

    def _start_part(self) -> None:
        self.sheets = 0  # `sheetData` that is open
        self.row, self.column = 1, 1  # of the next cell
        self.last, self.width, self.written = 0, 0, 0
        self.text: list[str] | None = None  # of what is open and counted
        self.is_shared = self.has_text = self.aside = False

    def copy(self, source: IO[bytes], sink: IO[bytes], most: int) -> int:
        """Bytes of a part, which is read while it is copied."""
        parser = expat.ParserCreate("utf-8")  # whatever it says of itself: so no two readers differ
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = self._characters, _no_doctype
        self._start_part()
        size = 0
        while piece := source.read(_PART):
            size += len(piece)
            if size > most:
                raise _Refused("it unpacks to too much")
            parser.Parse(piece, False)
            sink.write(piece)
        parser.Parse(b"", True)
        self.cells += self.last * self.width
        return size

    def refuse_long(self) -> None:
        """Raises where the cells have more text, that they share, than there is room for."""
        characters = 0
        for written, cells in self.shared.items():
            if not written.isdecimal() or len(written) > 9:
                raise _Refused(f"a cell with the shared text {written[:20]!r}")
            number = int(written)
            characters += cells * max((known[number] for known in self.strings if number < len(known)), default=0)
        if characters > _MOST_CHARACTERS:
            raise _Refused(f"cells that hold {characters:,} characters")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if self.sheets:
            if name == "c":
                self._cell(attributes.get("r"))
                self.is_shared = attributes.get("t") == "s"
            elif name == "v" and self.is_shared:
                self.text = []
            elif name == "row":
                self._row(attributes.get("r"))
        elif name == "si":
            self.text, self.has_text = [], False
        elif name == "rPh":
            self.aside = True
        elif name == "t":
            self.has_text |= not self.aside
        if name == "sheetData":
            self.sheets += 1

    def _end(self, name: str) -> None:
        if ":" in name:
            name = name.rpartition(":")[2]
        if self.sheets:
            if name == "row":
                self.row, self.column = self.row + 1, 1
            elif name == "v" and self.text is not None:
                self.shared["".join(self.text)] += 1
                self.text = None
            elif name == "sheetData":
                self.sheets -= 1
        elif name == "si" and self.text is not None:
            length = sum(map(len, self.text))
            for known in self.strings if self.has_text else self.strings[:1]:
                known.append(length)
            self.text = None
        elif name == "rPh":
            self.aside = False

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def _row(self, written: str | None) -> None:
        if written is not None:
            if not _ROW.fullmatch(written):
                raise _Refused(f"a row of the number {written[:20]!r}")
            self.row = int(written)

    def _cell(self, written: str | None) -> None:
        row = self.row
        if written is not None:
            if not (found := _CELL.fullmatch(written)):
                raise _Refused(f"a cell of the name {written[:20]!r}")
            row, self.column = int(found[2]), _number(found[1])
        if row < self.last:
            raise _Refused(f"a cell of row {row:,} after one of row {self.last:,}")
        self.last, self.width, self.written = row, max(self.width, self.column), self.written + 1
        if self.width > _MOST_COLUMNS or self.cells + max(self.last * self.width, self.written) > _MOST_CELLS:
            raise _Refused(f"a sheet with a cell in row {row:,} and column {self.column:,}", _FAR_OFF)
        self.column += 1


def _no_doctype(*_: object) -> None:
    raise _Refused("XML with a document type")


@cache
def _number(letters: str) -> int:
    """Of a column: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number
