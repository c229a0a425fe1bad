"""Heat maps of photos: by gradients where the model has any, else by covering parts of the photo."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from headstart.backbone import Backbone
from headstart.explain.evidence import Evidence, HeatMap
from headstart.explain.heat_map import by_covering, by_gradient
from headstart.inputs.image import crop_of, open_image, prepare, wanted_side
from headstart.pretrained.map_layer import MapLayer
from headstart.pretrained.source import SOURCES
from headstart.task import Direction
from headstart.values import Dataset

_SIDE = 1024  # pixels of the longer side of a picture with its map


class PhotoExplainer:
    """A backbone that is asked what in a photo its answers come from. Its module is opened once and kept."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._module: nn.Module | None = None
        self._layer: MapLayer | None = None
        if not backbone.frozen_only:  # a graph has no gradients
            self._module = backbone.module().requires_grad_(False)
            self._layer = SOURCES[backbone.source].map_layer(backbone, self._module)

    def explain(self, dataset: Dataset, outputs: Any, direction: Direction) -> Evidence:
        """Where in a photo that what lies which speaks for an answer.

        Args:
            dataset: one checked photo. outputs: what the model made of it.
        """
        preparation = self.backbone.images
        photo = open_image(dataset.inputs[0])
        # as the model is given it: a large JPEG is decoded at a part of its size for it
        pixels = prepare(open_image(dataset.inputs[0], near=wanted_side(preparation)), preparation)
        grid, notes = self._by_gradient(pixels, direction.weight), tuple[str, ...]()
        if grid is None:
            grid = by_covering(self.backbone, pixels, direction.weight)
            notes = (
                "the heat map is by covering parts of the photo: the model has no layer with places and gradients",
            )
        picture = photo.copy()
        picture.thumbnail((_SIDE, _SIDE))
        height, width = preparation.size
        heat = HeatMap(grid, crop_of(photo.size, preparation), (width, height), photo.size, picture)
        return Evidence(heat=heat, notes=notes)

    def _by_gradient(self, pixels: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
        if self._module is None or self._layer is None:
            return None
        mean, std = (
            torch.tensor(value).view(3, 1, 1) for value in (self.backbone.images.mean, self.backbone.images.std)
        )
        given = (torch.tensor(pixels).permute(2, 0, 1).float() / 255 - mean) / std
        return by_gradient(self._module, self._layer, given[None], weight)
