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
from headstart.inputs.tokens import CHARACTERS, shared
from headstart.progress import told_of
from headstart.storage.matrix import room_for
from headstart.values import Dataset

MOST_WINDOWS = 16  # of a text; what comes after them is not read
_TOGETHER = 256  # texts that are cut at a time
_BLOCK = 2048  # texts whose windows are in memory at once


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
    plain = cut_off(backbone)
    out, known, key = room_for(len(rows), plain.width), 0, ""
    for start in range(0, len(rows), _BLOCK):
        some = rows[start : start + _BLOCK]
        texts = [str(dataset.inputs[row]) for row in some.tolist()]
        features = _of_texts(texts, dataset.checked_digests[some], plain, by, advance)
        out[start : start + len(some)] = features.matrix[:]
        known, key = known + features.cached, features.key
    return Features(out, features_key(backbone, key.rsplit(" ", 1)[1]), known, rows)


def _of_texts(
    texts: list[str],
    digests: np.ndarray,
    plain: Backbone,
    by: Callable[..., Features],
    advance: Callable[[int], None],
) -> Features:
    """Features of so many texts that their windows are in memory at once."""
    pieces: list[str | np.ndarray] = []
    keys: list[bytes] = []
    of: list[int] = []  # which text each piece is of
    sizes: list[int] = []  # tokens of each piece
    for number, windows in enumerate(_windows(texts, plain.texts)):
        own = digests[number].tobytes()
        pieces += [texts[number], *windows[1:]]
        keys += [own, *(hashlib.sha256(b"window %d " % i + own).digest() for i in range(1, len(windows)))]
        of += [number] * len(windows)
        sizes += [len(window) for window in windows]
    told = told_of(len(texts), of=len(pieces), advance=advance)
    each = by(pieces, np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32), plain, advance=told)
    first = np.searchsorted(np.array(of, dtype=np.int64), np.arange(len(texts)))
    weights = np.array(sizes, dtype=np.float32)
    sums = np.add.reduceat(weights[:, None] * each.matrix[:], first, axis=0)
    means = sums / np.add.reduceat(weights, first)[:, None]
    return Features(means, each.key, round(len(texts) * each.cached / len(pieces)))


def _windows(texts: Sequence[str], preparation: TextPreparation) -> Iterator[list[np.ndarray]]:
    """Of each text the token ids of its windows, special ones included, as the tokenizer cuts them."""
    tokenizer, most = shared(preparation), preparation.max_length * CHARACTERS * MOST_WINDOWS
    for start in range(0, len(texts), _TOGETHER):
        some = [preparation.prefix + whole_characters(str(text)[:most]) for text in texts[start : start + _TOGETHER]]
        with somebody_elses("tokenizers"):
            made = tokenizer.encode_batch(some)
        for encoding in made:
            yield [np.array(w.ids, dtype=np.int32) for w in (encoding, *encoding.overflowing[: MOST_WINDOWS - 1])]
