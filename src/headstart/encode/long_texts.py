"""Texts that are longer than a model reads: windows one after the other, and the mean of their features."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from headstart.backbone import Backbone, Features, TextPreparation
from headstart.encode.encode import encode, features_key
from headstart.errors import somebody_elses
from headstart.inputs.text import whole_characters
from headstart.inputs.tokens import CHARACTERS, truncating
from headstart.storage.matrix import room_for
from headstart.values import Dataset

MOST_WINDOWS = 16  # of a text; what comes after them is not read
_TOGETHER = 256  # texts that are cut at a time
_BLOCK = 4096  # rows


def in_windows(backbone: Backbone) -> Backbone:
    """The same backbone, which reads long texts in windows."""
    return replace(backbone, config={**backbone.config, "windows": "mean"})


def cut_off(backbone: Backbone) -> Backbone:
    """The same backbone, which reads the beginning of long texts."""
    return replace(backbone, config={name: told for name, told in backbone.config.items() if name != "windows"})


def encode_long(
    dataset: Dataset,
    rows: np.ndarray,
    backbone: Backbone,
    *,
    by: Callable[..., Features] = encode,
    advance: Callable[[int], None] = lambda _: None,
) -> Features:
    """Features of texts of any length: the mean over a text's windows, by their tokens.

    A text that is not longer than the model reads has the features that it always had, and the store knows them; so has
    the first window of a longer one.
    """
    plain, digests = cut_off(backbone), dataset.checked_digests[rows]
    pieces: list[str | np.ndarray] = []
    keys: list[bytes] = []
    of: list[int] = []  # which text each piece is of
    sizes: list[int] = []  # tokens of each piece
    texts = [dataset.inputs[row] for row in rows.tolist()]
    for number, windows in enumerate(_windows(texts, plain.texts)):
        own = digests[number].tobytes()
        pieces += [texts[number], *windows[1:]]
        keys += [own, *(hashlib.sha256(b"window %d " % i + own).digest() for i in range(1, len(windows)))]
        of += [number] * len(windows)
        sizes += [len(window) for window in windows]
    which, told = np.array(of, dtype=np.int64), _in_texts(advance, len(texts), len(pieces))
    each = by(pieces, np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32), plain, advance=told)
    out = room_for(len(texts), plain.width)
    first = np.searchsorted(which, np.arange(len(texts) + 1))
    weights = np.array(sizes, dtype=np.float32)
    for start in range(0, len(texts), _BLOCK):
        stop = min(start + _BLOCK, len(texts))
        here = slice(int(first[start]), int(first[stop]))
        starts = first[start:stop] - first[start]
        sums = np.add.reduceat(weights[here, None] * each.matrix[here], starts, axis=0)
        out[start:stop] = sums / np.add.reduceat(weights[here], starts)[:, None]
    key = features_key(backbone, each.key.rsplit(" ", 1)[1])
    return Features(out, key, round(len(texts) * each.cached / max(1, len(pieces))), rows)


def _windows(texts: Sequence[str], preparation: TextPreparation) -> Iterator[list[np.ndarray]]:
    """Of each text the token ids of its windows, special ones included, as the tokenizer cuts them."""
    tokenizer, most = truncating(preparation), preparation.max_length * CHARACTERS * MOST_WINDOWS
    for start in range(0, len(texts), _TOGETHER):
        some = [whole_characters(str(text)[:most]) for text in texts[start : start + _TOGETHER]]
        with somebody_elses("tokenizers"):
            made = tokenizer.encode_batch(some)
        for encoding in made:
            yield [np.array(w.ids, dtype=np.int64) for w in (encoding, *encoding.overflowing[: MOST_WINDOWS - 1])]


def _in_texts(advance: Callable[[int], None], n_texts: int, n_pieces: int) -> Callable[[int], None]:
    """What is told of pieces that are done, told of texts: as many of the texts as of the pieces, rounded down."""
    done = 0

    def told(count: int) -> None:
        nonlocal done
        before, done = done, done + count
        advance(n_texts * done // n_pieces - n_texts * before // n_pieces)

    return told
