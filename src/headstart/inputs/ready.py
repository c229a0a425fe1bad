"""A photo that was read and cut once, for a model that is asked about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.backbone import ImagePreparation


@dataclass(frozen=True, eq=False)
class ReadyPhoto:
    """What a backbone takes of a photo, and what names the photo."""

    pixels: np.ndarray  # (h, w, 3) uint8
    digest: bytes  # sha256 of the photo's own bytes
    preparation: ImagePreparation  # that it was cut by

    def cut_by(self, preparation: ImagePreparation) -> np.ndarray:
        """The pixels; raises ValueError where another model wants them cut otherwise."""
        if preparation != self.preparation:
            raise ValueError("the photo was made ready for another model")
        return self.pixels
