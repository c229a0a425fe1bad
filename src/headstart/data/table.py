"""CSV, TSV, JSON lines and Parquet, batch by batch; only the columns that are needed stay in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet

from headstart.data.columns import Columns, Found, find_columns
from headstart.data.parts import in_parts
from headstart.errors import DataError
from headstart.values import Dataset, Finding

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet", ".label", ".train", ".test")
_SAMPLE = 2000  # rows to find columns in
_BLOCK = 10_000  # rows

Block = Mapping[str, Any]  # column name -> list of plain values, or an Arrow array that is made one where it is needed


def read_table(path: Path, *, columns: Columns | None = None, need_label: bool = True) -> Dataset:
    """Read a table file.

    Raises:
        DataError: empty, damaged, or without a column that fits.
    """
    asked = columns or Columns()
    ragged: list[Finding] = []
    with damaged_as_user_error(path):
        blocks, notes = open_blocks(path, ragged)
        return read_blocks(blocks, asked, name=path.stem, where=path.name, base=path.parent, need_label=need_label,
                            notes=notes, findings=ragged)  # fmt: skip


def open_blocks(
    path: Path, ragged: list[Finding], *, absent: Any = None, rows: int = _BLOCK
) -> tuple[Iterable[Block], list[str]]:
    """Blocks of rows by the file's ending, with notes on what was assumed; rows that cannot be read go to `ragged`.

    Args:
        absent: what a row of JSON has under a name that other rows have and it has not.
        rows: of a block, at most. When it is given out, `ragged` has all rows before its last one.
    """
    if path.suffix.lower() == ".parquet":
        return arrow_blocks(pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=rows)), []
    if path.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        encoding, notes = _encoding(path)
        return _json_lines(path, encoding, ragged, absent, rows), notes
    return _delimited(path, ragged, rows)


@contextmanager
def damaged_as_user_error(path: Path) -> Iterator[None]:
    """A table that turns out to be damaged, while its blocks are gone through too."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, csv.Error) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"cannot be read as a table: {reason}", where=str(path)) from None


def arrow_blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[Block]:
    """Record batches as blocks."""
    for batch in batches:
        if batch.num_rows:
            yield {name: batch.column(name) for name in batch.schema.names}


def read_blocks(
    blocks: Iterable[Block],
    asked: Columns,
    *,
    name: str,
    where: str,
    base: Path | None = None,
    need_label: bool = True,
    notes: Iterable[str] = (),
    findings: list[Finding] | None = None,
) -> Dataset:
    """Blocks of rows as a Dataset; `base` is what relative image paths start from."""
    found: Found | None = None
    inputs: list[str | None] = []
    labels: list[str | None] = []
    named: list[str | None] = []
    for block in blocks:
        if found is None:
            sample = {name: _texts(column[:_SAMPLE]) for name, column in block.items()}
            found = find_columns(sample, asked, where=where, need_label=need_label)
        values = _texts(block[found.value])
        inputs += values
        labels += _texts(block[found.label]) if found.label else [None] * len(values)
        named += _texts(block[found.part]) if found.part else []
    if found is None:
        raise DataError("no rows", where=where, fix="a table has one row an example")
    if found.kind == "image" and base is not None:
        inputs = [None if path is None else str(base / path) for path in inputs]
    rows = list(islice(row_names(where, row_numbers(findings or ())), len(inputs)))
    whole = Dataset(
        kind=found.kind,
        name=name,
        inputs=[value if value is not None else "" for value in inputs],
        labels=[label.strip() or None if label is not None else None for label in labels],
        where=rows,
        findings=tuple(findings or ()),
        notes=(*notes, *found.notes),
    )
    return in_parts(whole, named)


def as_text(value: object) -> str | None:
    """Labels and texts as written: 1 and 1.0 are "1", true is "true", missing stays None."""
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _texts(column: Any) -> list[str | None]:
    return [as_text(value) for value in (column if isinstance(column, list) else column.to_pylist())]


def row_names(where: str, left_out: Collection[int]) -> Iterator[str]:
    """Names of one row after the other, numbered as in the file: rows that were left out count.

    Args:
        left_out: numbers of such rows; it may grow while rows are named, as long as it is ahead of them.
    """
    return (f"{where} row {number}" for number in count(1) if number not in left_out)


def row_numbers(findings: Iterable[Finding]) -> set[int]:
    """Of the rows that these findings, made while a table was read, are about."""
    return {int(finding.where.rsplit(" ", 1)[1]) for finding in findings}


def _delimited(path: Path, ragged: list[Finding], rows: int) -> tuple[Iterator[Block], list[str]]:
    """CSV or TSV, with what was assumed about it."""
    head = path.open("rb").read(1 << 20)
    if not head.strip():
        raise DataError("the file is empty", where=str(path), fix="a table has a header and one row an example")
    encoding, notes = _encoding(path)
    lines = head.decode(encoding, errors="replace").lstrip("\ufeff").splitlines()[:200]
    if _label_colon_text(lines):
        notes.append(f"{path.name}: no header; each line taken as LABEL:detail text, the detail left out")
        return _colon_lines(path, encoding), notes
    delimiter = _delimiter(lines, path)
    quoted = delimiter != "\t" or (
        all(line.count('"') % 2 == 0 for line in lines)
        and any(field.startswith('"') for line in lines[1:] for field in line.split("\t"))
    )
    header = _has_header(next(csv.reader(lines[:1], delimiter=delimiter)))
    if not header:
        notes.append(f"{path.name}: no header; columns named 1, 2, ...")
    return _stream(path, encoding, delimiter, quoted, header, ragged, rows), notes


def _stream(
    path: Path, encoding: str, delimiter: str, quoted: bool, header: bool, ragged: list[Finding], rows: int
) -> Iterator[Block]:
    """The csv module row by row: it reads quoted newlines and says which row is ragged."""
    csv.field_size_limit(1 << 30)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader((line.replace("\0", "") for line in file), delimiter=delimiter, quoting=quoting)
        first = next(reader)
        names = _unique(first) if header else [str(i + 1) for i in range(len(first))]
        block, number = ([], 0) if header else ([first], 1)
        for row in reader:
            if not row:
                continue
            number += 1
            if len(row) != len(names):
                reason = f"{len(row)} fields where the table has {len(names)}"
                ragged.append(Finding("ragged-row", f"{path.name} row {number}", reason, rejected=True))
                continue
            block.append(row)
            if len(block) == rows:
                yield dict(zip(names, map(list, zip(*block, strict=True)), strict=True))
                block = []
        if block:
            yield dict(zip(names, map(list, zip(*block, strict=True)), strict=True))


def _json_lines(path: Path, encoding: str, ragged: list[Finding], absent: Any, most: int) -> Iterator[Block]:
    """One JSON object a line; a line that is none is left out and listed. A file with one JSON list is read whole."""
    with path.open(encoding=encoding) as file:
        first = file.read(1 << 16).lstrip()[:1]
        file.seek(0)
        rows: Iterable[Any] = _json_list(file.read(), path) if first == "[" else (line for line in file if line.strip())
        names: dict[str, None] = {}
        block: list[dict[str, Any]] = []
        for number, row in enumerate(rows, start=1):
            found = _json_object(row)
            if found is None:
                ragged.append(Finding("damaged-row", f"{path.name} row {number}", "not a JSON object", rejected=True))
                continue
            names |= dict.fromkeys(found)
            block.append(found)
            if len(block) == most:
                yield {name: [row.get(name, absent) for row in block] for name in names}
                block = []
        if block:
            yield {name: [row.get(name, absent) for row in block] for name in names}


def _json_list(content: str, path: Path) -> list[Any]:
    try:
        return list(json.loads(content))
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where=str(path), fix="one JSON object a line, or one list") from None


def _json_object(row: Any) -> dict[str, Any] | None:
    try:
        found = json.loads(row) if isinstance(row, str) else row
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    out = []
    for i, name in enumerate(names):
        name = name.strip() or str(i + 1)
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return out


def _encoding(path: Path) -> tuple[str, list[str]]:
    """Of the whole file, with a note where it had to be assumed."""
    with path.open("rb") as file:
        try:
            for line in file:
                line.decode("utf-8")
        except UnicodeDecodeError:
            return "latin-1", [f"{path.name}: not UTF-8, read as latin-1"]
    return "utf-8-sig", []


def _delimiter(lines: list[str], path: Path) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    first = lines[0]
    if "\t" in first and all("\t" in line for line in lines[:50] if line):
        return "\t"
    return ";" if first.count(";") > first.count(",") else ","


def _has_header(first: list[str]) -> bool:
    """A header is short words that name columns; a first row that holds a sentence or a known label is data."""
    from headstart.data.columns import IMAGES, LABELS, PARTS, TEXTS

    known = {*LABELS, *TEXTS, *IMAGES, *PARTS, "id", "idx", "index"}
    cells = [cell.strip().lower() for cell in first]
    if any(cell in known or cell.startswith("label") for cell in cells):
        return True
    return all(0 < len(cell) <= 30 and len(cell.split()) <= 3 and not cell.replace(".", "").isdigit() for cell in cells)


def _label_colon_text(lines: list[str]) -> bool:
    """TREC's form: LABEL:detail text, in capitals, on every line."""
    full = [line for line in lines if line.strip()]
    return bool(full) and all(":" in line.split(" ")[0] and line.split(":")[0].isupper() for line in full)


def _colon_lines(path: Path, encoding: str) -> Iterator[Block]:
    with path.open(encoding=encoding) as file:
        rows = [(line.split(":", 1)[0], line.split(" ", 1)[-1].strip()) for line in file if line.strip()]
    yield {"label": [label for label, _ in rows], "text": [text for _, text in rows]}
