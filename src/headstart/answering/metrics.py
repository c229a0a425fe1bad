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
from headstart.evaluate.intervals import by_group
from headstart.values import Interval, Questions

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
class Part:
    """Scores of some of the questions."""

    n: int
    exact_match: float
    f1: float


@dataclass(frozen=True)
class WrongAnswer:
    where: str
    kind: str  # a key of `SpanScores.errors`
    question: str
    answered: str
    true: str
    confidence: float


@dataclass(frozen=True)
class SpanScores:
    """How good a reader was on questions that it did not see; shares, not percent."""

    n: int
    documents: int
    exact_match: float
    exact_match_interval: Interval  # 95 %, over documents
    f1: float
    f1_interval: Interval
    answerable: Part | None  # None: there is no such question
    unanswerable: Part | None
    errors: dict[str, int]  # of answers that do not match exactly
    mistakes: tuple[WrongAnswer, ...]  # the most confident of each kind; most confident first


def asked(questions: Questions) -> list[Predicted]:
    """The questions as they are scored, row by row; nothing is answered yet."""
    numbers = {name: i for i, name in enumerate(dict.fromkeys(questions.documents))}
    return [
        Predicted(
            text="",
            start=0,
            confidence=0.0,
            context=questions.contexts[context],
            question=question,
            where=where,
            group=numbers[questions.documents[context]],
        )
        for question, where, context in zip(
            questions.questions, questions.where, questions.context.tolist(), strict=True
        )
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


def score(predicted: Sequence[Predicted], answers: Sequence[Answers]) -> SpanScores:
    """Scores of predictions, row by row with the true answers.

    Raises:
        ValueError: no prediction, or another number of answers.
    """
    if len(predicted) == 0 or len(predicted) != len(answers):
        raise ValueError(f"{len(predicted)} predictions and {len(answers)} true answers")
    texts = [[text for text, _ in some] for some in answers]
    exact = np.array([exact_match(p.text, t) for p, t in zip(predicted, texts, strict=True)])
    overlap = np.array([f1(p.text, t) for p, t in zip(predicted, texts, strict=True)])
    groups = np.array([p.group for p in predicted])
    has = np.array([bool(some) for some in answers])
    wrong = [
        WrongAnswer(p.where, _kind(p, some), p.question, p.text, some[0][0] if some else "", p.confidence)
        for p, some, right in zip(predicted, answers, exact, strict=True)
        if not right
    ]
    return SpanScores(
        n=len(predicted),
        documents=len(np.unique(groups)),
        exact_match=float(exact.mean()),
        exact_match_interval=by_group(exact, groups),
        f1=float(overlap.mean()),
        f1_interval=by_group(overlap, groups),
        answerable=_part(exact, overlap, has),
        unanswerable=_part(exact, overlap, ~has),
        errors=dict(Counter(w.kind for w in wrong).most_common()),
        mistakes=tuple(_most_confident(wrong)),
    )


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


def as_json(scores: SpanScores) -> dict[str, Any]:
    """Scores as plain Python values, figures rounded to 6 digits."""

    def part(some: Part | None) -> dict[str, Any] | None:
        return (
            None if some is None else {"n": some.n, "exact_match": round(some.exact_match, 6), "f1": round(some.f1, 6)}
        )

    def ends(interval: Interval) -> list[float]:
        return [round(interval.low, 6), round(interval.high, 6)]

    return {
        "exact_match": round(scores.exact_match, 6),
        "exact_match_interval": ends(scores.exact_match_interval),
        "f1": round(scores.f1, 6),
        "f1_interval": ends(scores.f1_interval),
        "n_test": scores.n,
        "documents": scores.documents,
        "answerable": part(scores.answerable),
        "unanswerable": part(scores.unanswerable),
        "errors": scores.errors,
        "mistakes": [{**vars(w), "confidence": round(w.confidence, 6)} for w in scores.mistakes],
    }


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


def _most_confident(wrong: Sequence[WrongAnswer]) -> Iterator[WrongAnswer]:
    """The first of each kind: where one kind is frequent and sure of itself, the others are still to be seen."""
    kept: Counter[str] = Counter()
    for mistake in sorted(wrong, key=lambda w: (-w.confidence, w.where)):
        kept[mistake.kind] += 1
        if kept[mistake.kind] <= MOST_OF_A_KIND:
            yield mistake


def _part(exact: np.ndarray, overlap: np.ndarray, which: np.ndarray) -> Part | None:
    if not which.any():
        return None
    return Part(int(which.sum()), float(exact[which].mean()), float(overlap[which].mean()))
