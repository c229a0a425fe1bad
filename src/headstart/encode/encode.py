"""A frozen backbone over many examples, once: what the store knows is not computed again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from headstart.data.images import open_image, prepare, wanted_side
from headstart.data.texts import length_buckets
from headstart.encode.engines import Batch, choose_precision, images_a_batch, known_precision, open_engine
from headstart.encode.store import Table, table
from headstart.values import Backbone, Features, ImagePreparation, TextPreparation

_FLUSH = 2048  # examples between two writes to the store: what a kill may cost
_TOKENS = 4096  # padded tokens in a text batch
_SAMPLE = 32  # examples that precision is measured on
_AHEAD = 64  # images that are decoded ahead of the forward pass
_TEXT_CHARACTERS = 16  # characters a token, at most looked at: a 100,000-character text is cut before it is tokenised


def encode(
    inputs: Sequence[Any],
    digests: np.ndarray,
    backbone: Backbone,
    *,
    workers: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> Features:
    """Features of each input, from the store where they are known there.

    Args:
        inputs: image paths, PIL images or uint8 arrays; or texts.
        digests: (n, 32) uint8, sha256 of each input's own bytes.
        backbone: the frozen model.
        workers: decoding threads; they run beside the forward pass.
        advance: told how many more examples are done, known ones included.

    Returns:
        (n, width) float32 features. A second call with the same content computes nothing.
    """
    precision = known_precision(backbone) or choose_precision(backbone, _sample(inputs, backbone))
    key = features_key(backbone, precision)
    store = table(key, width=backbone.width, about=f"{backbone.name}, {precision}")
    new = _first_of_each(digests, np.flatnonzero(store.find(digests) < 0))
    cached = len(inputs) - len(new)
    advance(cached)
    if len(new):
        _compute(inputs, digests, new, backbone, precision, store, workers, advance)
        store = table(key, width=backbone.width, about=f"{backbone.name}, {precision}")
    return Features(store.matrix(store.find(digests)), key, cached)


def missing(digests: np.ndarray, backbone: Backbone) -> int:
    """How many of these (n, 32) keys `encode` would have to compute."""
    precision = known_precision(backbone)
    if precision is None:  # never run on this machine
        return len(digests)
    store = table(features_key(backbone, precision), width=backbone.width, about=f"{backbone.name}, {precision}")
    return len(_first_of_each(digests, np.flatnonzero(store.find(digests) < 0)))


def features_key(backbone: Backbone, precision: str) -> str:
    """Names the function from bytes to features: preparation, weights, precision. Not the model's name or place."""
    preparation = backbone.preparation
    text = preparation.tokenizer if isinstance(preparation, TextPreparation) else _crop_mode(preparation)
    return f"1 {preparation!r} {text} {backbone.weights_hash} {precision}"


def _crop_mode(preparation: ImagePreparation) -> str:
    """Empty for the centre of a square, the only way that there was once: features of then are still known."""
    height, width = preparation.size
    return "" if preparation.crop_mode == "center" and height == width else preparation.crop_mode


def _compute(
    inputs: Sequence[Any],
    digests: np.ndarray,
    rows: np.ndarray,
    backbone: Backbone,
    precision: str,
    store: Table,
    workers: int,
    advance: Callable[[int], None],
) -> None:
    engine = open_engine(backbone, precision)
    done: list[np.ndarray] = []
    made: list[np.ndarray] = []
    try:
        for which, rows_made in engine(_batches(inputs, rows, backbone, workers)):
            made.append(rows_made)
            done.append(which)
            advance(len(which))
            if sum(map(len, done)) >= _FLUSH:
                _flush(store, digests, done, made)
    finally:  # also on Ctrl-C: what was computed is kept
        _flush(store, digests, done, made)


def _batches(
    inputs: Sequence[Any], rows: np.ndarray, backbone: Backbone, workers: int
) -> Iterator[tuple[np.ndarray, Batch]]:
    preparation = backbone.preparation
    if isinstance(preparation, ImagePreparation):
        return _images(inputs, rows, preparation, workers)
    return _texts(inputs, rows, preparation)


def _flush(store: Table, digests: np.ndarray, done: list[np.ndarray], made: list[np.ndarray]) -> None:
    if done and len(done) == len(made):
        store.add(digests[np.concatenate(done)], np.concatenate(made))
    done.clear()
    made.clear()


def _images(
    inputs: Sequence[Any], rows: np.ndarray, preparation: ImagePreparation, workers: int
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Batches in order; threads decode a few batches ahead of the forward pass, never more, so memory is bounded."""
    near, size = wanted_side(preparation), images_a_batch()

    def pixels(row: int) -> np.ndarray:
        return prepare(open_image(inputs[row], near=near), preparation)

    def batch(which: np.ndarray) -> list[Future[np.ndarray]]:
        return [pool.submit(pixels, int(row)) for row in which]

    chunks = deque(rows[start : start + size] for start in range(0, len(rows), size))
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[tuple[np.ndarray, list[Future[np.ndarray]]]] = deque()
        try:
            while chunks or ahead:
                while chunks and len(ahead) * size < _AHEAD + size:
                    which = chunks.popleft()
                    ahead.append((which, batch(which)))
                which, futures = ahead.popleft()
                yield which, (np.stack([future.result() for future in futures]),)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _texts(inputs: Sequence[str], rows: np.ndarray, preparation: TextPreparation) -> Iterator[tuple[np.ndarray, Batch]]:
    """Batches of similar length, each padded to its own longest text; the tokenizer has threads of its own."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(preparation.tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(preparation.max_length)
    longest = preparation.max_length * _TEXT_CHARACTERS
    for start in range(0, len(rows), 8 * _FLUSH):
        part = rows[start : start + 8 * _FLUSH]
        encodings = tokenizer.encode_batch_fast([str(inputs[row])[:longest] for row in part])
        lengths = np.array([len(encoding.ids) for encoding in encodings])
        for bucket in length_buckets(lengths, tokens=_TOKENS, most_padding=preparation.most_padding):
            width = int(lengths[bucket].max())
            ids = np.full((len(bucket), width), preparation.pad_id, dtype=np.int64)
            mask = np.zeros((len(bucket), width), dtype=np.int64)
            for i, number in enumerate(bucket.tolist()):
                ids[i, : lengths[number]] = encodings[number].ids
                mask[i, : lengths[number]] = 1
            yield part[bucket], (ids, mask)


def _sample(inputs: Sequence[Any], backbone: Backbone) -> list[tuple[np.ndarray, Batch]]:
    """Batches of examples spread over the data, to measure precision on."""
    rows = np.unique(np.linspace(0, len(inputs) - 1, min(_SAMPLE, len(inputs))).astype(np.int64))
    return list(_batches(inputs, rows, backbone, 2))


def _first_of_each(digests: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`rows` without those whose bytes an earlier one has."""
    if not len(rows):
        return rows
    keys = np.ascontiguousarray(digests[rows]).view(np.dtype((np.void, 32))).ravel()
    return rows[np.sort(np.unique(keys, return_index=True)[1])]
