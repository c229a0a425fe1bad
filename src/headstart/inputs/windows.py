"""A question and a text to what a model reads: windows of tokens that overlap, with each token's place in the text.

A text is tokenised once, whatever the number of questions, in pieces of bounded length; places are characters of the
string as the user gave it. Windows are cut when they are asked for, so a book costs what its tokens cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from headstart.backbone import TextPreparation
from headstart.errors import ModelError, somebody_elses
from headstart.inputs.text import length_buckets, whole_characters

MOST_TOKENS = 384  # of a window; longer ones cost more than they bring (attention grows with the square)
_FEWEST = 4  # tokens of a question and a text together
OVERLAP = 128  # tokens that two neighbouring windows share
LEFT_OUT = -100  # no target; torch's cross-entropy passes over it
_ANSWERS = 5  # of a question that are learned from, at most
_PIECE = 50_000  # characters tokenised at once
_GROUP = 250_000  # characters of several pieces, which the tokenizer takes side by side
_BLOCK = 2048  # windows that are sorted by length together
_BATCH_TOKENS = 4096  # padded tokens of a batch
_SPACES = (re.compile(r"(?<=\S) "), re.compile(r"(?<=\S)\s"))  # the better place to cut first

Batch = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Tokens:
    """A text's tokens, special ones left out."""

    ids: np.ndarray  # (t,) int32
    starts: np.ndarray  # (t,) int32 first character in the text
    stops: np.ndarray  # (t,) int32 behind the last one
    words: np.ndarray  # (t,) int32 which word of the tokenizer's; tokens of one word have the same number

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Window:
    """A question with the tokens `first` to `stop` of a text."""

    row: int  # which question
    text: int  # which text
    question: np.ndarray  # (q,) int32 ids
    tokens: Tokens  # of the whole text
    first: int
    stop: int
    lead: int  # tokens of the input in front of the text's

    def target(self, start: int, stop: int) -> tuple[int, int]:
        """Where the characters start to stop lie in the input: first and last token.

        (0, 0), the place of the first special token, where they are not wholly in this window; (-100, -100) where no
        token covers them.
        """
        first = int(np.searchsorted(self.tokens.stops, start, side="right"))
        last = int(np.searchsorted(self.tokens.starts, stop, side="left")) - 1
        if first > last:
            return LEFT_OUT, LEFT_OUT
        if first < self.first or last >= self.stop:
            return 0, 0
        return self.lead + first - self.first, self.lead + last - self.first


@dataclass(frozen=True)
class _Template:
    """What the tokenizer puts around a pair of texts, and which type each part has."""

    before: list[int]
    between: list[int]
    after: list[int]
    types: tuple[list[int], int, list[int], int, list[int]]  # before, question, between, text, after


class Slicer:
    """Cuts windows for one model."""

    def __init__(self, preparation: TextPreparation, *, most_tokens: int = MOST_TOKENS, overlap: int = OVERLAP) -> None:
        from tokenizers import Tokenizer

        self.preparation = preparation
        self.most_tokens = min(preparation.max_length, most_tokens)
        with somebody_elses("tokenizers"):
            self._tokenizer = Tokenizer.from_str(preparation.tokenizer)
            self._tokenizer.no_padding()
            self._tokenizer.no_truncation()
        self._template = _template(self._tokenizer)
        self._special = len(self._template.before + self._template.between + self._template.after)
        if self.most_tokens < self._special + _FEWEST:
            raise ModelError(
                f"it reads {self.most_tokens} tokens at once, which leaves no room for a question and a text",
                where="the model",
            )
        self._overlap = min(overlap, self.most_tokens // 2)
        self.most_question = (self.most_tokens - self._special) // 2  # tokens; more of a question are cut off

    def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text."""
        pieces = [(number, at, piece) for number, text in enumerate(texts) for at, piece in _pieces(text)]
        parts: list[list[Tokens]] = [[] for _ in texts]
        words = [0] * len(texts)  # so far
        for group in _by_size(pieces):
            with somebody_elses("tokenizers"):
                made = self._tokenizer.encode_batch([piece for _, _, piece in group], add_special_tokens=False)
            for (number, at, _), encoding in zip(group, made, strict=True):
                part = _as_tokens(encoding, at, words[number])
                words[number] = int(part.words[-1]) + 1 if len(part) else words[number]
                parts[number].append(part)
        return [_joined(some) for some in parts]

    def windows(self, row: int, question: Tokens, text: int, tokens: Tokens) -> Iterator[Window]:
        """Every window of a text for a question; none where the text has no tokens."""
        asked = question.ids[: self.most_question]
        room = self.most_tokens - self._special - len(asked)
        step = room - min(self._overlap, room // 2)
        lead = len(self._template.before) + len(asked) + len(self._template.between)
        for first in range(0, len(tokens), step):
            stop = min(first + room, len(tokens))
            yield Window(row, text, asked, tokens, first, stop, lead)
            if stop == len(tokens):
                return

    def length(self, window: Window) -> int:
        """Tokens of a window, special ones included."""
        return window.lead + window.stop - window.first + len(self._template.after)

    def batch(self, windows: Sequence[Window]) -> Batch:
        """The model's inputs, each (n, t) int64, in the order that its preparation names; padded to the longest."""
        shape = len(windows), max(map(self.length, windows))
        made = {
            "input_ids": np.full(shape, self.preparation.pad_id, dtype=np.int64),
            "attention_mask": np.zeros(shape, dtype=np.int64),
            "token_type_ids": np.zeros(shape, dtype=np.int64),
        }
        before, between, after = self._template.before, self._template.between, self._template.after
        types = self._template.types
        for i, window in enumerate(windows):
            text, n = window.tokens.ids[window.first : window.stop], self.length(window)
            made["input_ids"][i, :n] = np.concatenate([before, window.question, between, text, after])
            made["attention_mask"][i, :n] = 1
            kinds = [types[0], [types[1]] * len(window.question), types[2], [types[3]] * len(text), types[4]]
            made["token_type_ids"][i, :n] = np.concatenate(kinds)
        return tuple(made[name] for name in self.preparation.inputs)


def cut(questions: Sequence[str], texts: Sequence[str], pairs: np.ndarray, slicer: Slicer) -> Iterator[Window]:
    """The windows of each pair, text by text, each text tokenised once.

    Args:
        pairs: (n, 2) int64, rows of `questions` and of `texts`.
    """
    if not len(pairs):
        return
    order = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    which, first = np.unique(order[:, 1], return_index=True)
    asking = dict(zip(which.tolist(), np.split(order[:, 0], first[1:]), strict=True))
    for group in _by_size([(number, 0, texts[number]) for number in asking]):
        some = [number for number, _, _ in group]
        rows = sorted({row for number in some for row in asking[number].tolist()})
        asked = dict(zip(rows, slicer.tokens([questions[row] for row in rows]), strict=True))
        for number, tokens in zip(some, slicer.tokens([texts[number] for number in some]), strict=True):
            for row in asking[number].tolist():
                yield from slicer.windows(row, asked[row], number, tokens)


def batches(
    windows: Iterable[Window], slicer: Slicer, *, tokens: int = _BATCH_TOKENS
) -> Iterator[tuple[list[Window], Batch]]:
    """Windows of similar length together, `tokens` padded tokens at most; a few thousand are looked at at a time."""
    stream = iter(windows)
    while block := list(islice(stream, _BLOCK)):
        lengths = np.array([slicer.length(window) for window in block])
        for bucket in length_buckets(lengths, tokens=tokens, most_padding=slicer.preparation.most_padding):
            some = [block[i] for i in bucket.tolist()]
            yield some, slicer.batch(some)


def targets(windows: Sequence[Window], answers: Sequence[tuple[tuple[str, int], ...]]) -> np.ndarray:
    """(n, k, 2) int64 first and last token of every answer to each window's question that lies in the window.

    As `Window.target` gives them. Where none lies in it, the first special token alone; LEFT_OUT fills the rest up, and
    the whole row where no token covers an answer.

    Args:
        answers: of every question, by the row that its windows name; one that several people gave is there as often.
    """
    found = []
    for window in windows:
        places = [window.target(start, start + len(text)) for text, start in answers[window.row][:_ANSWERS]]
        inside = [place for place in places if place[0] > 0]
        covered = not places or any(place[0] == 0 for place in places)
        found.append(inside or ([(0, 0)] if covered else []))
    made = np.full((len(found), max([1, *map(len, found)]), 2), LEFT_OUT, dtype=np.int64)
    for row, places in zip(made, found, strict=True):
        row[: len(places)] = np.array(places, dtype=np.int64).reshape(-1, 2)
    return made


def _template(tokenizer: Any) -> _Template:
    probe = tokenizer.encode("a", "a")
    of = list(probe.sequence_ids)
    if not of or of[0] is not None or 0 not in of or 1 not in of:
        raise ModelError(
            "its tokenizer puts no special token in front of a pair of texts",
            where="tokenizer.json",
            fix="take a model of BERT's kind, trained on SQuAD",
        )
    first, second = of.index(0), of.index(1)
    last = len(of) - of[::-1].index(1)
    middle = len(of) - of[::-1].index(0)
    ids, types = list(probe.ids), list(probe.type_ids)
    return _Template(
        before=ids[:first],
        between=ids[middle:second],
        after=ids[last:],
        types=(types[:first], types[first], types[middle:second], types[second], types[last:]),
    )


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """A text in pieces that are tokenised alone, cut in front of a space: there no tokenizer joins anything."""
    plain = whole_characters(text)
    at = 0
    while len(plain) - at > _PIECE:
        half, end = at + _PIECE // 2, at + _PIECE
        stop = _last(_SPACES[0], plain, half, end) or _last(_SPACES[1], plain, half, end) or end
        yield at, plain[at:stop]
        at = stop
    yield at, plain[at:]


def _last(pattern: re.Pattern[str], text: str, start: int, stop: int) -> int:
    """Where the last match between two places begins; 0: there is none."""
    found = 0
    for match in pattern.finditer(text, start, stop):
        found = match.start()
    return found


def _by_size(pieces: Sequence[tuple[int, int, str]]) -> Iterator[list[tuple[int, int, str]]]:
    """Runs of pieces of at most `_GROUP` characters together, or of one."""
    group: list[tuple[int, int, str]] = []
    size = 0
    for piece in pieces:
        if group and size + len(piece[2]) > _GROUP:
            yield group
            group, size = [], 0
        group.append(piece)
        size += len(piece[2])
    if group:
        yield group


def _as_tokens(encoding: Any, at: int, word: int) -> Tokens:
    offsets = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2) + at
    words = np.array([-1 if w is None else w for w in encoding.word_ids], dtype=np.int32)
    numbered = np.where(words < 0, np.arange(len(words), dtype=np.int32), words)  # no words: each token is one
    return Tokens(np.array(encoding.ids, dtype=np.int32), offsets[:, 0], offsets[:, 1], numbered + np.int32(word))


def _joined(parts: Sequence[Tokens]) -> Tokens:
    if len(parts) == 1:
        return parts[0]
    columns = [[getattr(part, name) for part in parts] for name in ("ids", "starts", "stops", "words")]
    return Tokens(*(np.concatenate(column) for column in columns))
