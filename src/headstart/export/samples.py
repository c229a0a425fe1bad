"""What an export is compared on, and what one in int8 is calibrated and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from headstart.data.as_fitted import checked_as_fitted, read_as_fitted
from headstart.data.check import check
from headstart.data.learned import MadeOf, examples_of_part, learned_by, still_there
from headstart.errors import DataError, UserError
from headstart.inputs.decoders import FORMATS, identified
from headstart.inputs.image import open_image, read_bytes
from headstart.progress import Silent, note
from headstart.values import Columns, Dataset

if TYPE_CHECKING:
    from headstart.model import Model

_COMPARED, _MEASURED = 200, 1000  # inputs that are compared as they are, examples that int8 is measured on; at most


@dataclass(frozen=True)
class Labelled:
    """Checked examples with targets: those that the model learned from, and others, as predict.py takes them."""

    learned: Dataset
    held_out: Dataset


def samples_of(model: Model, named: Sequence[Dataset], made_of: MadeOf | None) -> Dataset:
    """Checked inputs to compare outputs on: plain ones, as predict.py takes them, and then the odd forms that they
    come in.

    Args:
        named: what the user names, or int8 is measured on; empty: test examples of a model that is in memory or whose
            photos lie where they lay; where there are none, made-up ones.

    Raises:
        DataError: none of the inputs can be used.
    """
    plain = _joined(named) if named else as_files(_at_hand(model, made_of))
    if not len(plain):
        what = "no input to compare outputs on can be used"
        raise DataError(what, where="inputs", fix="--input with some that can be read, photos of 8 bits a colour")
    odd = list(model.modality.odd(plain.inputs))
    names = [f"{plain.where[0]} in odd form {number + 1}" for number in range(len(odd))]
    return _joined([plain, _checked(model, odd, names)])


def _at_hand(model: Model, made_of: MadeOf | None) -> Dataset:
    """Test examples, or made-up inputs."""
    if made_of is not None and len(made_of.parts.test):
        return _some(made_of.dataset.take(made_of.parts.test), _COMPARED)
    photos = _test_photos(model)
    if photos and len(there := _checked(model, photos, photos)):
        return there
    made_up = model.modality.made_up()
    return _checked(model, made_up, [f"made-up input {number + 1}" for number in range(len(made_up))])


def _test_photos(model: Model) -> list[str]:
    """Test photos that lie where they lay when the model was made: no more of them than are compared."""
    if model.modality.in_tables or model.record is None or model.folder is None:
        return []
    there = still_there(examples_of_part(model.folder, "test"), model.record.data, model.folder)
    return [str(there[row][1]) for row in spread(len(there), _COMPARED).tolist()]


def given_inputs(given: Dataset) -> Dataset:
    """Some of the checked inputs that the user gives, whose places are their numbers, with a note on those left out."""
    left_out = [finding for finding in given.findings if finding.rejected]
    if left_out:
        note(f"not compared on {len(left_out):,} inputs that cannot be read: {left_out[0].reason}")
    return as_files(_some(replace(given, where=[f"input {int(place) + 1}" for place in given.where]), _COMPARED))


def given_data(model: Model, data: Any, columns: Columns | None) -> Dataset:
    """Some of the user's labelled data, to compare outputs on; raises DataError where they cannot be read."""
    return as_files(_some(_read(model, data, columns), _COMPARED))


def labelled_for(model: Model, data: Any, columns: Columns | None, made_of: MadeOf | None) -> Labelled:
    """The examples that int8 is calibrated and measured on.

    Args:
        data: as for `evaluate`; None: what the model was fitted on, where that is in memory or lies where it lay.

    Raises:
        UserError: nobody says where they are. DataError: they cannot be read.
    """
    if data is None and made_of is not None:
        parts = made_of.parts
        others = np.setdiff1d(parts.test, parts.train)  # a final fit learns from what it was tested on
        return Labelled(made_of.dataset.take(parts.train), _measured(made_of.dataset.take(others)))
    dataset = _read(model, _where_it_was(model) if data is None else data, columns)
    rows, _ = model.task.scorer.known(dataset, model.classes)
    learned = learned_by(made_of, model.folder)
    if learned is None:
        raise UserError("it is not known what the model learned from", fix="fit it again")
    exactly, nearly = learned.has(dataset, rows)
    return Labelled(dataset.take(rows[exactly]), _measured(dataset.take(rows[~exactly & ~nearly])))


def _measured(held_out: Dataset) -> Dataset:
    return as_files(_some(held_out, _MEASURED))


def _read(model: Model, data: Any, columns: Columns | None) -> Dataset:
    """Labelled data, checked; their columns are the fit's where the user names none."""
    read = read_as_fitted(
        data, task=model.task, modality=model.modality, columns=columns, known=model.columns, progress=Silent()
    )
    return checked_as_fitted(read, progress=Silent())


def _where_it_was(model: Model) -> Path:
    record, folder = model.record, model.folder
    places = [] if record is None or folder is None else [Path(record.data), folder.parent / record.data]
    for place in places:
        if place.exists():
            return place
    what = "int8 is calibrated on examples that the model learned from, and where they are is not known"
    raise UserError(what, fix="name them: --data DATA")


def as_files(dataset: Dataset) -> Dataset:
    """Checked examples as predict.py takes them: texts as they are, photos as files, those in memory as PNG.

    Photos that headstart alone reads are left out, with a note.
    """
    if dataset.modality.in_tables:
        return dataset
    files = [_png(one) if isinstance(one, Image.Image | np.ndarray) else one for one in dataset.inputs]
    taken = np.array(
        [
            _is_taken(identified(read_bytes(file), where=where))
            for file, where in zip(files, dataset.where, strict=True)
        ],
        dtype=bool,
    )
    if not taken.all():
        what = "of more than 8 bits of a colour, of several pictures, or HEIC"
        note(f"not compared on {(~taken).sum():,} photos that predict.py refuses: {what}")
    return replace(dataset, inputs=files).take(np.flatnonzero(taken))


def _is_taken(image: Image.Image) -> bool:
    """Whether predict.py opens such a photo, which headstart does."""
    several = getattr(image, "n_frames", 1) > 1 and image.format != "MPO"
    return image.format in FORMATS and image.mode[0] not in "IF" and not several


def _png(picture: Image.Image | np.ndarray) -> bytes:
    """A file of what headstart sees in a picture, whatever it is made of."""
    file = BytesIO()
    open_image(picture).save(file, "PNG")
    return file.getvalue()


def _checked(model: Model, inputs: Sequence[Any], where: Sequence[str]) -> Dataset:
    everything = Dataset(model.task, model.modality, "inputs", inputs, [None] * len(inputs), list(where))
    return check(everything, purpose="predict")


def _joined(parts: Sequence[Dataset]) -> Dataset:
    """Checked examples one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Dataset(
        parts[0].task,
        parts[0].modality,
        "inputs",
        inputs=[*chain.from_iterable(part.inputs for part in parts)],
        targets=[*chain.from_iterable(part.targets for part in parts)],
        where=[*chain.from_iterable(part.where for part in parts)],
        digests=np.concatenate([part.checked_digests for part in parts]),
    )


def _some(dataset: Dataset, most: int) -> Dataset:
    return dataset.take(spread(len(dataset), most))


def spread(n: int, most: int) -> np.ndarray:
    """At most so many rows of n, from all over them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
