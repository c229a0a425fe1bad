"""Which words of a question and of its text speak for the answer that was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from headstart.answering.answerer import Answer
from headstart.backbone import Backbone
from headstart.errors import UserError
from headstart.explain.evidence import Evidence
from headstart.explain.integrated_gradients import Attributor
from headstart.explain.words import words_of
from headstart.inputs.windows import Slicer, Window, cut
from headstart.values import Dataset


class AnswerExplainer:
    """A model that finds answers, which is asked what they come from."""

    def __init__(self, backbone: Backbone) -> None:
        """Raises: as `Attributor`."""
        self._attributor, self._slicer = Attributor(backbone), Slicer(backbone.texts)

    def explain(self, dataset: Dataset, outputs: Sequence[Answer], direction: None) -> Evidence:
        """What each word adds to the score of the answer's first and last token, in the window that scores it best.

        Args:
            dataset: one question with its text. outputs: its best answer.

        Raises:
            UserError: the answer is that the text has none.
        """
        passages, (answer,) = dataset.passages, outputs
        if not answer.text:
            fix = "headstart answer MODEL QUESTION --context FILE --top 3 shows what came next"
            raise UserError("the model finds no answer in the text, so there is none to explain", fix=fix)
        question, text = dataset.inputs[0]
        cut_here = cut(passages.questions, passages.contexts, passages.pairs, self._slicer)
        holding = [(w, w.target(answer.start, answer.end)) for w in cut_here]
        holding = [(window, place) for window, place in holding if place[0] > 0]
        if not holding:
            raise UserError("no window of the text holds the whole answer", fix="please report this, with the text")
        window, (first, last) = max(holding, key=lambda pair: float(self._score(*pair)(_ids(self._batch(pair[0])))))
        batch = self._batch(window)
        asked, read = len(window.question), window.stop - window.first
        mine = np.zeros(len(batch[0][0]), dtype=bool)
        at = _first_of(batch[0][0], window)
        mine[at : at + asked] = mine[window.lead : window.lead + read] = True
        found = self._attributor.attribute(self._score(window, (first, last)), [batch[0][0]], [~mine])
        weights = found.weights[0]
        (of_question,) = self._slicer.tokens([question])
        spans = list(zip(of_question.starts[:asked].tolist(), of_question.stops[:asked].tolist(), strict=True))
        words = words_of(question, spans, weights[at : at + asked], of=1)
        tokens, here = window.tokens, slice(window.first, window.stop)
        spans = list(zip(tokens.starts[here].tolist(), tokens.stops[here].tolist(), strict=True))
        words += words_of(text, spans, weights[window.lead : window.lead + read], of=2)
        notes = list(found.notes)
        if read < len(tokens):
            places = f"{int(tokens.starts[window.first]):,} to {int(tokens.stops[window.stop - 1]):,}"
            notes.append(f"the answer was read in characters {places} of the text: what is around has no weight")
        return Evidence(words=tuple(words), texts=(question, text), notes=tuple(notes))

    def _batch(self, window: Window) -> tuple[np.ndarray, ...]:
        return self._slicer.batch([window])

    def _score(self, window: Window, place: tuple[int, int]) -> Any:
        """Of ids, the scores of the answer's first and of its last token, (n,)."""
        others = [torch.from_numpy(part) for part in self._batch(window)[1:]]

        def score(ids: torch.Tensor) -> torch.Tensor:
            made = self._attributor.module(ids, *(part.expand(len(ids), -1) for part in others))
            return made[:, place[0], 0] + made[:, place[1], 1]

        return score


def _ids(batch: tuple[np.ndarray, ...]) -> torch.Tensor:
    return torch.from_numpy(batch[0])


def _first_of(ids: np.ndarray, window: Window) -> int:
    """Where the question begins: behind the tokens in front of it."""
    n = len(window.question)
    return next(at for at in range(window.lead) if np.array_equal(ids[at : at + n], window.question))
