"""The model card of a reader: README.md of the saved folder."""

from __future__ import annotations

from headstart.answering.metrics import SpanScores
from headstart.report.answering import MEANING, never_answering, verdict
from headstart.report.html import percent
from headstart.report.markdown import data, front, plain, quoted, whole
from headstart.report.provenance import Provenance
from headstart.values import Interval


def card(
    scores: SpanScores,
    provenance: Provenance,
    *,
    baseline: SpanScores,
    licence: str,
    folder: str,
    longest: int,
    base_model: str | None = None,
    plain_code: str | None = None,
) -> str:
    """The card as text, to be written as UTF-8. No question and no file name of the user's is in it, only counts.

    Args:
        scores: of the test part. baseline: of the sentence most like each question.
        provenance: how the model came about.
        licence: of the pre-trained weights, for the adapted model inherits it.
        folder: name of the saved folder, for the snippets.
        longest: tokens of an answer, at most.
        base_model: the pre-trained model's name on the Hub; None: provenance.model, where that could be one.
        plain_code: Python that finds an answer without headstart.
    """
    more = [f"{plain(name)}: {plain(value)}" for name, value in provenance.facts]
    parts = [
        front(
            provenance,
            task="question-answering",
            metrics=("exact_match", "f1"),
            licence=licence,
            base=base_model,
        ),
        f"# {plain(provenance.title)}",
        f"Finds the answer to a question in a text: {plain(provenance.model)}, adapted by {plain(provenance.how)} "
        f"with headstart on {plain(provenance.date)}.",
        _results(scores, baseline),
        _use(scores),
        data(
            provenance, things="questions", more=[*more, f"temperature of the confidence {provenance.temperature:.3f}"]
        ),
        _load(folder, longest),
    ]
    return whole(parts, plain_code)


def _results(scores: SpanScores, baseline: SpanScores) -> str:
    rows = [
        _row("model", scores),
        _row("most similar sentence (TF-IDF)", baseline),
    ]
    share = never_answering(scores)
    if share is not None:
        rows.append(f"| always saying “no answer” | {percent(share)} | {percent(share)} |")
    for name, part in (("model, questions with an answer", scores.answerable), ("model, without", scores.unanswerable)):
        if part is not None and part.n < scores.n:
            rows.append(f"| {name} ({part.n:,}) | {percent(part.exact_match)} | {percent(part.f1)} |")
    lines = [
        "## Results",
        "",
        f"Measured on {scores.n:,} questions about {scores.documents:,} documents that took no part in training or in "
        f"any choice, by the rules of SQuAD. {verdict(scores, baseline)}",
        "",
        "| answers | exact match (95 % interval) | F1 (95 % interval) |",
        "|---|---|---|",
        *rows,
    ]
    if scores.errors:
        lines += ["", "| not exact | questions | the answer |", "|---|---:|---|"]
        lines += [f"| {kind} | {n:,} | {MEANING[kind]} |" for kind, n in scores.errors.items()]
    return "\n".join(lines)


def _row(name: str, scores: SpanScores) -> str:
    def figure(share: float, interval: Interval) -> str:
        return f"{percent(share)} ({percent(interval.low)} to {percent(interval.high)})"

    exact, f1 = figure(scores.exact_match, scores.exact_match_interval), figure(scores.f1, scores.f1_interval)
    return f"| {name} | {exact} | {f1} |"


def _use(scores: SpanScores) -> str:
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

reader = hs.load_reader({quoted(folder)})
print(reader.answer("a question", "a text of any length that may answer it")[0])
```

With transformers before 5.3 its own pipeline opens it too:

```python
from transformers import pipeline

reader = pipeline("question-answering", model={quoted(folder)})
print(reader(question="a question", context="a text that may answer it", max_answer_len={longest}))
```"""
