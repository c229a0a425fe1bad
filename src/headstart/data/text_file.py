"""The text files of tables: their encoding, and no line that would not fit into memory."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

from headstart.data.arrow import MOST_BYTES
from headstart.errors import DataError
from headstart.storage.files import open_file
from headstart.values import Finding

MOST_LINE = 2**26  # bytes
_BLOCK = 2**20
_MOST_LEFT_OUT = 1_000_000  # rows


def encoding_of(path: Path) -> tuple[str, list[str]]:
    """Of the whole file, with a note where it had to be assumed.

    Raises:
        DataError: UTF-16; or a line of more than `MOST_LINE`, which is read as one. OSError: no regular file.
    """
    decoder, utf_8 = codecs.getincrementaldecoder("utf-8")(), True
    line, so_far, at = 1, 0, 0  # number of the last line, and bytes of it up to here
    with open_file(path, most=MOST_BYTES) as file:
        while block := file.read(_BLOCK):
            if at == 0 and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DataError("UTF-16, which is not read", where=str(path), fix="save it as UTF-8")
            at += len(block)
            ends = [end for mark in (b"\n", b"\r") for end in (block.find(mark), block.rfind(mark)) if end >= 0]
            if so_far + min(ends, default=len(block)) > MOST_LINE:
                what = f"line {line:,} has more than {MOST_LINE // 2**20} MB"
                raise DataError(what, where=str(path), fix="a table has one row an example, each on a line")
            line += block.count(b"\n")
            so_far = len(block) - 1 - max(ends) if ends else so_far + len(block)
            utf_8 = utf_8 and _decodes(decoder, block)
    if utf_8 and _decodes(decoder, b"", final=True):
        return "utf-8-sig", []
    return "latin-1", [f"{path.name}: not UTF-8, read as latin-1"]


def open_text(path: Path, encoding: str, newline: str | None = None) -> io.TextIOWrapper:
    """Open a table's file, line by line.

    Raises:
        OSError: no regular file of a bounded size.
    """
    return io.TextIOWrapper(open_file(path, most=MOST_BYTES), encoding=encoding, newline=newline)


def leave_out(findings: list[Finding], kind: str, path: Path, number: int, reason: str) -> None:
    """List a row that cannot be read.

    Raises:
        DataError: so many are listed that this is no table.
    """
    if len(findings) == _MOST_LEFT_OUT:
        first = f"{findings[0].where}: {findings[0].reason}"
        what = f"more than {_MOST_LEFT_OUT:,} rows that cannot be read, the first {first}"
        raise DataError(what, where=str(path), fix="look whether it is a table")
    findings.append(Finding(kind, f"{path.name} row {number}", reason, rejected=True))


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True
