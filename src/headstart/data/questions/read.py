"""Read questions with their contexts and answers, from whatever holds them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from headstart.data.columns.inputs import listed
from headstart.data.columns.twins import refuse_twins
from headstart.data.files.arrow import Block, arrow_blocks, plain_values, unique
from headstart.data.files.arrow_types import of_pyarrow
from headstart.data.files.endings import READ_AS_TABLES
from headstart.data.files.part_names import part_named
from headstart.data.files.text_file import stem_of, suffix_of
from headstart.data.labels.values import as_text
from headstart.data.questions.answer_cells import NOT_ANSWERED, Answers, answers_in, is_true
from headstart.data.questions.answers import QuestionRow, checked
from headstart.data.questions.squad import asks, is_squad, squad_articles, squad_questions
from headstart.data.tables.table import open_blocks, refuse_unknown, row_names, row_numbers, table_errors
from headstart.errors import DataError
from headstart.inputs.paths import existing, is_file, local_path
from headstart.values import Columns, Examples, Finding

_NAMES = {
    "context": ("context", "passage", "paragraph"),
    "question": ("question", "query"),
    "answers": ("answers", "answers.text", "answer", "answer_text"),
    "start": ("answers.answer_start", "answer_start", "start"),
    "id": ("id", "question_id", "qid"),
    "title": ("title", "document"),
    "part": ("split", "part"),
    "impossible": ("is_impossible",),
}
_NEEDED = ("context", "question", "answers")
_BLOCK = 100  # rows, each with the whole of its text
_ABSENT = object()  # a row of JSON has no such name: nothing is said, where null says that there is none


def read_questions(data: Any, *, columns: Columns | None = None) -> Examples:
    """Questions from SQuAD's JSON, or a table of the columns context, question and answers.

    Args:
        data: a .json file in the form of SQuAD 1.1 or 2.0; a table (CSV, TSV, JSON lines, Parquet) or a DataFrame, an
            Arrow table, a `datasets.Dataset` or DatasetDict. `answers` is as SQuAD's tables have it (texts and
            answer_start); or `answer` is a text that is looked for in the context, empty for a question without answer.
        columns: the encoding and the delimiter of a file, where the user named them.

    Raises:
        DataError: not there, not readable, without these columns, or without a usable question.
    """
    if isinstance(data, str | Path):
        return _file(local_path(data), columns or Columns())
    if isinstance(data, Mapping):  # a DatasetDict: its names are the parts
        return checked(_parts(data), name="dataset")
    findings: list[Finding] = []
    with table_errors("table"):
        return checked(_table(_blocks(data), "table", findings), name="table", findings=findings)


def read_unanswered(table: Any, columns: Columns) -> Examples:
    """Questions with their contexts from a table that says nothing of answers.

    Args:
        columns: whose encoding and delimiter are taken.

    Raises:
        DataError: as `read_questions`.
    """
    if not isinstance(table, str | Path):
        with table_errors("table"):
            return checked(_table(_unanswered(_blocks(table)), "table", []), name="table")
    path, ragged = existing(local_path(table)), list[Finding]()
    with table_errors(path):
        blocks, notes = open_blocks(path, ragged, columns, absent=_ABSENT, rows=_BLOCK)
        return checked(_table(_unanswered(blocks), path.name, ragged), name=stem_of(path), notes=notes, findings=ragged)


def _unanswered(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        n, others = len(next(iter(block.values()))), [n for n in block if n.strip().lower() != "is_impossible"]
        yield {**{name: block[name] for name in others}, "answer": [""] * n, "is_impossible": [True] * n}


def has_questions(data: Any, columns: Columns | None = None) -> bool:
    """Whether data look like questions with contexts, by form and column names; nothing is checked.

    Args:
        columns: the encoding and the delimiter of a file, where the user named them.
    """
    asked = columns or Columns()
    if isinstance(data, Mapping):
        return any(has_questions(part) for part in data.values())
    if not isinstance(data, str | Path):
        names = getattr(data, "column_names", getattr(data, "columns", None))
        return names is not None and _has_columns([str(name) for name in names])
    path = local_path(data)
    if not is_file(path) or suffix_of(path) not in READ_AS_TABLES:
        return False
    with table_errors(path):
        if is_squad(path, asked.encoding) and asks(path, asked.encoding):
            return True
        blocks, _ = open_blocks(path, [], asked)
        return _has_columns(next(iter(blocks), {}))


def _has_columns(names: Iterable[str]) -> bool:
    lower = {name.strip().lower() for name in names}
    return all(lower.intersection(_NAMES[needed]) for needed in _NEEDED)


def _file(path: Path, asked: Columns) -> Examples:
    if not is_file(existing(path)):
        raise DataError("not a file", where=str(path), fix="check the path")
    refuse_unknown(path)
    with table_errors(path):
        squad = is_squad(path, asked.encoding)
    if squad:
        articles, notes = squad_articles(path, asked.encoding)
        if not articles or not all(isinstance(row, dict) and "question" in row for row in articles):
            return checked(squad_questions(articles, path), name=stem_of(path), notes=notes)
        names = dict.fromkeys(name for row in articles for name in row)
        block = {name: [row.get(name, _ABSENT) for row in articles] for name in names}
        return checked(_table([block], path.name, []), name=stem_of(path), notes=notes)
    ragged: list[Finding] = []
    with table_errors(path):
        blocks, notes = open_blocks(path, ragged, asked, absent=_ABSENT, rows=_BLOCK)
        return checked(_table(blocks, path.name, ragged), name=stem_of(path), notes=notes, findings=ragged)


def _parts(data: Mapping[str, Any]) -> Iterator[QuestionRow]:
    for name in data:
        if part_named(name) is None:
            fix = f"name the parts train, validation and test, or give one of them: data[{name!r}]"
            raise DataError(f"unknown part {name!r}", where="dataset", fix=fix)
    for name, some in data.items():
        yield from _table(_blocks(some), "dataset", [], part=part_named(name))


def _blocks(data: Any) -> Iterable[Block]:
    if of_pyarrow(data, "Table"):
        return arrow_blocks(data.to_batches(max_chunksize=_BLOCK))
    if hasattr(data, "column_names") and hasattr(data, "iter"):  # a datasets.Dataset
        return iter(data.iter(batch_size=_BLOCK))
    if hasattr(data, "columns") and hasattr(data, "to_dict"):  # a DataFrame
        named = list(enumerate(unique(map(str, data.columns))))
        starts = range(0, len(data), _BLOCK)
        return ({name: data.iloc[at : at + _BLOCK, i].tolist() for i, name in named} for at in starts)
    raise DataError(
        f"cannot read a {type(data).__name__}",
        where="data",
        fix="a path, a DataFrame, an Arrow table or a datasets.Dataset",
    )


def _table(
    blocks: Iterable[Block], where: str, ragged: list[Finding], *, part: str | None = None
) -> Iterator[QuestionRow]:
    """Rows of a table, with their numbers: rows that were left out count."""
    columns: dict[str, str] = {}
    names: list[str] = []
    left_out = set[int]()
    places = row_names(where, left_out)
    for block in blocks:
        names = list(block)
        if not columns:
            some = {name: plain_values(block[name]) for name in names}
            refuse_twins(some, dict.fromkeys(_columns(names).values(), ""), (), where)
        columns = {**_columns(names), **columns}  # rows of JSON may come with names that none had before
        _refuse_without([name for name in _NEEDED if name != "answers" or "impossible" not in columns], names, where)
        left_out |= row_numbers(ragged[len(left_out) :])
        wanted = {name: plain_values(block[column]) for name, column in columns.items() if column in block}
        for values in zip(*wanted.values(), strict=True):
            yield _asked(dict(zip(wanted, values, strict=True)), next(places), part)
    if columns:
        _refuse_without(_NEEDED, names, where)


def _asked(row: dict[str, Any], place: str, part: str | None) -> QuestionRow:
    row = {name: value for name, value in row.items() if value is not _ABSENT}
    texts = {name: as_text(row.get(name)) for name in ("context", "question", "id", "title", "part")}
    answers, complaint = _answers(row, texts["context"] or "")
    return QuestionRow(
        where=f"{part} {place}" if part else place,
        context=texts["context"],
        question=texts["question"],
        answers=answers,
        id=texts["id"],
        title=texts["title"],
        part=part or texts["part"],
        complaint=complaint,
        unsaid=answers == [] and not is_true(row.get("impossible")),
    )


def _columns(names: list[str]) -> dict[str, str]:
    lower = {name.strip().lower(): name for name in reversed(names)}
    found = {what: next((lower[n] for n in known if n in lower), None) for what, known in _NAMES.items()}
    return {what: name for what, name in found.items() if name is not None}


def _refuse_without(needed: Iterable[str], names: list[str], where: str) -> None:
    columns, lower = _columns(names), [name.strip().lower() for name in names]
    for what in needed:
        if what not in columns:
            near = difflib.get_close_matches(what, lower, n=1)
            hint = (
                f"rename {near[0]!r}" if near else f"call them context, question and answer; columns: {listed(names)}"
            )
            raise DataError(f"no column {_NAMES[what][0]!r}", where=where, fix=hint)


def _answers(row: dict[str, Any], context: str) -> Answers:
    """The answers, or why there are none that can be used."""
    impossible = is_true(row.get("impossible"))
    if "answers" not in row:
        return ([], "") if impossible else (None, "")
    found, complaint = answers_in(row["answers"], row.get("start"), context)
    if impossible:
        return (None, "said to be impossible, and has answers") if found else ([], "")
    said = as_text(row.get("impossible"))  # an empty cell says nothing
    return (None, NOT_ANSWERED) if found == [] and said and said.strip() else (found, complaint)
