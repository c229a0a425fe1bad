"""The proof of an export: predict.py, run as it lies in the folder, beside headstart on the same files and texts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from headstart.encode.encode import encode_afresh
from headstart.encode.graphs import quiet
from headstart.errors import OutputError, somebody_elses
from headstart.export import program
from headstart.export.deployable import Deployable
from headstart.values import Dataset

MOST_APART = 0.005  # of two probabilities, or of two numbers in deviations of the training targets


@dataclass(frozen=True)
class Proof:
    """How far the outputs of an export were from headstart's own in float32."""

    n: int  # inputs
    largest_difference: float  # of probabilities, or in deviations of a number
    same_top1: int  # inputs of which the largest output is the same one


def as_files(inputs: Sequence[Any]) -> list[Any]:
    """Inputs in the form that both are given: paths, texts and files' bytes as they are, pictures as PNG."""
    return [_png(one) if isinstance(one, Image.Image | np.ndarray) else one for one in inputs]


def _png(picture: Image.Image | np.ndarray) -> bytes:
    file = BytesIO()
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(file, "PNG")
    return file.getvalue()


def ran(made: Deployable, folder: Path, samples: Dataset) -> np.ndarray:
    """(n, n_outputs) of the export, an input at a time, from the bytes of its file on.

    Raises:
        ModelError: its runtime cannot open or run it.
    """
    with somebody_elses("the exported predict.py", where=made.backbone.name), quiet(), redirect_stderr(StringIO()):
        outputs = program.opened(folder)
        return np.stack([outputs(BytesIO(one) if isinstance(one, bytes) else one) for one in samples.inputs])


def expected(made: Deployable, samples: Dataset) -> np.ndarray:
    """(n, n_outputs) of headstart itself, in float32: probabilities, or numbers."""
    outputs = made.head.logits(encode_afresh(samples, made.backbone))
    return np.asarray(outputs if made.task.probabilities is None else made.task.probabilities(outputs))


def compared(made: Deployable, exported: np.ndarray, own: np.ndarray) -> Proof:
    """How far they are apart."""
    same = int((exported.argmax(1) == own.argmax(1)).sum())
    return Proof(len(own), round(float(_apart(made, exported, own).max()), 9), same)


def refuse_apart(made: Deployable, exported: np.ndarray, own: np.ndarray, samples: Dataset) -> None:
    """Raises OutputError where the export answers otherwise than headstart, with the input on which it does most."""
    if exported.shape != own.shape:
        raise OutputError(f"the export gives outputs of shape {exported.shape}", fix="please report this")
    apart = _apart(made, exported, own)
    worst = int(np.argmax(np.where(np.isfinite(apart), apart, np.inf)))
    if apart[worst] <= MOST_APART:  # so where the largest output is another one, the two are as good as equal
        return
    name = samples.where[worst]
    what = f"on {name} the export differs from headstart by {apart[worst]:.2g}, and {MOST_APART:g} is allowed"
    raise OutputError(f"{what}; nothing was written", fix="please report this, with the name of the pre-trained model")


def _apart(made: Deployable, exported: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(n,) the largest difference of each input."""
    unit = 1.0 if made.task.probabilities else made.head.deviation
    return np.abs(exported.astype(np.float64) - own).max(1) / unit
