"""A table of delimited rows without some of them, or with other labels: every other byte stays as it was."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from headstart.data.files.arrow import unique
from headstart.data.files.endings import JSON, WORKBOOKS
from headstart.data.files.text_file import encoding_of, open_bytes, open_text, suffix_of
from headstart.data.tables.delimited import form_of
from headstart.data.tables.quotation import Form
from headstart.data.tables.table import table_errors
from headstart.errors import DataError
from headstart.values import Columns


def rewritten(
    path: Path, asked: Columns, *, drop: Collection[int], labels: Mapping[int, str], label: str | None
) -> Iterator[bytes]:
    """The rows of a table in its own encoding, as they stand there.

    Args:
        asked: of which the encoding and the delimiter are taken.
        drop: numbers of rows that are left out, as findings have them: from 1, without the header.
        labels: what stands in the column `label` of other rows from now on.

    Raises:
        DataError: not of delimited rows, or a label that its encoding does not have.
    """
    with table_errors(path):
        if suffix_of(path) in (".parquet", *WORKBOOKS, *JSON):
            raise _no_rows(path)
        encoding, _ = encoding_of(path, asked.encoding)
        form = form_of(path, encoding, asked)
        if form is None:
            raise _no_rows(path)
        try:
            yield from _rows(path, form, drop=drop, labels=labels, label=label)
        except UnicodeEncodeError as error:
            what = f"a label that {encoding} does not have: {error.object!r}"
            raise DataError(what, where=str(path), fix="save the table as UTF-8") from None


def _no_rows(path: Path) -> DataError:
    fix = "save it as CSV, or take the rows of findings.csv out yourself"
    return DataError("only tables of delimited rows (CSV, TSV) are written anew", where=str(path), fix=fix)


def _rows(
    path: Path, form: Form, *, drop: Collection[int], labels: Mapping[int, str], label: str | None
) -> Iterator[bytes]:
    encoding = form.encoding.removesuffix("-sig")
    with open_bytes(path) as start:
        yield codecs.BOM_UTF8 if start.read(3) == codecs.BOM_UTF8 else b""
    written = codecs.getincrementalencoder(encoding)()  # a mark of byte order once, where it has one
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE
    raw: list[str] = []

    def seen(lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            raw.append(line)
            yield line.replace("\0", "")

    with open_text(path, form.encoding, newline="") as file:
        for _ in range(form.skip):
            yield written.encode(file.readline())
        number, column = -1 if form.header else 0, 0
        for row in csv.reader(seen(file), delimiter=form.delimiter, quoting=quoting):
            said = "".join(raw)
            raw.clear()
            number += bool(row)
            if number == (0 if form.header else 1) and row and label is not None:
                column = _place(row, form, label)
            if row and number in drop:
                continue
            if row and number in labels:
                said = _written([*row[:column], labels[number], *row[column + 1 :]], form, said)
            yield written.encode(said)


def _place(row: list[str], form: Form, label: str) -> int:
    """The place of the column of labels in the first row: by its name, or its number where no row has names."""
    numbers = [str(number) for number in range(1, len(row) + 1)]
    names = unique(n.strip() or number for n, number in zip(row, numbers, strict=True)) if form.header else numbers
    return list(names).index(label)


def _written(row: list[str], form: Form, before: str) -> str:
    """A row as a line, ended as it was before."""
    end = before[len(before.rstrip("\r\n")) :]
    if not form.quoted:
        return form.delimiter.join(row) + end
    line = io.StringIO()
    csv.writer(line, delimiter=form.delimiter, lineterminator=end).writerow(row)
    return line.getvalue()
