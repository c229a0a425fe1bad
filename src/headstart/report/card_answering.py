"""The model card of a model that finds answers: README.md of the saved folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headstart.answering.settings import Settings
from headstart.backbone import Backbone
from headstart.pretrained.plain_code import plain_reader_code
from headstart.report import general
from headstart.report.answering import MEANING, facts, never_answering, verdict
from headstart.report.html import percent
from headstart.report.markdown import cautions, data, front, plain, quoted, whole
from headstart.task import Scores
from headstart.values import Interval

if TYPE_CHECKING:
    from headstart.record import Record


def card(record: Record, backbone: Backbone, head: Settings, folder: str) -> str:
    """The card as text, to be written as UTF-8. No question and no file name of the user's is in it, only counts.

    Args:
        folder: name of the saved folder, for the snippets.
    """
    more = [f"{plain(name)}: {plain(value)}" for name, value in facts(record)[1:]]
    parts = [
        front(
            record,
            task="question-answering",
            metrics=("exact_match", "f1"),
            licence=backbone.licence,
            base=record.model,
            pipeline="question-answering",
        ),
        f"# {plain(record.data)}",
        f"Finds the answer to a question in a text: {plain(record.model)}, adapted by {plain(record.method)} "
        f"with headstart on {plain(record.date)}.",
        _results(record),
        _use(record.scores),
        data(record, things="questions", more=[*more, f"temperature of the confidence {head.temperature:.3f}"]),
        _load(folder, head.longest),
    ]
    code = plain_reader_code(backbone, folder, longest=head.longest, threshold=head.threshold)
    return whole(parts, code)


def _results(record: Record) -> str:
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
        "## Results",
        "",
        *cautions(record),
        f"Measured on {scores.n:,} questions about {scores.documents:,} documents that took no part in training or in "
        f"any choice, by the rules of SQuAD. {verdict(scores).text}",
        "",
        "| answers | exact match (95 % interval) | F1 (95 % interval) |",
        "|---|---|---|",
        *rows,
        *general.rows(record, beside=("exact_match", "f1")),
    ]
    if scores.errors:
        lines += ["", "| not exact | questions | the answer |", "|---|---:|---|"]
        lines += [f"| {kind} | {n:,} | {MEANING[kind]} |" for kind, n in scores.errors.items()]
    return "\n".join(lines)


def _row(name: str, exact: float, exact_interval: Interval, f1: float, f1_interval: Interval) -> str:
    def figure(share: float, interval: Interval) -> str:
        return f"{percent(share)} ({percent(interval.low)} to {percent(interval.high)})"

    return f"| {name} | {figure(exact, exact_interval)} | {figure(f1, f1_interval)} |"


def _baseline_row(baseline: Mapping[str, Any]) -> str:
    exact, f1 = (Interval(*baseline[f"{key}_interval"]) for key in ("exact_match", "f1"))
    return _row("most similar sentence (TF-IDF)", baseline["exact_match"], exact, baseline["f1"], f1)


def _use(scores: Scores) -> str:
    nothing = (
        "Where the text does not answer it says so; how often it is right in that, the table above shows."
        if scores.unanswerable
        else "Each question that it was measured on has an answer in its text: to others it may answer all the same."
    )
    return f"""## Intended use

Finding the place in a text that answers a question, in texts of the kind it was trained on.
It points at a piece of the text, word by word, and makes nothing up; the piece may be the wrong one. {nothing}
Whether the text is true it does not know. The figures hold for data like the test part; measure again on data of your
own, show the sentence around an answer, and do not let it decide alone where a mistake would harm someone.
What the pre-trained model learned, biases too, is still in it."""


def _load(folder: str, longest: int) -> str:
    return f"""## How to load it

```python
import headstart as hs

model = hs.load({quoted(folder)})
print(model.answer("a question", "a text of any length that may answer it")[0])
```

With transformers before 5.3 its own pipeline opens it too:

```python
from transformers import pipeline

reader = pipeline("question-answering", model={quoted(folder)})
print(reader(question="a question", context="a text that may answer it", max_answer_len={longest}))
```"""
