"""Every call that the fuzzers make into headstart, in one place: what moves inside moves only here.

Each door takes what a user would type and gives nothing; it raises what headstart raises. headstart is imported where
it is called, so that a worker loads only what its target needs.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any


class NonsenseError(Exception):
    """headstart gave an answer that is none: a probability that is no number, or an image without pixels."""


def refused() -> type[Exception]:
    """What headstart raises where its user is wrong."""
    from headstart.errors import UserError

    kind: type[Exception] = UserError
    return kind


def photo(path: str, *, near: int | None) -> None:
    """Decode one photo."""
    from headstart.inputs.image import open_image

    image = open_image(Path(path), near=near)
    if image.mode != "RGB" or min(image.size) < 1:
        raise NonsenseError(f"{image.mode} {image.size}")


def inputs(path: str) -> None:
    """Look at what `predict` is given: a photo, or a folder of them."""
    from headstart.data.check import check
    from headstart.tasks.classification import CLASSIFICATION
    from headstart.values import Dataset

    photos = CLASSIFICATION.modalities["image"]
    items, names = photos.given([path])
    check(Dataset(CLASSIFICATION, photos, "inputs", items, [None] * len(items), names), purpose="predict")


def data(path: str) -> None:
    """Read and check a table or a folder of classes as `fit` does; questions, where they look like some."""
    _checked(path, "auto")


def questions(path: str) -> None:
    """Read questions, whatever the file looks like."""
    from headstart.data.questions.read import has_questions

    has_questions(path)
    _checked(path, "answering")


def _checked(path: str, task: str) -> None:
    from headstart.data.check import check
    from headstart.data.read import read
    from headstart.tasks.table import TASKS
    from headstart.values import Request

    check(read(Request(path, task=task), TASKS))


def text(path: str) -> None:
    """Read a text that answers are looked for in."""
    from headstart.inputs.text import read_text

    read_text(Path(path))


def saved(folder: str, inputs: list[str], *, predict: bool) -> None:
    """Open a saved classifier, and classify with it."""
    import headstart

    model = headstart.load(folder)
    if predict:
        for one in model.predict(inputs):
            if not one.error and not 0 <= one.probability <= 1:
                raise NonsenseError(f"a probability of {one.probability}")


def saved_reader(folder: str, *, answer: bool) -> None:
    """Open a saved reader, and ask it."""
    import headstart

    reader = headstart.load(folder, task="answering")
    if answer:
        for one in reader.answer("when was it built?", "the tower was built in 1950 by a king"):
            if not (math.isfinite(one.confidence) and 0 <= one.confidence <= 1):
                raise NonsenseError(f"a confidence of {one.confidence}")


def weights(name: str, kind: str, *, build: bool) -> None:
    """Open a model as --model does, and build its network as the first encoding does."""
    from headstart.pretrained.load import load

    backbone = load(name, kind="text" if kind == "text" else "image")
    if build:
        backbone.module()


def classifier(name: str) -> None:
    """Open a pre-trained classifier as it is."""
    import headstart

    headstart.load(name)


def reader_weights(name: str, *, build: bool) -> None:
    """Open a model that answers questions as --model does, and build its network."""
    from headstart.pretrained.load import load_reader

    backbone = load_reader(name)
    if build:
        backbone.module()


def libraries() -> tuple[Any, Any]:
    """timm and torchvision, which the package loads in a way of its own."""
    from headstart.pretrained import from_timm, from_torchvision

    return from_timm.timm, from_torchvision.torchvision


def fit_photos(folder: Path, model: str, out: Path) -> None:
    """A saved folder to start from."""
    import headstart

    headstart.fit(folder, model=model, how="probe", out=out)


def fit_questions(table: Path, model: str, out: Path) -> None:
    """A saved reader to start from."""
    import headstart

    headstart.fit(table, model=model, how="probe", out=out)
