"""Questions as they were written down to examples whose answers stand where they say; other rows are listed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from headstart.data.files.part_names import part_named
from headstart.data.questions.answer_cells import NOT_ANSWERED, Given
from headstart.data.tables.parts import in_parts
from headstart.errors import DataError
from headstart.values import Caution, Examples, Finding, Passages

_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class QuestionRow:
    """One question as it was read; None stands for what the data do not say."""

    where: str
    context: str | None
    question: str | None
    answers: Sequence[Given] | None  # (): said to have none
    id: str | None = None  # each part has ids of its own
    title: str | None = None
    part: str | None = None  # as the data name it
    complaint: str = ""  # why it cannot be used, where reading it showed that
    unsaid: bool = False  # it has an empty answer, and nothing says that there is none


@dataclass
class _Columns:
    """What is gathered row by row."""

    ids: list[str | None] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    context: list[int] = field(default_factory=list)
    answers: list[tuple[tuple[str, int], ...]] = field(default_factory=list)
    unsure: list[bool] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    parts: list[str | None] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unsaid: int = 0


def checked(
    rows: Iterable[QuestionRow], *, name: str, notes: Sequence[str] = (), findings: Sequence[Finding] = ()
) -> Examples:
    """The questions that can be used, each context once; every other row is listed with its reason.

    An answer that is not where its offset says is moved where the text has it once. Without offsets, of several places
    the first is taken and the question is marked as unsure. Where any row names an official part, each has to.

    Args:
        rows: in the order of the data.
        findings: what reading finds; looked at when all rows are read.

    Raises:
        DataError: no question can be used.
    """
    columns = _Columns()
    contexts: dict[tuple[str, str | None], int] = {}
    seen: dict[tuple[str | None, str], str] = {}
    for row in rows:
        complaint = _complaint(row, seen)
        if complaint is not None:
            columns.findings.append(complaint)
            continue
        context, title = str(row.context), row.title if row.title and row.title.strip() else None
        placed = _placed(row, context, columns.findings)
        if placed is None:
            continue
        if row.id:
            seen[part_named(row.part), row.id] = row.where
        columns.ids.append(row.id)
        columns.questions.append(str(row.question))
        columns.context.append(contexts.setdefault((context, title), len(contexts)))
        columns.answers.append(placed[0])
        columns.unsure.append(placed[1])
        columns.unsaid += row.unsaid
        columns.where.append(row.where)
        columns.parts.append(row.part)
    return _examples(columns, contexts, name=name, notes=notes, findings=findings)


def _examples(
    columns: _Columns,
    contexts: dict[tuple[str, str | None], int],
    *,
    name: str,
    notes: Sequence[str],
    findings: Sequence[Finding],
) -> Examples:
    """What was gathered, each context once; raises DataError where that is nothing."""
    found = (*findings, *columns.findings)
    if not columns.ids:
        reasons = "; ".join(f"{f.where}: {f.reason}" for f in found[:3])
        raise DataError(
            f"no usable question. {f'Left out: {reasons}' if reasons else ''}".strip(),
            where=name,
            fix="each row needs a context, a question and an answer that stands in the context",
        )
    passages = Passages(
        ids=_ids(columns),
        questions=columns.questions,
        context=np.array(columns.context, dtype=np.int64),
        contexts=[context for context, _ in contexts],
        documents=[context if title is None else title for context, title in contexts],
    )
    whole = Examples(
        kind="passage",
        name=name,
        inputs=passages,
        targets=columns.answers,
        where=columns.where,
        guessed=np.array(columns.unsure, dtype=bool),
        findings=found,
        notes=(*notes, *_unsaid(columns)),
        cautions=_few_answers(columns),
    )
    return in_parts(whole, columns.parts)


def _unsaid(columns: _Columns) -> tuple[str, ...]:
    """A note, where an empty cell was taken for an answer."""
    n, what = columns.unsaid, "empty answers are taken to say that the text has none"
    also = "a column is_impossible, true or false, tells them from those that nobody has answered yet"
    return (f"{n:,} of {len(columns.ids):,} {what}; {also}",) if n else ()


def _few_answers(columns: _Columns) -> tuple[Caution, ...]:
    """That nearly all questions are without an answer."""
    n, without = len(columns.answers), sum(not placed for placed in columns.answers)
    if without < _NEARLY_ALL * n:
        return ()
    what = f"{without:,} of {n:,} questions have no answer: a model that finds none is right on nearly all of them"
    return (Caution("few-answers", f"{what}, so the score says little; leave out those that nobody has answered yet"),)


def _ids(columns: _Columns) -> list[str]:
    """Those that were given; a row without one is called by its place, and by nothing that another row is called."""
    given_ids, made = set(columns.ids), []
    for name, where in zip(columns.ids, columns.where, strict=True):
        own = name or where
        while not name and own in given_ids:
            own += "'"
        made.append(own)
    return made


def _complaint(row: QuestionRow, seen: dict[tuple[str | None, str], str]) -> Finding | None:
    """Why the row is of no use, whatever its answer."""
    first = seen.get((part_named(row.part), row.id)) if row.id else None
    found = {
        "not-answered": row.complaint if row.complaint == NOT_ANSWERED else "",
        "damaged-row": row.complaint,
        "blank-context": "" if row.context and row.context.strip() else "no context",
        "blank-question": "" if row.question and row.question.strip() else "no question",
        "no-answer": "nothing is said about its answer" if row.answers is None else "",
        "duplicate-id": f"id {row.id!r} is {first}'s already" if first else "",
    }
    kind = next((kind for kind, reason in found.items() if reason), None)
    return None if kind is None else Finding(kind, row.where, found[kind], rejected=True)


def _placed(row: QuestionRow, context: str, findings: list[Finding]) -> tuple[tuple[tuple[str, int], ...], bool] | None:
    """Each answer with the place where it stands, and whether a place was guessed; None where one has none."""
    placed: list[tuple[str, int]] = []
    unsure = False
    for text, start in row.answers or ():
        if not text.strip():
            findings.append(Finding("blank-answer", row.where, "an answer without text", rejected=True))
            return None
        if start is not None and start >= 0 and context.startswith(text, start):
            placed.append((text, start))
            continue
        first, times = context.find(text), _times(context, text)
        if first < 0:
            reason = f"the answer {_short(text)} is not in its context"
            findings.append(Finding("answer-outside", row.where, reason, rejected=True))
            return None
        if start is not None and times > 1:
            reason = f"the answer {_short(text)} is not at character {start}, and in the context {times} times"
            findings.append(Finding("wrong-offset", row.where, reason, rejected=True))
            return None
        if start is not None:
            reason = f"the answer {_short(text)} is not at character {start} but at {first}, and taken from there"
            findings.append(Finding("moved-offset", row.where, reason))
        elif times > 1:
            reason = (
                f"the answer {_short(text)} is in the context {times} times: the first counts in the score, none is"
            )
            reason += " learned from; a column answer_start says which is meant"
            findings.append(Finding("unsure-offset", row.where, reason))
            unsure = True
        placed.append((text, first))
    return tuple(placed), unsure


def _times(context: str, text: str) -> int:
    """How often a text stands in another, overlapping places counted ("aa" is in "aaa" twice)."""
    count, at = 0, context.find(text)
    while at >= 0:
        count, at = count + 1, context.find(text, at + 1)
    return count


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
