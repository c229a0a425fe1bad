"""The JSON of SQuAD 1.1 and 2.0: articles of paragraphs, each with its questions.

Source: Rajpurkar, Zhang, Lopyrev and Liang, SQuAD, EMNLP 2016; Rajpurkar, Jia and Liang, Know What You Don't Know,
ACL 2018.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headstart.data.answers import Asked, Given, given
from headstart.data.json_rows import MOST_BYTES
from headstart.errors import DataError
from headstart.storage.files import open_file, read_json

_ARTICLES = re.compile(r'"data"\s*:\s*\[')
_ASKED = re.compile(r'"(paragraphs|qas|question)"\s*:')


def is_squad(path: Path) -> bool:
    """Whether a .json file is one object with the articles under "data". A list, or JSON lines, is a table."""
    if path.suffix.lower() != ".json":
        return False
    with open_file(path, most=MOST_BYTES) as file:
        head = file.read(1 << 16).decode("utf-8-sig", errors="replace").lstrip()
    return head.startswith("{") and _ARTICLES.search(head) is not None


def asks(path: Path) -> bool:
    """Whether what stands under "data" are questions: tables have that name, too."""
    with open_file(path, most=MOST_BYTES) as file:
        return _ASKED.search(file.read(1 << 16).decode("utf-8", errors="replace")) is not None


def squad_articles(path: Path) -> list[Any]:
    """What stands under "data": articles; or rows of a table, as transformers' examples want their files.

    Raises:
        DataError: not JSON, or not of this form.
    """
    try:
        articles = read_json(path, most=MOST_BYTES)["data"]
    except OSError as error:
        raise DataError(error.strerror or str(error), where=str(path), fix="check the path") from None
    except (ValueError, KeyError, TypeError, MemoryError) as error:
        raise DataError(f"not SQuAD's JSON: {error}", where=str(path), fix='an object with a list "data"') from None
    return _list(articles, path, "data")


def squad_questions(articles: list[Any], path: Path) -> Iterator[Asked]:
    """Every question in the order of the file.

    Raises:
        DataError: not of this form.
    """
    for a, article in enumerate(articles):
        place = f"data[{a}]"
        title = _text(article, "title")
        for p, paragraph in enumerate(_list(_field(article, "paragraphs"), path, f"{place}.paragraphs")):
            here = f"{place}.paragraphs[{p}]"
            context = _text(paragraph, "context")
            for q, asked in enumerate(_list(_field(paragraph, "qas"), path, f"{here}.qas")):
                yield _question(asked, path.name, f"{here}.qas[{q}]", title, context)


def _question(asked: Any, file: str, place: str, title: str | None, context: str | None) -> Asked:
    name = _text(asked, "id") or None
    answers, complaint = _answers(asked)
    return Asked(
        where=f"{file} {place}" if name is None else f"{file} question {name}",
        context=context,
        question=_text(asked, "question"),
        answers=answers,
        id=name,
        title=title,
        complaint=complaint,
    )


def _answers(asked: Any) -> tuple[list[Given] | None, str]:
    """The answers, or why there are none that can be used."""
    answers, impossible = _field(asked, "answers"), _field(asked, "is_impossible") is True
    if answers is None:
        return ([], "") if impossible else (None, "")
    if impossible and answers:
        return None, "said to be impossible, and has answers"
    if not isinstance(answers, list) or any(_field(answer, "answer_start") is None for answer in answers):
        return None, "an answer without text and answer_start"
    try:
        return [given(answer.get("text"), answer["answer_start"]) for answer in answers], ""
    except ValueError as error:
        return None, str(error)


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: Any, name: str) -> str | None:
    found = _field(value, name)
    return None if found is None else str(found)


def _list(value: Any, path: Path, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError("not SQuAD's JSON: no list here", where=f"{path} {place}", fix="see docs/answering.md")
    return value
