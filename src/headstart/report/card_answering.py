"""The model card of a model that finds answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from headstart.answering.settings import Settings
from headstart.backbone import Backbone
from headstart.pretrained.plain_code import plain_reader_code
from headstart.report import general
from headstart.report.answering import MEANING, facts, never_answering, verdict
from headstart.report.card import CardWords, card
from headstart.report.html import percent
from headstart.report.markdown import plain, python, quoted
from headstart.task import Scores
from headstart.values import Interval

if TYPE_CHECKING:
    from headstart.record import Record


def answering_card(record: Record, backbone: Backbone, head: Settings, folder: str) -> str:
    """The card as text; folder: the name of the saved folder, for the snippets."""
    code = plain_reader_code(backbone, folder, longest=head.longest, threshold=head.threshold)
    more = [f"{plain(name)}: {plain(value)}" for name, value in facts(record)[1:]]
    words = CardWords(
        about="Finds the answer to a question in a text",
        use="Finding the place in a text that answers a question, in texts of the kind it was trained on.\n"
        "It points at a piece of the text, word by word, and makes nothing up; the piece may be the wrong one.",
        limits=list(_limits(record.scores)),
        results=_results(record),
        things="questions",
        more=[*more, f"temperature of the confidence {head.temperature:.3f}"],
        pipeline="question-answering",
        loading=[*_loading(folder, head.longest), "Without headstart:", python(code)],
    )
    return card(record, backbone, folder, words)


def _results(record: Record) -> list[str]:
    scores = record.scores
    rows = [
        _row("model", scores.exact_match, scores.exact_match_interval, scores.f1, scores.f1_interval),
        _baseline_row(scores.baseline),
    ]
    share = never_answering(scores)
    if share is not None:
        rows.append(f"| always saying “no answer” | {percent(share)} | {percent(share)} |")
    for name, part in (("model, questions with an answer", scores.answerable), ("model, without", scores.unanswerable)):
        if part is not None and part["n"] < scores.n:
            rows.append(f"| {name} ({part['n']:,}) | {percent(part['exact_match'])} | {percent(part['f1'])} |")
    lines = [
        f"They are about {scores.documents:,} document{'s' if scores.documents > 1 else ''}, which the intervals are "
        f"over; answers are compared by the rules of SQuAD. {verdict(scores).text}",
        "",
        "| answers | exact match (95 % interval) | F1 (95 % interval) |",
        "|---|---|---|",
        *rows,
        *general.rows(record, beside=("exact_match", "f1")),
    ]
    if scores.errors:
        lines += ["", "| not exact | questions | the answer |", "|---|---:|---|"]
        lines += [f"| {kind} | {n:,} | {MEANING[kind]} |" for kind, n in scores.errors.items()]
    return lines


def _row(name: str, exact: float, exact_interval: Interval, f1: float, f1_interval: Interval) -> str:
    def figure(share: float, interval: Interval) -> str:
        return f"{percent(share)} ({percent(interval.low)} to {percent(interval.high)})"

    return f"| {name} | {figure(exact, exact_interval)} | {figure(f1, f1_interval)} |"


def _baseline_row(baseline: Mapping[str, Any]) -> str:
    exact, f1 = (Interval(*baseline[f"{key}_interval"]) for key in ("exact_match", "f1"))
    return _row("most similar sentence (TF-IDF)", baseline["exact_match"], exact, baseline["f1"], f1)


def _limits(scores: Scores) -> Iterator[str]:
    if scores.unanswerable:
        yield "Where the text does not answer it says so; how often it is right in that, the table above shows."
    else:
        yield "Each question that it was measured on has an answer in its text: to others it may answer all the same."
    yield "Whether the text is true it does not know: show the sentence around an answer."


def _loading(folder: str, longest: int) -> list[str]:
    ours = f"""import headstart as hs

model = hs.load({quoted(folder)})
print(model.answer("a question", "a text of any length that may answer it")[0])"""
    theirs = f"""from transformers import pipeline

reader = pipeline("question-answering", model={quoted(folder)})
print(reader(question="a question", context="a text that may answer it", max_answer_len={longest}))"""
    return [python(ours), "With transformers before 5.3 its own pipeline opens it too:", python(theirs)]
