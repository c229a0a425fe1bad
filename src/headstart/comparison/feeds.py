"""Examples as a whole network takes them, from its first layer on; a row a kind of backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headstart.adapt.batches import Pixels, Texts, tokenised
from headstart.backbone import Backbone, Kind
from headstart.comparison.policy import COMPARING
from headstart.inputs.augment import Views
from headstart.values import Dataset


@dataclass(frozen=True)
class Fed:
    """How examples of a kind are fed."""

    plain: Callable[[Dataset, np.ndarray, Backbone], Any]  # (dataset, rows, backbone) -> a Feed, as models are asked
    varied: Callable[[Any, bool], Any]  # (plain, whether mirror images keep their class) -> as they are trained on
    smaller: Callable[[Backbone, float], Backbone]  # seeing this share of the pixels a side
    details: tuple[float, ...]  # shares that may be tried, the largest first
    rate: float  # highest, of training from nothing


def _pixels(dataset: Dataset, rows: np.ndarray, backbone: Backbone) -> Pixels:
    inputs = [dataset.inputs[row] for row in rows.tolist()]
    return Pixels(inputs, dataset.checked_digests[rows], backbone.images, Views(1))


def _views(plain: Pixels, mirror: bool) -> Pixels:
    return replace(plain, views=Views(COMPARING.views, mirror))


def _smaller(backbone: Backbone, share: float) -> Backbone:
    """In steps of 32 pixels, which most networks halve five times."""
    height, width = (max(32, 32 * round(share * side / 32)) for side in backbone.images.size)
    return replace(backbone, preparation=replace(backbone.images, size=(height, width)))


def _tokens(dataset: Dataset, rows: np.ndarray, backbone: Backbone) -> Texts:
    """Of pairs, both texts as one sequence."""
    return tokenised([dataset.inputs[row] for row in rows.tolist()], backbone.texts)


FED: dict[Kind, Fed] = {
    "image": Fed(_pixels, _views, _smaller, COMPARING.details, COMPARING.image_rate),
    "text": Fed(_tokens, lambda plain, mirror: plain, lambda backbone, share: backbone, (1.0,), COMPARING.text_rate),
}
