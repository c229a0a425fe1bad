"""Which words of a text, or of two, speak for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from headstart.backbone import Backbone
from headstart.encode.long_texts import MOST_WINDOWS
from headstart.errors import somebody_elses
from headstart.explain.evidence import Evidence, Word
from headstart.explain.integrated_gradients import Attributions, Attributor
from headstart.explain.words import words_of
from headstart.inputs.text import whole_characters
from headstart.inputs.tokens import CHARACTERS, shortened, truncating
from headstart.task import Direction
from headstart.values import Dataset


@dataclass(frozen=True)
class _Sequence:
    """Tokens that the model reads at once."""

    ids: np.ndarray  # (t,) int64
    special: np.ndarray  # (t,) bool
    of: np.ndarray  # (t,) int64, 0 or 1: which text; of special ones -1
    spans: list[tuple[int, int]]  # characters of its text


class TextExplainer:
    """A backbone that is asked which words its answers come from."""

    def __init__(self, backbone: Backbone) -> None:
        """Raises: as `Attributor`."""
        self.backbone = backbone
        self._attributor = Attributor(backbone)
        self._tokenizer = truncating(backbone.texts)
        self._prefix = backbone.texts.prefix
        self._most = backbone.texts.max_length * CHARACTERS  # that are read, if they are tokens

    def explain(self, dataset: Dataset, outputs: Any, direction: Direction) -> Evidence:
        """What each word adds to a score.

        Args:
            dataset: one checked text or pair. outputs: what the model made of it.
        """
        weight = torch.from_numpy(direction.weight)
        given = dataset.inputs[0]
        if isinstance(given, str):
            return self._of_text(given, weight)
        first, second = map(str, given)
        if self.backbone.config.get("pair"):
            return self._of_sequence((first, second), weight)
        return self._of_two(first, second, weight)

    def _of_text(self, text: str, weight: torch.Tensor) -> Evidence:
        """Of a long text each window, by its share of the mean that the windows' features make."""
        if not self.backbone.config.get("windows"):
            return self._of_sequence(text, weight)
        most = self._most * MOST_WINDOWS
        windows, more = self._read(self._prefix + whole_characters(text[:most]), MOST_WINDOWS)
        total = sum(len(window.ids) for window in windows)
        words: list[Word] = []
        roughest = Attributions((), 0.0, 0)
        for window in windows:
            found = self._scored([window], partial(self._score, weight=len(window.ids) / total * weight), of=total)
            words += words_of(text, window.spans, found.weights[0])
            roughest = max(roughest, found, key=lambda each: each.gap)
        notes = (*roughest.notes, *_unread(text, windows, more or len(text) > most))
        return Evidence(words=tuple(words), texts=(text,), notes=notes)

    def _of_sequence(self, given: str | tuple[str, str], weight: torch.Tensor) -> Evidence:
        """A text, or two as one sequence."""
        texts = (given,) if isinstance(given, str) else given
        (read, *_), more = self._read(shortened(given, self.backbone.texts), 1)
        found = self._scored([read], partial(self._score, weight=weight))
        words: list[Word] = []
        for number, text in enumerate(texts):
            mine = np.flatnonzero(read.of == number)
            spans = [read.spans[token] for token in mine.tolist()]
            words += words_of(text, spans, found.weights[0][mine], of=number + 1 if len(texts) > 1 else None)
        notes = (*found.notes, *_unread(texts[-1], [read], more or len(texts[-1]) > self._most))
        return Evidence(words=tuple(words), texts=texts, notes=notes)

    def _of_two(self, first: str, second: str, weight: torch.Tensor) -> Evidence:
        """Two texts, of which a head compares the features."""
        reads = [self._read(shortened(text, self.backbone.texts), 1) for text in (first, second)]
        found = self._scored(
            [one for (one, *_), _ in reads], lambda a, b: _compared(self._features(a), self._features(b)) @ weight
        )
        words: list[Word] = []
        notes = [*found.notes]
        for number, (text, ((read, *_), more)) in enumerate(zip((first, second), reads, strict=True), start=1):
            words += words_of(text, read.spans, found.weights[number - 1], of=number)
            notes += _unread(text, [read], more or len(text) > self._most)
        return Evidence(words=tuple(words), texts=(first, second), notes=tuple(notes))

    def _scored(self, sequences: list[_Sequence], score: Any, *, of: int | None = None) -> Attributions:
        return self._attributor.attribute(score, [s.ids for s in sequences], [s.special for s in sequences], of=of)

    def _score(self, ids: torch.Tensor, *, weight: torch.Tensor) -> torch.Tensor:
        return self._features(ids) @ weight

    def _features(self, ids: torch.Tensor) -> torch.Tensor:
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
        made: torch.Tensor = self._attributor.module(*(inputs[name] for name in self.backbone.texts.inputs))
        return made

    def _read(self, given: str | tuple[str, str], most: int) -> tuple[list[_Sequence], bool]:
        """What the model reads of it, in so many windows at most; and whether there is more."""
        with somebody_elses("tokenizers"):
            encoding = self._tokenizer.encode(*([given] if isinstance(given, str) else given))
            pieces = [encoding, *encoding.overflowing]
            return [_sequence(piece, len(self._prefix)) for piece in pieces[:most]], len(pieces) > most


def _sequence(encoding: Any, before: int) -> _Sequence:
    """Tokens of a text, or of two. before: characters of the prefix, whose tokens are no words of the user's."""
    special = np.array(encoding.special_tokens_mask, dtype=bool)
    of = np.array([-1 if number is None else number for number in encoding.sequence_ids], dtype=np.int64)
    if before:
        special |= np.array([stop <= before for _, stop in encoding.offsets], dtype=bool)
        of[special] = -1
    shifted = [(max(0, start - before), stop - before) for start, stop in encoding.offsets]
    spans = [(0, 0) if other else span for span, other in zip(shifted, special.tolist(), strict=True)]
    return _Sequence(np.array(encoding.ids, dtype=np.int64), special, of, spans)


def _unread(text: str, reads: list[_Sequence], more: bool) -> list[str]:
    """Where the model reads a part of a text."""
    if not more:
        return []
    last = max((stop for read in reads for _, stop in read.spans), default=0)
    return [f"the model reads {last:,} of the text's {len(text):,} characters: what comes behind has no weight"]


def _compared(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """As `encode.pairs.compare`, with gradients."""
    return torch.cat([u / 4, v / 4, (u - v).abs(), u * v], dim=1)
