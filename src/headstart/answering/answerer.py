"""A model that finds the answers to questions in the user's own texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice

import numpy as np

from headstart.answering.decode import Span
from headstart.answering.find import find_spans, reading_precision
from headstart.answering.metrics import Predicted, asked
from headstart.answering.sentences import sentence
from headstart.answering.settings import Settings, confidences
from headstart.backbone import Backbone, Features
from headstart.encode.engines import Engine, open_engine
from headstart.errors import DataError
from headstart.inputs.windows import Slicer, Window, cut
from headstart.values import Dataset, Finding, Passages

_LOOKED_AT = 512  # windows, among which some are taken to measure precision on
_WORTH = 0.01  # confidence below which a second answer is not worth reading


@dataclass(frozen=True)
class Answer:
    """A piece of a text that answers the question; or that there is none.

    Example:
        >>> model = hs.load("deepset/minilm-uncased-squad2")
        >>> found = model.answer("When was it built?", "The tower was built in 1931 by the king.")[0]
        >>> found.text, found.start, found.end
        ('1931', 23, 27)
        >>> found.marked("<", ">")
        'The tower was built in <1931> by the king.'
    """

    text: str  # "": the texts do not answer it
    confidence: float
    context: int = 0  # which of the texts
    start: int = 0  # characters of that text
    end: int = 0
    sentence: str = ""  # what the answer stands in
    offset: int = 0  # where in the sentence it begins
    input: str = ""  # the question, where it was one of several

    def marked(self, before: str = "[[", after: str = "]]") -> str:
        """The sentence with the answer in it marked."""
        stop = self.offset + len(self.text)
        return f"{self.sentence[: self.offset]}{before}{self.text}{after}{self.sentence[stop:]}"


class Answerer:
    """A model that finds answers, with the settings of these. Its engine is opened once and kept."""

    def __init__(self, backbone: Backbone, settings: Settings | None = None) -> None:
        self.backbone, self.settings = backbone, settings or Settings()
        self.slicer = Slicer(backbone.texts)
        self._engines: dict[str, Engine] = {}  # by precision

    def outputs(
        self,
        dataset: Dataset,
        rows: np.ndarray,
        *,
        known: Features | None = None,
        keep: bool = True,
        advance: Callable[[int], None] = lambda _: None,
    ) -> list[Answer]:
        """As `Predictor.outputs`: the best answer to each question, from its own text."""
        return self.answer_all(dataset.passages.take(rows), advance=advance)

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

    def answer_all(self, passages: Passages, *, advance: Callable[[int], None] = lambda _: None) -> list[Answer]:
        """The best answer to each question, from its own context.

        Args:
            advance: told how many more windows were read.
        """
        found = self.find(passages.questions, passages.contexts, passages.pairs, advance=advance)
        return [self._answers(found.get(row, ()), passages.contexts)[0] for row in range(len(passages))]

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

    def too_long(self, dataset: Dataset) -> list[Finding]:
        """Questions that are cut off."""
        most = self.slicer.most_question  # a token has a byte or more of its own, but not always a character
        questions = dataset.passages.questions
        longer = (len(q.encode("utf-8", "surrogatepass")) > most for q in questions)
        asked = [q if long else "" for q, long in zip(questions, longer, strict=True)]
        tokens = self.slicer.tokens(asked)
        return [
            Finding("long-question", where, f"{len(some)} tokens, of which the first {most} are read")
            for where, some in zip(dataset.where, tokens, strict=True)
            if len(some) > most
        ]


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


def predicted(answers: Sequence[Answer], passages: Passages, where: Sequence[str]) -> list[Predicted]:
    """Answers as they are scored, row by row with the questions."""
    return [
        replace(one, text=answer.text, start=answer.start, confidence=answer.confidence)
        for one, answer in zip(asked(passages, where), answers, strict=True)
    ]
