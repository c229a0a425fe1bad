"""How examples of a kind are put into a backbone: in batches, and into the graph that is made of it. One row a kind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from headstart.backbone import Backbone, ImagePreparation, TextPreparation
from headstart.errors import somebody_elses
from headstart.inputs.image import open_known, prepare, wanted_side
from headstart.inputs.ready import ReadyPhoto
from headstart.inputs.text import length_buckets
from headstart.inputs.tokens import shared, shortened

BATCH = 4  # images, a static shape of graphs; 2 to 8 are alike, 32 is slower by a fifth
_TOKENS = 4096  # padded tokens in a text batch
_TEXTS = 16384  # that are tokenised before they are sorted by length
_CHUNK = 512  # images: a whole number of batches, on a GPU too
_AHEAD = 64  # images that are decoded ahead of the forward pass

Batch = tuple[np.ndarray, ...]  # images: ((n, h, w, 3) uint8,); texts: what preparation.inputs names, (n, t) int64 each
Batches = Iterable[tuple[np.ndarray, Batch]]  # which rows, and what goes in
Batching = Callable[[np.ndarray], Iterator[tuple[np.ndarray, Batch]]]  # (n,) rows -> their batches, in any order
Prepared = Callable[[int], np.ndarray]  # row number -> (h, w, 3) uint8


@dataclass(frozen=True)
class InputKind:
    """What goes into backbones of a kind."""

    # (inputs, (n, 32) digests, backbone, images a batch, decoding threads) -> how its rows become batches
    batching: Callable[[Sequence[Any], np.ndarray, Backbone, int, int], Batching]
    filled: Callable[[Batch], Batch]  # up to the static shape of the graph
    traced: Callable[[Backbone], tuple[Any, Any]]  # an example of a batch, and the shapes that the graph takes
    wrapped: Callable[[Backbone, Any], Any]  # the torch module, so that batches go in
    exported: tuple[str, ...]  # names of a batch's arrays, in graphs that run without headstart
    unsaid: Callable[[Backbone], str]  # what keys of the first form have beside the repr of the preparation
    # Examples whose batches do not depend on the others: that many, from the first on, give the same bytes whatever
    # process computes them.
    chunk: int
    calibrated: bool = False  # whether its graphs can be made int8 by the examples that they see


def images_by(prepared: Prepared, *, size: int, workers: int) -> Batching:
    """Batches of so many images, which threads prepare."""
    return partial(_images, prepared=prepared, size=size, workers=workers)


def _images(rows: np.ndarray, *, prepared: Prepared, size: int, workers: int) -> Iterator[tuple[np.ndarray, Batch]]:
    """Batches in order; threads decode a few of them ahead of the forward pass, never more, so memory is bounded."""

    def batch(which: np.ndarray) -> list[Future[np.ndarray]]:
        return [pool.submit(prepared, int(row)) for row in which]

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


def _image_batching(
    inputs: Sequence[Any], digests: np.ndarray, backbone: Backbone, size: int, workers: int
) -> Batching:
    """As the backbone itself wants its images. A file is the one with its digest, or an error."""
    preparation = backbone.images
    near = wanted_side(preparation)

    if inputs and all(isinstance(each, ReadyPhoto) for each in inputs):
        return partial(_ready, photos=inputs, preparation=preparation, size=size)

    def prepared(row: int) -> np.ndarray:
        return prepare(open_known(inputs[row], digests[row], near=near), preparation)

    return images_by(prepared, size=size, workers=workers)


def _ready(
    rows: np.ndarray, *, photos: Sequence[ReadyPhoto], preparation: ImagePreparation, size: int
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Batches of photos that were decoded already."""
    for start in range(0, len(rows), size):
        which = rows[start : start + size]
        yield which, (np.stack([photos[row].cut_by(preparation) for row in which.tolist()]),)


def _filled(batch: Batch) -> Batch:
    """The last batch with black images behind."""
    (pixels,) = batch
    missing = BATCH - len(pixels)
    return (np.concatenate([pixels, np.zeros((missing, *pixels.shape[1:]), np.uint8)]),) if missing else batch


def _traced_images(backbone: Backbone) -> tuple[Any, Any]:
    import torch

    shape = [BATCH, *backbone.images.size, 3]
    return (torch.zeros(shape, dtype=torch.uint8),), [shape]  # a graph of operators keeps its sizes as numbers


def _from_bytes(backbone: Backbone, module: Any) -> Any:
    """The module with the normalisation inside."""
    import torch
    from torch import nn

    mean = 255 * torch.tensor(backbone.images.mean).view(1, 3, 1, 1)
    std = 255 * torch.tensor(backbone.images.std).view(1, 3, 1, 1)

    class FromBytes(nn.Module):
        mean: torch.Tensor
        std: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.model = module
            self.register_buffer("mean", mean)
            self.register_buffer("std", std)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:  # (n, h, w, 3) uint8
            return self.model((pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std)

    return FromBytes().eval()


def _crop_mode(backbone: Backbone) -> str:
    """Empty for the centre of a square, the only way that there was once."""
    height, width = backbone.images.size
    mode = backbone.images.crop_mode
    return "" if mode == "center" and height == width else mode


def _text_batching(inputs: Sequence[Any], digests: np.ndarray, backbone: Backbone, size: int, workers: int) -> Batching:
    """The tokenizer has threads of its own, and the size of a batch goes by its tokens."""
    return partial(_texts, inputs=inputs, preparation=backbone.texts)


def _texts(
    rows: np.ndarray, *, inputs: Sequence[Any], preparation: TextPreparation
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Batches of similar length, each padded to its own longest text; what is an array, is tokens already."""
    tokenizer = shared(preparation)
    for start in range(0, len(rows), _TEXTS):
        part = rows[start : start + _TEXTS]
        texts = [shortened(inputs[row], preparation) for row in part if not isinstance(inputs[row], np.ndarray)]
        with somebody_elses("tokenizers"):
            encodings = iter(tokenizer.encode_batch_fast(texts))
        made = [inputs[row] if isinstance(inputs[row], np.ndarray) else next(encodings).ids for row in part]
        lengths = np.array([len(tokens) for tokens in made])
        for bucket in length_buckets(lengths, tokens=_TOKENS, most_padding=preparation.most_padding):
            width = max(1, int(lengths[bucket].max()))  # of a text without tokens, padding
            ids = np.full((len(bucket), width), preparation.pad_id, dtype=np.int64)
            mask = np.zeros((len(bucket), width), dtype=np.int64)
            for i, number in enumerate(bucket.tolist()):
                ids[i, : lengths[number]] = made[number]
                mask[i, : lengths[number]] = 1
            yield part[bucket], (ids, mask)


def _of_any_size(batch: Batch) -> Batch:
    return batch


def _traced_texts(backbone: Backbone) -> tuple[Any, Any]:
    import torch

    ids, inputs = torch.ones((2, 8), dtype=torch.int64), backbone.texts.inputs
    return tuple(ids for _ in inputs), [[-1, -1] for _ in inputs]


def _from_ids(backbone: Backbone, module: Any) -> Any:
    return module


KINDS = {
    "image": InputKind(
        batching=_image_batching,
        filled=_filled,
        traced=_traced_images,
        wrapped=_from_bytes,
        exported=("pixels",),
        unsaid=_crop_mode,
        chunk=_CHUNK,
        calibrated=True,
    ),
    "text": InputKind(
        batching=_text_batching,
        filled=_of_any_size,
        traced=_traced_texts,
        wrapped=_from_ids,
        exported=("ids", "mask"),
        unsaid=lambda backbone: backbone.texts.tokenizer,
        chunk=_TEXTS,
    ),
}
