"""Tables of every format to examples, batch by batch: of CSV, TSV, JSON lines and Parquet only the columns that are
needed stay in memory; workbooks and JSON that is one value are whole in it while they are read."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data.columns.find import Found, find_columns, refuse_unused, with_known
from headstart.data.columns.names import LABELS
from headstart.data.columns.picture_cells import are_pictures, picture
from headstart.data.columns.text import in_words, refuse_no_text
from headstart.data.columns.twins import by_option, refuse_twins
from headstart.data.files.accents import spelled
from headstart.data.files.arrow import (
    MOST_ROWS,
    Block,
    Damaged,
    class_names,
    parquet_blocks,
    plain_values,
    too_many_rows,
)
from headstart.data.files.arrow_file import ArrowFile
from headstart.data.files.class_labels import called, without_indicators
from headstart.data.files.endings import ARROW, JSON, READ_AS_TABLES, WORKBOOKS
from headstart.data.files.named_files import read_named
from headstart.data.files.text_file import encoding_of, stem_of, suffix_of
from headstart.data.labels.cells import label_cells, whole_numbers
from headstart.data.labels.indicators import indicator_cells
from headstart.data.labels.missing import without_missing
from headstart.data.tables import workbook
from headstart.data.tables.delimited import MOST_CHARACTERS, delimited_blocks
from headstart.data.tables.json_rows import json_rows
from headstart.data.tables.parts import in_parts
from headstart.data.tables.photos import Photos, photos_beside, with_photos
from headstart.errors import DataError, first_line
from headstart.inputs.paths import is_file
from headstart.storage.columns import Lazy
from headstart.storage.joined import FEW, Gathered
from headstart.values import Columns, Examples, Finding

_NO_TEXT = (".parquet", *ARROW, *WORKBOOKS)  # tables in no encoding of text
_SAMPLE = 2000  # rows to find columns in
_HEAD = 50  # rows; one of JSON may lack names that the next has
_BLOCK = 10_000  # rows
_MOST_TOGETHER = 2**32  # characters of all texts and labels of a table


def read_table(
    path: Path, *, columns: Columns | None = None, need_label: bool = True, kind: str | None = None
) -> Examples:
    """Read a table file.

    Args:
        kind: the modality whose inputs are wanted; None: any.

    Raises:
        DataError: empty, damaged, or without a column that fits.
    """
    asked = columns or Columns()
    refuse_unused(asked, "a table's file", "class_folders")
    ragged: list[Finding] = []
    with table_errors(path):
        blocks, notes = open_blocks(path, ragged, asked, need_label=need_label)
        found = read_blocks(blocks, asked, name=stem_of(path), where=path.name, base=path.parent,
                            need_label=need_label, findings=ragged, kind=kind)  # fmt: skip
    return replace(found, notes=(*notes, *found.notes))


def open_blocks(
    path: Path,
    ragged: list[Finding],
    asked: Columns,
    *,
    absent: Any = None,
    rows: int = _BLOCK,
    need_label: bool = False,
    unread: dict[int, list[str]] | None = None,
) -> tuple[Iterable[Block], list[str]]:
    """Blocks of rows by the file's ending, with notes on what was assumed; rows that cannot be read go to `ragged`.

    Args:
        asked: of which the encoding, the delimiter and the label's column are taken, and whose columns tell a header.
        absent: what a row of JSON has under a name that other rows have and it has not.
        rows: of a block, at most. When it is given out, `ragged` has all rows before its last one.
        need_label: whether rows are left out whose label is none (disputed, or rejected), and sheets without labels.
        unread: takes what stands in the rows that cannot be read, cell by cell, by their numbers.
    """
    suffix = suffix_of(path)
    if asked.delimiter and suffix in (*_NO_TEXT, *JSON):
        raise DataError("it has no delimiter", where=f"{path}, --delimiter", fix="leave it out")
    if suffix == ".parquet":
        if path.suffix.lower() == ".gz":
            raise DataError("a .parquet in a .gz", where=str(path), fix=f"it is packed in itself: gunzip {path.name}")
        return _with_class_names(parquet_blocks(path, rows), asked, lambda: class_names(path)), []
    if suffix in ARROW:
        file = ArrowFile(path)
        return _with_class_names(file.blocks(rows), asked, file.class_names), []
    if suffix in WORKBOOKS:
        return workbook.workbook_blocks(path, rows, asked, need_label=need_label)
    found, notes = encoding_of(path, asked.encoding)
    if suffix in JSON:
        blocks = json_rows(path, found, ragged, absent, rows, label=asked.label, need_label=need_label, unread=unread)
        return blocks, notes
    blocks, more = delimited_blocks(path, ragged, rows, encoding=found, asked=asked, unread=unread)
    return blocks, [*notes, *more]


def _with_class_names(
    blocks: Iterable[Block], asked: Columns, said: Callable[[], dict[str, list[str]]]
) -> Iterator[Block]:
    """Blocks with the names of classes, where the file has their numbers and says what these stand for."""
    names: dict[str, list[str]] | None = None
    for block in blocks:
        if names is None:
            names = without_indicators(said(), asked.label, asked.labels or (), LABELS)
        plain = {name: plain_values(block[name]) for name in block if name in names}
        yield {**block, **{name: [called(cell, names[name]) for cell in plain[name]] for name in plain}}


def refuse_unknown(path: Path) -> None:
    """Raises DataError where a file's ending is none of a table."""
    if suffix_of(path) not in READ_AS_TABLES | {""}:
        what = f"not a kind of file that is known: {path.suffix!r}"
        raise DataError(what, where=str(path), fix="csv, tsv, jsonl, json, parquet, arrow, xlsx, tar; or a folder")


def header(path: Path, asked: Columns | None = None) -> list[str]:
    """The names of a table's columns.

    Raises:
        DataError: as `read_table`.
    """
    asked = asked or Columns()
    with table_errors(path):
        blocks, _ = open_blocks(path, [], asked, rows=_HEAD)
        return list(next(iter(blocks), {}))


@contextmanager
def table_errors(path: Path | str) -> Iterator[None]:
    """A table that turns out to be damaged, while its blocks are gone through too."""
    try:
        yield
    except (Damaged, csv.Error, UnicodeError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read as a table: {first_line(error)}", where=str(path)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"cannot be read: {reason}", where=str(path), fix="name a table's file") from None
    except MemoryError:
        raise DataError("it does not fit into memory", where=str(path), fix="give a part of it") from None


def read_blocks(
    blocks: Iterable[Block],
    asked: Columns,
    *,
    name: str,
    where: str,
    base: Path | None = None,
    need_label: bool = True,
    findings: list[Finding] | None = None,
    kind: str | None = None,
    places: Callable[[int], Sequence[str]] | None = None,
) -> Examples:
    """Blocks of rows as Examples; `base` is what relative image paths start from, `kind` as `read_table` has it.

    Args:
        places: what to call each of so many rows, where that is not their numbers.
    """
    found: Found | None = None
    photos: Photos | None = None
    taken, marked, named, groups = Gathered(), Gathered(recur=True), Gathered(recur=True), Gathered(recur=True)
    together = 0
    for block in blocks:
        if found is None:
            found, photos = _columns(block, asked, base, where, need_label=need_label, kind=kind)
        values = _values(block, found, base or Path(), partial(_row_name, where, findings or (), len(taken)))
        marks = _cells(block, found, len(values[0]), where)
        parts = _texts(block[found.part]) if found.part else []
        of = _texts(block[found.group]) if found.group else []
        for column in (*_counted(values, found), _written(marks, found), parts, of):
            together += _characters(column, where, findings or [], len(taken))
        _refuse_more(len(taken) + len(values[0]), together, where)
        taken.add(values[0] if found.holds == "pictures" else _INPUTS[found.kind](values, photos))
        marked.add(marks)
        named.add(parts)
        groups.add(of)
    if found is None:
        raise _no_rows(where, findings or ())
    inputs, cells = taken.done(), marked.done()
    rows = _places(where, row_numbers(findings or ()), len(inputs)) if places is None else places(len(inputs))
    separator = asked.separator or (asked.known.separator if asked.known else None)
    more = photos.said(inputs) if photos else []
    if found.holds == "files":
        folder = Path(asked.image_root) if asked.image_root else base or Path()
        on_disk = [name and spelled(name, lambda one: is_file(folder / one)) for name in inputs]
        inputs, more = read_named(on_disk, folder, where=where, encoding=asked.encoding)
    cells, told = _targets(cells, inputs, found, rows, where)
    whole = Examples(
        kind=found.kind,
        name=name,
        inputs=inputs,
        targets=cells,
        where=rows,
        separator=separator,
        columns=found.columns(separator),
        from_files=found.holds == "files",
        named_groups=groups.done() if found.group else None,
        findings=tuple(findings or ()),
        notes=(*found.notes, *more, *told),
    )
    return in_parts(whole, named.done()) if need_label else whole


def _places(where: str, left_out: Collection[int], n: int) -> Sequence[str]:
    """What to call each of n rows; of many, when that is asked for."""
    if n <= FEW:
        return list(islice(row_names(where, left_out), n))
    numbers: range | np.ndarray = range(1, n + 1)
    if left_out:
        numbers = np.setdiff1d(np.arange(1, n + len(left_out) + 1), np.fromiter(left_out, dtype=np.int64))[:n]
    return Lazy(partial(_row_named, where), numbers)


def _row_named(where: str, number: int) -> str:
    return f"{where} row {number}"


def _targets(
    cells: Sequence[Any], inputs: Sequence[Any], found: Found, rows: Sequence[str], where: str
) -> tuple[Sequence[Any], list[str]]:
    """The cells of the targets as they are to be understood, with notes."""
    if len(found.labels) > 1:
        cells, told = indicator_cells(cells, found.labels, rows)
        return cells, list(told)
    cells, missing = without_missing(inputs, cells, where)
    cells, told = whole_numbers(cells)
    return cells, [*missing, *told]


def _refuse_more(rows: int, characters: int, where: str) -> None:
    """Raises DataError where a table has more than fits into memory."""
    if rows > MOST_ROWS:
        raise too_many_rows(where)
    if characters > _MOST_TOGETHER:
        raise DataError(f"more than {_MOST_TOGETHER:,} characters", where=where, fix="give a part of it")


def _no_rows(where: str, findings: Sequence[Finding]) -> DataError:
    first = f" that can be read; of {findings[0].where}: {findings[0].reason}" if findings else ""
    return DataError(f"no rows{first}", where=where, fix="a table has one row an example")


def _columns(
    block: Block, asked: Columns, base: Path | None, where: str, *, need_label: bool, kind: str | None
) -> tuple[Found, Photos | None]:
    """Which columns the first block of a table says to take, and where the photos lie that it names."""
    first = {name: plain_values(column[:_SAMPLE]) for name, column in block.items()}
    sample = {name: [] if are_pictures(column) else _texts(column) for name, column in first.items()}
    asked = with_known(sample, asked, need_label=need_label)
    notes: list[str] = []
    if base is not None and kind in (None, "image"):
        asked, notes = with_photos(sample, asked, base, where)
    found = find_columns(sample, first, asked, where=where, need_label=need_label)
    taken = {**by_option(found.columns(None)), **({found.part: ""} if found.part else {})}
    said = refuse_twins(sample, taken, by_option(asked), where)
    found = replace(found, notes=(*found.notes, *notes, *said))
    found = found if need_label else replace(found, labels=())  # whose cells need not be labels
    if found.holds != "files" and (base is None or suffix_of(Path(where)) in _NO_TEXT):
        refuse_unused(asked, where, "encoding", *([] if base else ["image_root"]))
    if found.holds != "names" or base is None:
        return found, None
    return found, photos_beside(sample[found.values[0]], base, asked.image_root, where)


def _counted(values: Sequence[Sequence[Any]], found: Found) -> Sequence[Sequence[Any]]:
    """The columns whose sizes tell how much is in memory."""
    if found.holds != "pictures":
        return values
    return [] if isinstance(values[0], Lazy) else [[value for value in values[0] if isinstance(value, bytes)]]


def _values(block: Block, found: Found, base: Path, row_name: Callable[[int], str]) -> list[Any]:
    """The columns of the inputs: texts, names of photos or of texts, or the pictures that cells hold.

    Raises:
        DataError: a cell that is none of these.
    """
    if found.holds == "pictures" and isinstance(block[found.values[0]], Lazy):  # photos that are opened later
        return [block[found.values[0]]]
    columns = {name: plain_values(block[name]) for name in found.values}
    if found.holds == "pictures":
        return [[picture(value, base) for value in columns[found.values[0]]]]
    refuse_no_text(found.values, columns, row_name)
    return [_texts(columns[name]) for name in found.values]


def _row_name(where: str, findings: Iterable[Finding], before: int, at: int) -> str:
    """The name of a row by its place among those that could be read, `before` of which come before its block."""
    return next(islice(row_names(where, row_numbers(findings)), before + at, None))


def _paths(columns: list[list[str | None]], photos: Photos | None) -> list[Any]:
    """Paths of images, from where they lie."""
    return [path or "" for path in columns[0]] if photos is None else photos.paths(columns[0])


def _joined(columns: list[list[str | None]], photos: Photos | None) -> list[Any]:
    """Texts; of several columns, one below the other."""
    if len(columns) == 1:
        return [value or "" for value in columns[0]]
    return ["\n".join(filter(None, values)) for values in zip(*columns, strict=True)]


def _paired(columns: list[list[str | None]], photos: Photos | None) -> list[Any]:
    """Pairs of texts; the columns before the last one are joined."""
    return list(zip(_joined(columns[:-1], photos), _joined(columns[-1:], photos), strict=True))


_INPUTS = {"image": _paths, "text": _joined, "pair": _paired}


def _cells(block: Block, found: Found, n: int, where: str) -> list[Any]:
    """What the columns of targets hold: a cell a row, of several columns a tuple of what they hold."""
    if not found.labels:
        return [None] * n
    if len(found.labels) == 1:
        values = plain_values(block[found.labels[0]])
        told = f"{where}, column {found.labels[0]!r},"
        return values if all(type(value) is str for value in values) else label_cells(values, where=told)
    return list(zip(*(plain_values(block[name]) for name in found.labels), strict=True))


def _written(marks: list[Any], found: Found) -> list[str | None]:
    """The texts among cells, or among those of several columns."""
    together = chain.from_iterable(marks) if len(found.labels) > 1 else marks
    return [mark if isinstance(mark, str) else None for mark in together]


def _texts(column: Any) -> list[str | None]:
    return [value if type(value) is str else in_words(value) for value in plain_values(column)]


def _characters(values: Sequence[Any], where: str, findings: list[Finding], before: int) -> int:
    """How many these are together; `before` rows come before them."""
    together = sum(map(len, filter(None, values)))
    if together > MOST_CHARACTERS:
        for number, value in enumerate(values):
            if isinstance(value, str) and len(value) > MOST_CHARACTERS:
                what = f"a text of more than {MOST_CHARACTERS // 10**6} million characters"
                place = _row_name(where, findings, before, number)
                raise DataError(what, where=place, fix="shorten it, or leave it out")
    return together


def row_names(where: str, left_out: Collection[int]) -> Iterator[str]:
    """Names of one row after the other, numbered as in the file: rows that were left out count.

    Args:
        left_out: numbers of such rows; it may grow while rows are named, as long as it is ahead of them.
    """
    return (_row_named(where, number) for number in count(1) if number not in left_out)


def row_numbers(findings: Iterable[Finding]) -> set[int]:
    """Of the rows that these findings, made while a table was read, are about."""
    return {int(finding.where.rsplit(" ", 1)[1]) for finding in findings}
