"""Examples as a whole network takes them, from its first layer on; a row a kind of backbone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from headstart.adapt.batches import Pixels, Texts, tokenised
from headstart.adapt.sparse_embeddings import only_rows
from headstart.backbone import Backbone, Kind
from headstart.encode.machine import cores
from headstart.inputs.augment import DETAIL, Views
from headstart.inputs.image import open_known, wanted_side
from headstart.pretrained.opened import Trainable
from headstart.pretrained.training import word_embeddings
from headstart.storage.columns import taken
from headstart.values import Dataset

_OBLONG = 2  # longest side that a photo is held with, over what the shorter one needs


@dataclass(frozen=True)
class Fed:
    """How examples of a kind are fed."""

    plain: Callable[[Dataset, np.ndarray, Backbone], Any]  # (dataset, rows, backbone) -> a Feed, as models are asked
    held: Callable[[Any, int], Any]  # (plain, bytes) -> the same, with what is decoded in memory, where that has room
    varied: Callable[[Any, Views], Any]  # (plain, views of each photo) -> as they are trained on
    opened: Callable[[Trainable, Any], Trainable]  # (a network, plain) -> what of it is trained on such examples
    smaller: Callable[[Backbone, float], Backbone]  # seeing this share of the pixels a side


def _pixels(dataset: Dataset, rows: np.ndarray, backbone: Backbone) -> Pixels:
    return Pixels(taken(dataset.inputs, rows), dataset.checked_digests[rows], backbone.images, Views(1))


def _held(plain: Pixels, room: int) -> Pixels:
    """Photos are opened once, and not in each of many epochs, as long as they are few enough."""
    near = round(DETAIL * wanted_side(plain.preparation))
    if len(plain) * 3 * near**2 * _OBLONG > room:
        return plain

    def opened(row: int) -> np.ndarray:
        photo = open_known(plain.inputs[row], plain.digests[row], near=near)
        photo.thumbnail((_OBLONG * near, _OBLONG * near))
        return np.asarray(photo)

    with ThreadPoolExecutor(cores()) as pool:
        return replace(plain, inputs=list(pool.map(opened, range(len(plain)))))


def _smaller(backbone: Backbone, share: float) -> Backbone:
    """In steps of 32 pixels, which most networks halve five times."""
    height, width = (max(32, 32 * round(share * side / 32)) for side in backbone.images.size)
    return replace(backbone, preparation=replace(backbone.images, size=(height, width)))


def _channels_last(trainable: Trainable, plain: Pixels) -> Trainable:
    """Convolutions of small photos are trained 1.5 times as fast so on a CPU."""
    module: Any = trainable.module
    module.to(memory_format=torch.channels_last)
    return trainable


def _tokens(dataset: Dataset, rows: np.ndarray, backbone: Backbone) -> Texts:
    """Of pairs, both texts as one sequence."""
    return tokenised([dataset.inputs[row] for row in rows.tolist()], backbone.texts)


def _rows_of_words(trainable: Trainable, plain: Texts) -> Trainable:
    """A step updates the word embeddings that it may meet, not a table of all words."""
    return only_rows(trainable, word_embeddings(trainable.module), plain.vocabulary)[0]


FED: dict[Kind, Fed] = {
    "image": Fed(
        plain=_pixels,
        held=_held,
        varied=lambda plain, views: replace(plain, views=views),
        opened=_channels_last,
        smaller=_smaller,
    ),
    "text": Fed(
        plain=_tokens,
        held=lambda plain, room: plain,
        varied=lambda plain, views: plain,
        opened=_rows_of_words,
        smaller=lambda backbone, detail: backbone,
    ),
}
