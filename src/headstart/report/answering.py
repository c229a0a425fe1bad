"""How answering is told on the page: how often answers are right, next to what needs no model, and where not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headstart.report.document import Section
from headstart.report.gallery import NO_EXAMPLES, Gallery
from headstart.report.general import others, unseen
from headstart.report.html import bar, calm, percent, table, text
from headstart.report.page import MISTAKES, folded, hero, no_mistakes, strip
from headstart.report.verdict import Verdict, cautions, judged
from headstart.task import Scores
from headstart.values import Caution, Interval

if TYPE_CHECKING:
    from headstart.record import Record

_LONGEST = 300  # characters of a question or an answer that are shown
_FIRST = 4  # mistakes of a kind that are in sight
MEANING = {
    "boundary": "It overlaps a true answer, but begins or ends elsewhere; often still of use.",
    "right sentence": "Another piece of the sentence that the true answer is in.",
    "wrong sentence": "A piece of another sentence.",
    "no answer given": "It said that the text has no answer; the text has one.",
    "answered without one": "It gave a piece of the text; the text has no answer.",
}
_ELSEWHERE = ("wrong sentence", "no answer given", "answered without one")


def facts(record: Record) -> list[tuple[str, str]]:
    """How a model was made, as far as it is told only of one that answers questions."""
    f, threshold = record.facts, record.facts["threshold"]
    why = "on training questions that made no answer better"
    never = f"never: {why if f.get('unanswerable_train') else 'every training question has an answer'}"
    return [
        ("Temperature", f"{f['temperature']:.3f}"),
        ("Training documents", f"{f['documents_train']:,}"),
        ("Longest answer", f"{f['longest']} tokens"),
        ("No answer is given", never if threshold is None else f"when it is ahead by {threshold:.2f} nats"),
    ]


def verdict(scores: Scores) -> Verdict:
    """Whether the model beats what needs none."""
    name, _, f1 = to_beat(scores)
    return judged(scores.f1_interval, f1, name, more="documents with questions")


def cautions_of(scores: Scores) -> list[Caution]:
    """What a reader of the scores has to know; nothing where there is no baseline to compare with."""
    return cautions(verdict(scores)) if "baseline" in scores.details else []


def to_beat(scores: Scores) -> tuple[str, float, float]:
    """Which way of answering without a model has the greater F1: its name, exact match and F1."""
    share = never_answering(scores)
    if share is not None and share > scores.baseline["f1"]:
        return "always saying that there is no answer", share, share
    return "always taking the sentence most like the question", scores.baseline["exact_match"], scores.baseline["f1"]


def never_answering(scores: Scores) -> float | None:
    """Exact match, and F1, of always saying that there is no answer; None: every question has one."""
    return None if scores.unanswerable is None else scores.unanswerable["n"] / scores.n


def over(scores: Scores) -> str:
    """What the intervals are over."""
    return f"{scores.documents:,} documents" if scores.documents > 1 else "questions about one document"


def sections(record: Record, gallery: Gallery = NO_EXAMPLES) -> Iterator[Section]:
    """The scores first, then the most confident mistakes by kind, and questions with and without an answer."""
    scores = record.scores
    yield _headline(record)
    yield _errors(scores, gallery)
    yield _mistakes(scores)
    if scores.answerable and scores.unanswerable:
        yield _with_and_without(scores.answerable, scores.unanswerable)
    yield others(record, beside=("exact_match", "f1"), baseline=list(_tiles(scores)))


def _headline(record: Record) -> Section:
    scores = record.scores
    name, exact_match, f1 = to_beat(scores)
    than = "always “no answer”" if "no answer" in name else "most similar sentence"

    def figure(title: str, share: float, interval: Interval, beat: float, meaning: str) -> tuple[str, float, str, str]:
        ends = f"<strong>{percent(interval.low)}</strong> to <strong>{percent(interval.high)}</strong>"
        measured = f"{meaning} 95 % interval {ends} over {over(scores)}."
        return title, share, measured, strip(title, share, interval, than=than, than_share=beat)

    return hero(
        [
            figure(
                "Exact match",
                scores.exact_match,
                scores.exact_match_interval,
                exact_match,
                f"Answers that read like a true one, on {unseen(record, 'questions')}.",
            ),
            figure("F1", scores.f1, scores.f1_interval, f1, "Words that the answer and a true one have in common."),
        ],
        verdict(scores).text,
    )


def _tiles(scores: Scores) -> Iterator[tuple[str, str, str]]:
    low, high = map(percent, scores.baseline["f1_interval"])
    yield (
        "Most similar sentence",
        percent(scores.baseline["f1"]),
        f"F1 of answering with it (TF-IDF); interval {low} to {high}",
    )
    share = never_answering(scores)
    if share is not None:
        yield "Never answering", percent(share), "exact match and F1 of always saying “no answer”"
    elsewhere = sum(scores.errors.get(kind, 0) for kind in _ELSEWHERE)
    yield "At the right place", percent(1 - elsewhere / scores.n), "exact, or in the sentence of a true answer"
    yield "Questions", f"{scores.n:,}", f"about {scores.documents:,} document{'s' if scores.documents > 1 else ''}"


def _with_and_without(answerable: Mapping[str, Any], unanswerable: Mapping[str, Any]) -> Section:
    rows = (
        f'<th scope="row">{name}</th><td class="n">{part["n"]:,}</td>'
        f"<td>{bar(part['exact_match'])}</td><td>{bar(part['f1'])}</td>"
        for name, part in (("With an answer", answerable), ("Without", unanswerable))
    )
    return Section(
        "Questions with and without an answer",
        table(("Questions", "Number", "Exact match", "F1"), rows, label="Parts", numbers=(1,)),
        "Where the text has no answer, saying so is right, and any piece of the text is wrong.",
    )


def _errors(scores: Scores, gallery: Gallery) -> Section:
    if not scores.errors:
        return Section("Kinds of mistakes", calm("Every answer matches exactly."))
    rows = (
        f'<th scope="row" class="kind">{text(kind.capitalize())}<p class="small">{text(MEANING.get(kind, ""))}</p></th>'
        f'<td class="n">{gallery.opener(f"kind-{kind}", f"{n:,}", of=kind)}</td>'
        f'<td class="nowrap">{bar(n / scores.n)}</td>'
        for kind, n in scores.errors.items()
    )
    return Section(
        "Kinds of mistakes",
        table(("Kind", "Number", "Share"), rows, label="Kinds of mistakes", numbers=(1,)),
        "Answers that do not match a true one exactly (capitals, punctuation and articles do not count), with their "
        "share of all questions.",
    )


def _mistakes(scores: Scores) -> Section:
    """By kind, the most frequent one first."""
    if not scores.details["mistakes"]:
        return no_mistakes()
    note = "Worth a look: some may be right in other words, and some true answers may be wrong."
    kinds = (
        (kind, n, [mistake for mistake in scores.details["mistakes"] if mistake["kind"] == kind])
        for kind, n in scores.errors.items()
    )
    body = "".join(
        f'<h3>{text(kind.capitalize())} <span class="small">{_of(len(some), n)}</span></h3>'
        f"{folded(some, _list, first=_FIRST)}"
        for kind, n, some in kinds
    )
    return Section(MISTAKES, body, note)


def _of(shown: int, n: int) -> str:
    return f"the {shown} most confident of {n:,}" if shown < n else f"all {n:,}" if n > 1 else "the only one"


def _list(some: Sequence[Mapping[str, Any]]) -> str:
    items = (
        f'<li><p class="asked">{_shown(m["question"])}</p><dl>'
        f"<dt>Answered</dt><dd>{_shown(m['answered']) or '<i>no answer</i>'}</dd>"
        f"<dt>True</dt><dd>{_shown(m['true']) or '<i>no answer in the text</i>'}</dd></dl>"
        f'<p class="small">confidence {percent(m["confidence"])} · '
        f'<span class="place">{text(m["where"])}</span></p></li>'
        for m in some
    )
    return f'<ol class="wrong">{"".join(items)}</ol>'


def _shown(words: str) -> str:
    words = words.strip()
    return text(words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…")
