"""Question answering: the answer to a question is a piece of a text, or the text has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart.answering.answerer import Answer, Answerer, predicted
from headstart.answering.baseline import by_sentence
from headstart.answering.lesson import answering_lesson
from headstart.answering.metrics import METRICS, score
from headstart.answering.settings import Settings
from headstart.backbone import Backbone
from headstart.data.questions.read import has_questions, read_questions
from headstart.errors import DataError, ModelError
from headstart.inputs.modality import Modality
from headstart.pretrained.description import FILE, saved_reader
from headstart.pretrained.heads import own_head
from headstart.pretrained.load import load_reader
from headstart.pretrained.schema import COUNT, NAME, listing, mapping, maybe, number, record
from headstart.pretrained.write import write_encoder
from headstart.report import terminal
from headstart.report.answering import cautions_of, facts, sections
from headstart.report.card_answering import answering_card
from headstart.task import Form, Keeper, Learner, Scorer, Scores, Task, Words
from headstart.tasks import curves
from headstart.tasks.certainty import OF_ANSWERS
from headstart.tasks.modalities import PASSAGE
from headstart.values import Dataset, Examples, Finding, Passages

_FACTS = record(
    {"documents_train": COUNT, "temperature": number(above=0), "threshold": maybe(number()), "longest": COUNT},
    {"unanswerable_train": COUNT},
)
_PART = maybe(record({"n": COUNT, "exact_match": number(), "f1": number()}))
_WORDS = ("where", "kind", "question", "answered", "true")
_MISTAKE = record({**dict.fromkeys(_WORDS, NAME), "confidence": number()})
_ENDS = listing(number(), least=2, most=2)
_BASELINE = record({"exact_match": number(), "f1": number(), "f1_interval": _ENDS}, {"exact_match_interval": _ENDS})
_DETAILS = record(
    {
        "documents": COUNT,
        "answerable": _PART,
        "unanswerable": _PART,
        "errors": mapping(COUNT, most=100),
        "mistakes": listing(_MISTAKE, most=1_000_000),
        "baseline": _BASELINE,
    },
    curves.RISK_COVERAGE,  # which folders from before have not
)
_SHOWN = 60  # characters of a text that has no title


def _load(name: str, *, kind: str, progress: Any = None) -> Backbone:
    return load_reader(name, new_head=True, progress=progress)


def _parse(examples: Examples) -> tuple[list[Any], tuple[str, ...]]:
    return list(examples.targets), ()


def _refuse(dataset: Dataset, seen: str) -> None:
    if not any(dataset.targets):
        what = f"none of the {len(dataset):,} questions has an answer, so there is nothing to learn.{seen}"
        fix = "give the answers, as they stand in the texts; leave questions out that nobody has answered yet"
        raise DataError(what, where=dataset.name, fix=fix)


def _refuse_parts(dataset: Dataset, train: np.ndarray, test: np.ndarray) -> None:
    if not any(dataset.targets[row] for row in np.flatnonzero(train).tolist()):
        what = "no question of the training part has an answer, so there is nothing to learn"
        raise DataError(what, where=dataset.name, fix="give its answers, as they stand in the texts")


def _score(
    head: Settings,
    answers: Sequence[Answer],
    dataset: Dataset,
    rows: np.ndarray,
    reference: Mapping[str, Any] | None,
) -> Scores:
    part = dataset.take(rows)
    passages = part.passages
    baseline = by_sentence(passages, part.where) if (reference or {}).get("sentences") else None
    metrics = dataset.task.scorer.metrics
    return score(predicted(answers, passages, part.where), part.targets, baseline=baseline, metrics=metrics)


def _remarks(answerer: Answerer, dataset: Dataset) -> list[Finding]:
    return answerer.too_long(dataset)


def _predictions(
    head: Settings, answers: Sequence[Answer], names: Sequence[str], errors: Mapping[int, str], top: int
) -> list[Answer]:
    return [replace(answer, input=name) for answer, name in zip(answers, names, strict=True)]


def row(answer: Answer) -> dict[str, Any]:
    """An answer as JSON."""
    result: dict[str, Any] = {"input": answer.input} if answer.input else {}
    result |= {"answer": answer.text, "confidence": round(answer.confidence, 6)}
    if answer.text:
        result |= {"context": answer.context, "start": answer.start, "end": answer.end}
        result |= {"sentence": answer.sentence, "offset": answer.offset}
    return result


def _facts(head: Settings, dataset: Dataset, rows: np.ndarray) -> dict[str, Any]:
    passages = dataset.passages
    documents = {passages.documents[context] for context in passages.context[rows].tolist()}
    without = sum(not dataset.targets[row] for row in rows.tolist())
    return {"documents_train": len(documents), "unanswerable_train": without, **asdict(head)}


def _write(backbone: Backbone, head: Settings, folder: Path) -> dict[str, Any]:
    write_encoder(backbone, folder)
    return {"reader": asdict(head)}


def _checked(written: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What headstart.json says; people write one by hand too, with nothing but settings, beside a model of the hub."""
    saved = saved_reader(written, folder)
    if "task" in written and "reader" not in saved:  # headstart wrote it
        raise ModelError("damaged: reader is missing", where=str(folder / FILE), fix="save or copy it again")
    if "backbone" not in saved or "reader" not in saved:
        saved.pop("backbone", None)
    return saved


def _opened(folder: Path, saved: Mapping[str, Any], backbone: Backbone, modality: Modality) -> Settings:
    if not own_head(backbone.config).finds_answers:
        raise ModelError("damaged: its backbone finds no answers", where=str(folder / FILE))
    return Settings(**saved.get("reader", {}))


def _split_columns(dataset: Dataset, part: Sequence[str]) -> tuple[Sequence[str], Sequence[Any]]:
    passages = dataset.passages
    names = _document_names(passages)
    documents = [names[context] for context in passages.context.tolist()]
    return ("question", "id", "part", "document"), (dataset.where, passages.ids, part, documents)


def _document_names(passages: Passages) -> list[str]:
    """Of each context. One without a title would stand whole beside each of its questions: it gets a short name."""
    pairs = zip(passages.contexts, passages.documents, strict=True)
    return [
        f"text {number}: {' '.join(text[:_SHOWN].split())}" if document == text else document
        for number, (text, document) in enumerate(pairs, start=1)
    ]


ANSWERING = Task(
    name="answering",
    modalities={"passage": PASSAGE},
    titles={"passage": "question-answering"},
    form=Form(
        claims=has_questions,
        read=read_questions,
        no_columns="not for questions",
        instead="leave it out: context, question and answer are found by name",
    ),
    fits=lambda examples: False,
    parse=_parse,
    complaint=lambda answers: None,  # rows without any were left out when they were read
    refuse=_refuse,
    refuse_parts=_refuse_parts,
    conflict=lambda mine, other: False,  # people answer one question in more ways than one
    encode=lambda targets, space: np.zeros(len(targets), dtype=np.int64),
    strata=lambda y: y,
    unsplit=(
        "all questions are about one document, so nothing can be tested on another",
        "add questions about another document, or a column title that tells documents apart",
    ),
    learner=Learner(load=_load, encodes=False, family=None, judge=None, judge_constant=None, lesson=answering_lesson),
    scorer=Scorer(
        metrics=METRICS,
        details=_DETAILS,
        mistake=_MISTAKE,
        headlines=2,
        reference=lambda targets: {"sentences": True},
        score=_score,
        remarks=_remarks,
        cautions=cautions_of,
    ),
    words=Words(
        predictions=_predictions,
        row=row,
        line=terminal.answer_line,
        facts=_facts,
        facts_saved=_FACTS,
        fitted=terminal.fit_answering,
        scored=terminal.answer_scores,
        sections=sections,
        asking='answer {} "..." --context ...',
        target=lambda answers: answers[0][0] if answers else "no answer",
        how_made=facts,
        card=answering_card,
        before="Before training",
        right="Exactly right",
    ),
    keeper=Keeper(
        claims=lambda written: "reader" in written,
        checked=_checked,
        as_it_is=lambda name: (load_reader(name), Settings()),
        write=_write,
        opened=_opened,
        same=lambda one, other: bool(one == other),
        equal=lambda one, other: bool(one == other),
        split_columns=_split_columns,
    ),
    predictor=Answerer,
    certainty=OF_ANSWERS,
    probabilities=None,
)
