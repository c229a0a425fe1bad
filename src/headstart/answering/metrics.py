"""How good answers are: exact match and F1 by SQuAD's rules, with what kind of mistakes there are.

Source: Rajpurkar et al. 2016 (exact match, F1, the greatest over the answers); Rajpurkar et al. 2018 (questions
without answer, the threshold).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headstart.answering.sentences import sentence
from headstart.evaluate.curves import risk_coverage
from headstart.evaluate.exhibits import Exhibit, Judged
from headstart.evaluate.intervals import by_group
from headstart.task import Metric, Scores
from headstart.values import Passages

MOST_OF_A_KIND = 10  # mistakes that are kept
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

Answers = tuple[tuple[str, int], ...]  # (text, first character); (): there is none


@dataclass(frozen=True)
class Predicted:
    """The answer to one question, with what its context was."""

    text: str  # "": no answer
    start: int  # its first character
    confidence: float
    context: str
    question: str = ""
    where: str = ""
    group: int = 0  # the document's number


@dataclass(frozen=True)
class Answered:
    """Answers beside the true ones, as shares: what the metrics are computed from."""

    exact: np.ndarray  # (n,) 0 or 1
    overlap: np.ndarray  # (n,) F1 of words
    groups: np.ndarray  # (n,) the document's number


METRICS = (
    Metric(
        "exact_match",
        "Exact match",
        "answers that read like a true one",
        lambda a: float(a.exact.mean()),
        lambda a: by_group(a.exact, a.groups),
    ),
    Metric(
        "f1",
        "F1",
        "words that the answer and a true one have in common",
        lambda a: float(a.overlap.mean()),
        lambda a: by_group(a.overlap, a.groups),
    ),
)


def asked(passages: Passages, where: Sequence[str]) -> list[Predicted]:
    """The questions as they are scored, row by row; nothing is answered yet."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(passages.documents))}
    return [
        Predicted(
            text="",
            start=0,
            confidence=0.0,
            context=passages.contexts[context],
            question=question,
            where=place,
            group=numbers[passages.documents[context]],
        )
        for question, place, context in zip(passages.questions, where, passages.context.tolist(), strict=True)
    ]


def plain(text: str) -> str:
    """Lower case, without punctuation, articles and more than one space: what SQuAD compares."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(predicted: str, answers: Sequence[str]) -> float:
    """1 where the prediction reads like one of the answers; without answers, where nothing is predicted."""
    return float(any(plain(predicted) == plain(answer) for answer in _counted(answers)))


def f1(predicted: str, answers: Sequence[str]) -> float:
    """The greatest share of common words (harmonic mean of precision and recall) with one of the answers."""
    return max(_overlap(plain(predicted).split(), plain(answer).split()) for answer in _counted(answers))


def score(
    predicted: Sequence[Predicted],
    answers: Sequence[Answers],
    *,
    baseline: Sequence[Predicted] | None = None,
    metrics: Sequence[Metric] = METRICS,
) -> Scores:
    """Scores of predictions, row by row with the true answers; the intervals are over documents.

    Args:
        baseline: the same questions answered without a model. metrics: what is measured.

    Raises:
        ValueError: no prediction, or another number of answers.
    """
    if len(predicted) == 0 or len(predicted) != len(answers):
        raise ValueError(f"{len(predicted)} predictions and {len(answers)} true answers")
    answered = _answered(predicted, answers)
    has = np.array([bool(some) for some in answers])
    rows = np.flatnonzero(answered.exact == 0).tolist()
    wrong = [
        {
            "where": p.where,
            "kind": _kind(p, some),
            "question": p.question,
            "answered": p.text,
            "true": some[0][0] if some else "",
            "confidence": round(p.confidence, 6),
        }
        for p, some in ((predicted[row], answers[row]) for row in rows)
    ]
    mistakes = [wrong[place] for place in _most_confident(wrong)]
    beside = {} if baseline is None else {"baseline": _baseline(_answered(baseline, answers))}
    return Scores.measured(
        answered,
        metrics,
        n=len(predicted),
        details={
            "documents": len(np.unique(answered.groups)),
            "answerable": _part(answered, has),
            "unanswerable": _part(answered, ~has),
            "errors": dict(Counter(w["kind"] for w in wrong).most_common()),
            "mistakes": mistakes,
            "risk_coverage": risk_coverage(np.array([p.confidence for p in predicted]), answered.exact > 0),
            **beside,
        },
        exhibits=tuple(_exhibits(wrong, rows)),
    )


def _answered(predicted: Sequence[Predicted], answers: Sequence[Answers]) -> Answered:
    texts = [[text for text, _ in some] for some in answers]
    return Answered(
        exact=np.array([exact_match(p.text, t) for p, t in zip(predicted, texts, strict=True)]),
        overlap=np.array([f1(p.text, t) for p, t in zip(predicted, texts, strict=True)]),
        groups=np.array([p.group for p in predicted]),
    )


def _baseline(answered: Answered) -> dict[str, Any]:
    found: dict[str, Any] = {metric.key: round(metric.compute(answered), 6) for metric in METRICS}
    for metric in METRICS:
        if metric.interval:
            ends = metric.interval(answered)
            found[f"{metric.key}_interval"] = [round(ends.low, 6), round(ends.high, 6)]
    return found


def best_threshold(lead: np.ndarray, with_answer: np.ndarray, without: np.ndarray) -> float | None:
    """How far no answer may lie ahead of the best answer (in log probability) before it is given: the best score.

    Args:
        lead: (n,) log probability of no answer minus that of the best answer.
        with_answer: (n,) score (exact match or F1) of the best answer. without: (n,) score of giving none.

    Returns:
        Give no answer where lead > threshold. None: never give none (no question is better off without).
    """
    order = np.argsort(lead, kind="stable")
    sure = lead[order]
    answered = np.concatenate([[0.0], np.cumsum(with_answer[order])])  # of the first i, if they are answered
    refused = np.concatenate([np.cumsum(without[order][::-1])[::-1], [0.0]])  # of the others, if they are not
    cuts = np.flatnonzero(np.concatenate([[True], sure[1:] > sure[:-1], [True]]))  # equal leads are judged alike
    total = (answered + refused)[cuts]
    best = int(cuts[::-1][np.argmax(total[::-1])])  # of equals, the one that answers most
    if best == len(sure):
        return None
    return float(sure[0] - 1.0 if best == 0 else (sure[best - 1] + sure[best]) / 2)


def _counted(answers: Sequence[str]) -> Sequence[str]:
    """Answers that say something ("the" does not); none of them: the right answer is none."""
    return [answer for answer in answers if plain(answer)] or [""]


def _overlap(predicted: list[str], true: list[str]) -> float:
    if not predicted or not true:
        return float(predicted == true)
    common = sum((Counter(predicted) & Counter(true)).values())
    return 2 * common / (len(predicted) + len(true))  # = 2 p r / (p + r), p = common / predicted, r = common / true


def _kind(predicted: Predicted, answers: Answers) -> str:
    """What is wrong with an answer that does not match."""
    if not answers:
        return "answered without one"
    if not predicted.text:
        return "no answer given"
    start, stop = predicted.start, predicted.start + len(predicted.text)
    if any(start < at + len(text) and at < stop for text, at in answers):
        return "boundary"
    first, last = sentence(predicted.context, start, stop)
    if any(first <= at and at + len(text) <= last for text, at in answers):
        return "right sentence"
    return "wrong sentence"


def _most_confident(wrong: Sequence[dict[str, Any]]) -> Iterator[int]:
    """The first of each kind: where one kind is frequent and sure of itself, the others are still to be seen."""
    kept: Counter[str] = Counter()
    for place in sorted(range(len(wrong)), key=lambda i: (-wrong[i]["confidence"], wrong[i]["where"])):
        kept[wrong[place]["kind"]] += 1
        if kept[wrong[place]["kind"]] <= MOST_OF_A_KIND:
            yield place


def _exhibits(wrong: Sequence[dict[str, Any]], rows: Sequence[int]) -> Iterator[Exhibit]:
    """The mistakes that are kept, by kind, the most frequent one first."""
    places = list(_most_confident(wrong))
    for kind, n in Counter(w["kind"] for w in wrong).most_common():
        found = (
            Judged(
                rows[i], wrong[i]["true"] or "no answer", wrong[i]["answered"] or "no answer", wrong[i]["confidence"]
            )
            for i in places
            if wrong[i]["kind"] == kind
        )
        yield Exhibit(f"kind-{kind}", kind.capitalize(), tuple(found), n)


def _part(answered: Answered, which: np.ndarray) -> dict[str, Any] | None:
    """Scores of some of the questions; None: there is no such question."""
    if not which.any():
        return None
    exact, overlap = float(answered.exact[which].mean()), float(answered.overlap[which].mean())
    return {"n": int(which.sum()), "exact_match": round(exact, 6), "f1": round(overlap, 6)}
