"""Whether a mirrored photo still shows the same class: flowers do, letters and left shoes do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import ImageOps

from headstart.backbone import Backbone, Head, Matrix
from headstart.encode.encode import encode
from headstart.inputs.augment import views_digests
from headstart.inputs.image import open_known, wanted_side

_SAMPLE = 128  # photos, at most
_NUMBER = 0xFFFF  # the view that a mirrored photo is kept under
_FEWEST = 30  # photos: fewer prove nothing
_CLEAR = 1.64  # standard errors: a bound that is kept in 19 of 20 cases
_HARM = 0.06  # share of the photos that mirroring may turn wrong, at that bound


def mirrors_keep_class(
    inputs: Sequence[Any], digests: np.ndarray, y: np.ndarray, *, features: Matrix, backbone: Backbone, head: Head
) -> bool:
    """Judged by a probe on photos that it has not learned from: surely it errs hardly more on their mirror images.

    What is bounded is the share of photos turned wrong less those turned right, from above, by a paired test with half
    a photo added to either side, so that few photos of which none was turned say little too (after Agresti and Min,
    Simple improved confidence intervals for comparing matched proportions, 2005).

    Args:
        inputs: (n,) held-out photos; digests: (n, 32); y: (n,) classes; features: (n, d) of the photos as they are.
        head: fitted without them.
    """
    if len(y) < _FEWEST:
        return False
    rows = np.unique(np.linspace(0, len(y) - 1, min(_SAMPLE, len(y))).astype(np.int64))
    near = wanted_side(backbone.images)
    mirrored = [ImageOps.mirror(open_known(inputs[row], digests[row], near=near)) for row in rows.tolist()]
    there = encode(mirrored, views_digests(digests[rows], _NUMBER), backbone).matrix
    before = head.logits(features[:][rows]).argmax(axis=1) == y[rows]
    after = head.logits(there).argmax(axis=1) == y[rows]
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    return lost - won + _CLEAR * math.sqrt(lost + won + 1) <= _HARM * len(rows)
