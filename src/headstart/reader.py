"""A model that finds the answers to questions in the user's own texts: answer, evaluate, load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from headstart.answering.decode import LONGEST, Span
from headstart.answering.find import find_spans, reading_precision
from headstart.answering.metrics import Predicted, SpanScores, asked, best_threshold, exact_match, f1, score
from headstart.answering.sentences import sentence
from headstart.data.questions import read_questions
from headstart.encode.engines import Engine, open_engine
from headstart.errors import DataError, ModelError
from headstart.evaluate.calibration import answer_temperature
from headstart.evaluate.metrics import softmax
from headstart.inputs.windows import Slicer, Window, cut
from headstart.pretrained.description import saved_reader
from headstart.pretrained.load import load_reader as load_backbone
from headstart.pretrained.load import saved_in
from headstart.pretrained.rebuild import reopen
from headstart.progress import Progress, Silent
from headstart.values import Backbone, Finding, Questions, TextPreparation

_LOOKED_AT = 512  # windows, among which some are taken to measure precision on
_WORTH = 0.01  # confidence below which a second answer is not worth reading


@dataclass(frozen=True)
class Answer:
    """A piece of a text that answers the question; or that there is none."""

    text: str  # "": the texts do not answer it
    confidence: float
    context: int = 0  # which of the texts
    start: int = 0  # characters of that text
    end: int = 0
    sentence: str = ""  # what the answer stands in
    offset: int = 0  # where in the sentence it begins

    def marked(self, before: str = "[[", after: str = "]]") -> str:
        """The sentence with the answer in it marked."""
        stop = self.offset + len(self.text)
        return f"{self.sentence[: self.offset]}{before}{self.text}{after}{self.sentence[stop:]}"


@dataclass(frozen=True)
class ReaderEvaluation:
    """Scores on other questions, with what was left out."""

    scores: SpanScores
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What turns a reader's scores into answers; fitted on questions held out, or as a model came."""

    temperature: float = 1.0  # of the confidence
    threshold: float | None = 0.0  # log probability by which "no answer" has to lie ahead to be given; None: never is
    longest: int = LONGEST  # tokens of an answer


class Reader:
    """A reading model with the settings of its answers. Its engine is opened once and kept."""

    def __init__(self, backbone: Backbone, *, settings: Settings | None = None, folder: Path | None = None) -> None:
        if not isinstance(backbone.preparation, TextPreparation):
            raise TypeError("a reader reads texts")
        self.backbone, self.settings, self.folder = backbone, settings or Settings(), folder
        self.summary: dict[str, Any] = {}  # what `fit --json` prints
        self.slicer = Slicer(backbone.preparation)
        self._engines: dict[str, Engine] = {}  # by precision

    def answer(self, question: str, context: str | Sequence[str], *, top: int = 1) -> list[Answer]:
        """The best answers, best first; no two of them overlap.

        Where no answer is the best one, it comes first: an Answer without text.

        Args:
            question: in plain words.
            context: a text of any length, or several.
            top: answers, at most; at least 1.

        Raises:
            DataError: the question or every text is empty, or the question is too long.
        """
        texts = [context] if isinstance(context, str) else list(context)
        self._refuse(question, texts)
        pairs = np.array([(0, i) for i in range(len(texts))], dtype=np.int64)
        found = self.find([question], texts, pairs).get(0, ())
        return self._answers(found, texts, top=top)

    def answer_all(self, questions: Questions, *, advance: Callable[[int], None] = lambda _: None) -> list[Answer]:
        """The best answer to each question, from its own context.

        Args:
            advance: told how many more windows were read.
        """
        found = self.find(questions.questions, questions.contexts, questions.pairs, advance=advance)
        return [self._answers(found.get(row, ()), questions.contexts)[0] for row in range(len(questions))]

    def find(
        self,
        questions: Sequence[str],
        texts: Sequence[str],
        pairs: np.ndarray,
        *,
        advance: Callable[[int], None] = lambda _: None,
    ) -> dict[int, tuple[Span, ...]]:
        """What the model finds, before anything is decided: the best spans of each question, over all its texts.

        Args:
            pairs: (n, 2) int64, rows of `questions` and of `texts`: what is looked for where.
        """
        return self.read(cut(questions, texts, pairs, self.slicer), texts, advance=advance)

    def read(
        self, windows: Iterable[Window], texts: Sequence[str], *, advance: Callable[[int], None] = lambda _: None
    ) -> dict[int, tuple[Span, ...]]:
        """As `find`, of windows that are cut already."""
        windows = iter(windows)
        some = list(islice(windows, _LOOKED_AT))
        if not some:
            return {}
        precision = reading_precision(self.backbone, self.slicer, some)
        try:
            return find_spans(
                chain(some, windows),
                texts,
                self.slicer,
                self._engine(precision),
                exact=None if precision == "f32" else partial(self._engine, "f32"),
                longest=self.settings.longest,
                advance=advance,
            )
        except BaseException:  # what was under way in an engine is lost: the next question needs another
            self._engines.clear()
            raise

    def evaluate(self, data: Any, *, progress: Progress | None = None) -> ReaderEvaluation:
        """Score on questions with answers, by SQuAD's rules; of data with official parts, on the test part.

        Raises:
            DataError: as `data.read_questions`.
        """
        progress = progress or Silent()
        with progress.step("read"):
            questions = read_questions(data)
        findings = (*questions.findings, *self.too_long(questions))
        tested, notes = _test_part(questions)
        with progress.step("answer") as advance:
            answers = self.answer_all(tested, advance=advance)
        scores = score(predicted(answers, tested), tested.answers)
        return ReaderEvaluation(scores, findings, (*questions.notes, *notes))

    def _engine(self, precision: str) -> Engine:
        if precision not in self._engines:
            self._engines[precision] = open_engine(self.backbone, precision)
        return self._engines[precision]

    def _answers(self, found: Sequence[Span], texts: Sequence[str], *, top: int = 1) -> list[Answer]:
        shares = confidences(found, self.settings).tolist()
        ranked = list(zip(found, shares, strict=False))
        none = [Answer("", shares[-1])] if not ranked or shares[-1] >= shares[0] else []
        worth = [pair for pair in ranked if pair[1] >= _WORTH or (not none and pair is ranked[0])]
        answers = [_answer(span, share, texts[span.text]) for span, share in _apart(worth, top)]
        return [*none, *answers][:top]

    def _refuse(self, question: str, texts: Sequence[str]) -> None:
        if not question.strip():
            raise DataError("an empty question", where="question", fix="ask in words: 'Who wrote it?'")
        if all(not text or text.isspace() for text in texts):
            raise DataError("an empty context", where="context", fix="give the text that the answer is looked for in")
        tokens, most = len(self.slicer.tokens([question])[0]), self.slicer.most_question
        if tokens > most:
            raise DataError(
                f"the question has {tokens} tokens, and {most} are the most that leave room for the text",
                where="question",
                fix="ask in fewer words",
            )

    def too_long(self, questions: Questions) -> list[Finding]:
        """Questions that are cut off."""
        most = self.slicer.most_question  # a token has a byte or more of its own, but not always a character
        longer = (len(q.encode("utf-8", "surrogatepass")) > most for q in questions.questions)
        asked = [q if long else "" for q, long in zip(questions.questions, longer, strict=True)]
        tokens = self.slicer.tokens(asked)
        return [
            Finding("long-question", where, f"{len(some)} tokens, of which the first {most} are read")
            for where, some in zip(questions.where, tokens, strict=True)
            if len(some) > most
        ]


def load_reader(model: str | Path) -> Reader:
    """Open a model that answers questions: one that was saved here, or one of the hub as it is.

    Args:
        model: a folder or a hub name; its config.json names a ...ForQuestionAnswering architecture.

    Raises:
        ModelError: not there, damaged, without a tokenizer, or no such model.
    """
    told, folder = saved_in(model)
    if told is None:
        return Reader(load_backbone(str(model)))
    saved = saved_reader(told, folder)
    ours = "reader" in saved and "backbone" in saved
    backbone = reopen(folder, saved["backbone"]) if ours else load_backbone(str(model))
    if backbone.config.get("head") not in ("spans", "new spans"):
        raise ModelError("damaged: its backbone finds no answers", where=str(folder / "headstart.json"))
    reader = Reader(backbone, settings=Settings(**saved.get("reader", {})), folder=folder)
    reader.summary = saved.get("summary", {})
    return reader


def fit_settings(reader: Reader, questions: Questions, *, advance: Callable[[int], None] = lambda _: None) -> Settings:
    """The threshold of no answer and the temperature of the confidence, from questions the model was not fitted on.

    The threshold is the one with the best F1; where every question has an answer, "no answer" is never given.
    """
    found = reader.find(questions.questions, questions.contexts, questions.pairs, advance=advance)
    return settings_from(found, questions, reader.settings)


def settings_from(found: Mapping[int, Sequence[Span]], questions: Questions, settings: Settings) -> Settings:
    """As `fit_settings`, from what the model found for each row of the questions."""
    rows = [row for row in range(len(questions)) if found.get(row)]
    if not rows:
        return settings
    true = [[text for text, _ in questions.answers[row]] for row in rows]
    best = [found[row][0] for row in rows]
    said = [questions.contexts[span.text][span.start : span.stop] for span in best]
    lead = np.array([-span.score for span in best])
    overlap = np.array([f1(text, answers) for text, answers in zip(said, true, strict=True)])
    threshold = best_threshold(lead, overlap, np.array([f1("", answers) for answers in true]))
    settings = replace(settings, threshold=threshold, temperature=1.0)
    shares = [confidences(found[row], settings) for row in rows]
    scores = np.full((len(rows), max(map(len, shares))), -np.inf)
    right = np.zeros(len(rows), dtype=bool)
    for i, (share, text, answers) in enumerate(zip(shares, said, true, strict=True)):
        with np.errstate(divide="ignore"):
            scores[i, : len(share)] = np.sort(np.log(share))[::-1]
        right[i] = exact_match("" if share[-1] >= share[0] else text, answers) == 1
    return replace(settings, temperature=answer_temperature(scores, right))


def confidences(spans: Sequence[Span], settings: Settings) -> np.ndarray:
    """(k + 1,) how sure each span is, and no answer at the end; they sum to 1."""
    nothing = -np.inf if settings.threshold is None and spans else -(settings.threshold or 0.0)
    return softmax(np.array([[*(span.score for span in spans), nothing]]) / settings.temperature)[0]


def _apart(spans: list[tuple[Span, float]], most: int) -> list[tuple[Span, float]]:
    """The best ones that do not overlap with a better one."""
    kept: list[tuple[Span, float]] = []
    for span, share in spans:
        if len(kept) == most:
            break
        if not any(s.text == span.text and span.start < s.stop and s.start < span.stop for s, _ in kept):
            kept.append((span, share))
    return kept


def _answer(span: Span, confidence: float, text: str) -> Answer:
    first, last = sentence(text, span.start, span.stop)
    return Answer(
        text=text[span.start : span.stop],
        confidence=confidence,
        context=span.text,
        start=span.start,
        end=span.stop,
        sentence=text[first:last],
        offset=span.start - first,
    )


def predicted(answers: Sequence[Answer], questions: Questions) -> list[Predicted]:
    """Answers as they are scored, row by row with the questions."""
    return [
        replace(one, text=answer.text, start=answer.start, confidence=answer.confidence)
        for one, answer in zip(asked(questions), answers, strict=True)
    ]


def _test_part(questions: Questions) -> tuple[Questions, tuple[str, ...]]:
    """Where the data have official parts, only the test part (or val) is scored."""
    wanted = next((part for part in ("test", "val") if part in set(questions.parts or ())), None)
    if questions.parts is None or wanted is None:
        return questions, ()
    rows = [row for row, part in enumerate(questions.parts) if part == wanted]
    return questions.take(np.array(rows)), (f"scored on the {wanted} part",)
