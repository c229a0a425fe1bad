"""The text files of tables: their encoding, and no line that would not fit into memory."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from headstart.data.files.arrow import MOST_BYTES
from headstart.data.files.endings import ending_of
from headstart.errors import DataError, shortened
from headstart.inputs.encodings import (
    OF_SEVERAL_BYTES,
    encoded_twice,
    encoding_among,
    known_encoding,
    refuse_escaped,
    wide_encoding,
)
from headstart.storage.files import open_file
from headstart.values import Finding

MOST_LINE = 2**26  # bytes
_BLOCK = 2**20
_HEAD = 2**16
_TAIL = 2**13
_SEVERAL = 3  # lines
_SHARE_MIXED = 0.01  # of the lines that are not ASCII
_MOST_LEFT_OUT = 1_000_000  # rows


def encoding_of(path: Path, asked: str | None) -> tuple[str, list[str]]:
    """Of the whole file, with a note where it is not UTF-8.

    Args:
        asked: the one that the user named; None: found.

    Raises:
        DataError: it cannot be told, or is not the one that was asked for; or a line of more than `MOST_LINE`, which
            is read as one. OSError: no regular file.
    """
    name = known_encoding(asked) if asked else "utf-8-sig"
    with open_bytes(path) as file:
        head = file.read(_HEAD)
        wide = None if asked else wide_encoding(head)
        if not asked and wide is None:
            refuse_escaped(head, where=str(path))
        decoder = codecs.getincrementaldecoder(wide or name)()
        decoded, line, so_far, block = True, 1, 0, head  # number of the last line, and bytes of it up to here
        while block:
            ends = [end for mark in (b"\n", b"\r") for end in (block.find(mark), block.rfind(mark)) if end >= 0]
            if so_far + min(ends, default=len(block)) > MOST_LINE:
                what = f"line {line:,} has more than {MOST_LINE // 2**20} MB"
                raise DataError(what, where=str(path), fix="a table has one row an example, each on a line")
            line += block.count(b"\n")
            so_far = len(block) - 1 - max(ends) if ends else so_far + len(block)
            decoded = decoded and _decodes(decoder, block)
            block = file.read(_BLOCK)
        decoded = decoded and _decodes(decoder, b"", final=True)
    if decoded:
        said = f"{path.name}: read as {wide}; --encoding NAME takes another" if wide else ""
        twice = "" if asked or wide else encoded_twice(head)
        if twice:
            said = f"{path.name}: UTF-8 that was encoded twice, as it seems ({shortened(twice, 40)})"
            said += f"; iconv -f utf-8 -t cp1252 {path.name} would repair it"
        return wide or name, [said] if said else []
    if asked or wide:
        what = f"not {asked or wide}, as it is said to be" if asked else f"damaged {wide}"
        raise DataError(what, where=str(path), fix="--encoding NAME takes another, or save it as UTF-8")
    return _told(path)


def _told(path: Path) -> tuple[str, list[str]]:
    """The encoding that the first lines tell that are not ASCII, and that is the whole file's."""
    lines = b""
    with open_bytes(path) as file:
        while len(lines) < _HEAD and (line := file.readline(_HEAD)):
            lines += b"" if line.isascii() else line
    found = encoding_among(lines, where=str(path))
    with open_bytes(path) as file:
        decoder = codecs.getincrementaldecoder(found)()
        whole = all(_decodes(decoder, block) for block in iter(partial(file.read, _BLOCK), b""))
    if not whole or not _decodes(decoder, b"", final=True):
        what = f"neither UTF-8 nor {found} throughout"
        raise DataError(what, where=str(path), fix="--encoding NAME says what it is, or save it as UTF-8")
    _refuse_mixed(path, found)
    return found, [f"{path.name}: not UTF-8, read as {found}; --encoding NAME takes another"]


def _refuse_mixed(path: Path, found: str) -> None:
    """Raises DataError where other lines than the first ones tell another encoding: files that were put together.

    Nearly any bytes can be read in an encoding of one byte a character, so that it decodes says little.
    """
    if found in OF_SEVERAL_BYTES:
        return
    total, utf_8, first, last = 0, 0, 0, b""
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.isascii():
                total, last = total + 1, (last + line)[-_TAIL:]
                if _decodes(codecs.getincrementaldecoder("utf-8")(), line, final=True):
                    utf_8, first = utf_8 + 1, first or number
    fix = "save all of it in one encoding: iconv -f NAME -t utf-8 PART, part by part"
    if utf_8 >= max(_SEVERAL, _SHARE_MIXED * total):
        what = f"{utf_8:,} of {total:,} lines that are not ASCII are UTF-8 (line {first:,}, say), others {found}"
        raise DataError(what, where=str(path), fix=fix)
    other = found
    with suppress(DataError):  # so few lines may tell none
        other = encoding_among(last[last.find(b"\n") + 1 :], where=str(path))
    if other != found and last.decode(other, "replace") != last.decode(found, "replace"):
        what = f"the first lines that are not ASCII look like {found}, and the last like {other}"
        raise DataError(what, where=str(path), fix=f"--encoding NAME says what it is; or {fix}")


def suffix_of(path: Path) -> str:
    """The ending that says what a file holds: ".csv" of "table.CSV", and of "table.csv.gz"."""
    return ending_of(path.name)


def stem_of(path: Path) -> str:
    """The name without the ending that says what a file holds: "table" of "table.csv.gz"."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def open_bytes(path: Path) -> BinaryIO:
    """A table's file, unpacked where it is one of gzip.

    Raises:
        OSError: no regular file of a bounded size.
    """
    file = open_file(path, most=MOST_BYTES)
    return cast(BinaryIO, gzip.open(file)) if path.suffix.lower() == ".gz" else file


def read_lines(path: Path, asked: str | None, *, most: int | None = None) -> tuple[list[str], list[str]]:
    """The lines of a text file without their ends, and notes on its encoding.

    Args:
        asked: the encoding that the user named; None: found. most: how many lines; None: all.

    Raises:
        DataError: as `encoding_of`. OSError: no regular file of a bounded size.
    """
    encoding, notes = encoding_of(path, asked)
    with open_text(path, encoding) as file:
        return [line.rstrip("\n") for line in islice(file, most)], notes


def read_head(path: Path, asked: str | None, most: int) -> str:
    """The first bytes of a text file, by which it is judged: what is not of its encoding does not matter.

    Args:
        asked: the encoding that the user named; None: found.

    Raises:
        OSError: no regular file of a bounded size.
    """
    with open_bytes(path) as file:
        return _as_text(file.read(most), asked)


def _as_text(head: bytes, asked: str | None) -> str:
    return head.decode(known_encoding(asked) if asked else wide_encoding(head) or "utf-8-sig", errors="replace")


def first_lines(path: Path, asked: str | None) -> list[str]:
    """The first lines of a text file without their ends, by which it is judged, but the one that is cut there.

    Args:
        asked: the encoding that the user named; None: found.

    Raises:
        OSError: no regular file of a bounded size.
    """
    with open_bytes(path) as file:
        head, more = file.read(_BLOCK), file.read(1)
    text = _as_text(head, asked).lstrip("\ufeff")
    lines = lines_in(text)
    return lines[:-1] if more and len(lines) > 1 and not text.endswith(("\n", "\r")) else lines


def lines_in(text: str) -> list[str]:
    """The lines of a text without their ends; `splitlines` takes a dozen other characters for line ends, too."""
    *lines, last = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [*lines, last] if last else lines


def open_text(path: Path, encoding: str, newline: str | None = None) -> io.TextIOWrapper:
    """Open a table's file, line by line.

    Raises:
        OSError: no regular file of a bounded size.
    """
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, newline=newline)


def leave_out(
    findings: list[Finding],
    kind: str,
    path: Path,
    number: int,
    reason: str,
    *,
    written: Sequence[str] = (),
    unread: dict[int, list[str]] | None = None,
) -> None:
    """List a row that cannot be read.

    Args:
        written: what stands there, cell by cell. unread: takes it by the number of the row, where somebody wants it.

    Raises:
        DataError: so many are listed that this is no table.
    """
    if len(findings) == _MOST_LEFT_OUT:
        first = f"{findings[0].where}: {findings[0].reason}"
        what = f"more than {_MOST_LEFT_OUT:,} rows that cannot be read, the first {first}"
        raise DataError(what, where=str(path), fix="look whether it is a table")
    findings.append(Finding(kind, f"{path.name} row {number}", reason, rejected=True))
    if unread is not None:
        unread[number] = list(written)


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True
