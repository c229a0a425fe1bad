"""The JSON of SQuAD 1.1 and 2.0: articles of paragraphs, each with its questions.

Source: Rajpurkar, Zhang, Lopyrev and Liang, SQuAD, EMNLP 2016; Rajpurkar, Jia and Liang, Know What You Don't Know,
ACL 2018.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headstart.data.files.endings import JSON
from headstart.data.files.text_file import encoding_of, read_head, suffix_of
from headstart.data.questions.answer_cells import NOT_ANSWERED, Answers, answers_in, is_true
from headstart.data.questions.answers import QuestionRow
from headstart.data.tables.json_object import refuse_other_rows
from headstart.data.tables.json_rows import whole_text
from headstart.errors import DataError
from headstart.storage.files import parse_json

_ARTICLES = re.compile(r'"data"\s*:\s*\[')
_ASKED = re.compile(r'"(paragraphs|qas|question)"\s*:')
_QAS = re.compile(r'"qas"\s*:\s*\[')
_HEAD = 1 << 20  # bytes that are looked at: a context may be long


def is_squad(path: Path, encoding: str | None) -> bool:
    """Whether a file is one object with the articles under "data"; or holds articles or contexts with their questions
    ("qas"), as a list or one a line. Any other list, or JSON lines, is a table.

    Args:
        encoding: that the user named; None: found.
    """
    suffix = suffix_of(path)
    if suffix not in JSON:
        return False
    head = read_head(path, encoding, _HEAD).lstrip()
    if head.startswith("{") and suffix == ".json" and _ARTICLES.search(head[: 1 << 16]) is not None:
        return True
    return head.startswith(("{", "[")) and _QAS.search(head) is not None


def asks(path: Path, encoding: str | None) -> bool:
    """Whether what stands under "data" are questions: tables have that name, too."""
    return _ASKED.search(read_head(path, encoding, _HEAD)) is not None


def squad_articles(path: Path, encoding: str | None) -> tuple[list[Any], list[str]]:
    """The articles, wherever they stand, or rows of a table, as transformers' examples want their files; and notes on
    the file's encoding.

    Raises:
        DataError: not JSON, or not of this form.
    """
    try:
        found, notes = encoding_of(path, encoding)
        content = whole_text(path, found)
        told = _lines(content) if _is_lines(content) else parse_json(content)
        if isinstance(told, dict) and "data" in told:
            refuse_other_rows(told, ["data"], str(path))
            told = told["data"]
        articles = told
    except OSError as error:
        raise DataError(error.strerror or str(error), where=str(path), fix="check the path") from None
    except (ValueError, KeyError, TypeError, MemoryError) as error:
        raise DataError(f"not SQuAD's JSON: {error}", where=str(path), fix='an object with a list "data"') from None
    articles = (
        [articles] if isinstance(articles, dict) and ("qas" in articles or "paragraphs" in articles) else articles
    )
    return _list(articles, path, "data"), notes


def _is_lines(content: str) -> bool:
    """Whether the first line is an object of its own, and not the last."""
    first, _, rest = content.lstrip().partition("\n")
    return first.rstrip().endswith("}") and rest.lstrip().startswith("{")


def _lines(content: str) -> list[Any]:
    """One object a line; the header of MRQA's files, which is none of them, is left out.

    Raises:
        ValueError: a line is no JSON.
    """
    found = [parse_json(line) for line in content.split("\n") if line.strip()]
    return [line for line in found if not (isinstance(line, dict) and set(line) == {"header"})]


def squad_questions(articles: list[Any], path: Path) -> Iterator[QuestionRow]:
    """Every question in the order of the file.

    Raises:
        DataError: not of this form.
    """
    for a, article in enumerate(articles):
        place = f"data[{a}]"
        alone = _field(article, "qas") is not None  # a context of its own, with no article around it
        paragraphs = [article] if alone else _list(_field(article, "paragraphs"), path, f"{place}.paragraphs")
        for p, paragraph in enumerate(paragraphs):
            here = place if alone else f"{place}.paragraphs[{p}]"
            for q, asked in enumerate(_list(_field(paragraph, "qas"), path, f"{here}.qas")):
                yield _question(asked, f"{path.name} {here}.qas[{q}]", article, paragraph, path.name)


def _question(asked: Any, place: str, article: Any, paragraph: Any, file: str) -> QuestionRow:
    name, context = _text(asked, "id") or _text(asked, "qid") or None, _text(paragraph, "context")
    answers, complaint = _answers(asked, context or "")
    return QuestionRow(
        where=place if name is None else f"{file} question {name}",
        context=context,
        question=_text(asked, "question"),
        answers=answers,
        id=name,
        title=_text(article, "title"),
        complaint=complaint,
    )


def _answers(asked: Any, context: str) -> Answers:
    """The answers, or why there are none that can be used."""
    answers, impossible = _field(asked, "answers"), is_true(_field(asked, "is_impossible"))
    if answers is None or answers == []:
        return ([], "") if impossible else (None, "" if answers is None else NOT_ANSWERED)
    if impossible:
        return None, "said to be impossible, and has answers"
    if not isinstance(answers, list) or any(_field(answer, "answer_start") is None for answer in answers):
        texts = isinstance(answers, list) and all(isinstance(answer, str) for answer in answers)
        return answers_in(answers, None, context) if texts else (None, "an answer without text and answer_start")
    return answers_in(answers, None, context)


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: Any, name: str) -> str | None:
    found = _field(value, name)
    return None if found is None else str(found)


def _list(value: Any, path: Path, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError("not SQuAD's JSON: no list here", where=f"{path} {place}", fix="see docs/answering.md")
    return value
