"""What an export is compared on, and what one in int8 is calibrated and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.data.as_fitted import checked_as_fitted, read_as_fitted
from headstart.data.check import check
from headstart.data.learned import MadeOf, examples_of_part, learned_by, still_there
from headstart.errors import DataError, UserError
from headstart.export.proof import as_files
from headstart.inputs.decoders import identified
from headstart.inputs.image import read_bytes
from headstart.progress import Silent, note
from headstart.values import Columns, Dataset

if TYPE_CHECKING:
    from headstart.model import Model

_PLAIN = 200  # inputs that are compared as they are, at most


@dataclass(frozen=True)
class Labelled:
    """Checked examples with targets: those that the model learned from, and others."""

    learned: Dataset
    held_out: Dataset


def samples_of(model: Model, given: Dataset | None, labelled: Labelled | None, made: MadeOf | None) -> Dataset:
    """Checked inputs to compare outputs on: plain ones, and the odd forms that they come in.

    Args:
        given: what the user names; None: held-out examples of the data, or test examples of a model that is in memory
            or whose photos lie where they lay; where there are none, made-up ones.

    Raises:
        DataError: none of the inputs that were named can be used.
    """
    inputs, where = _plain(model, given, labelled, made)
    some = spread(len(inputs), _PLAIN).tolist() if inputs else []
    plain, names = _without_deep(model, as_files([inputs[row] for row in some]), [where[row] for row in some])
    if not plain:
        what = "no input to compare outputs on can be used"
        raise DataError(what, where="inputs", fix="--input with some that can be read, photos of 8 bits a colour")
    odd = list(model.modality.odd(plain))
    return _checked(model, [*plain, *odd], [*names, *(f"{names[0]} in odd form {n + 1}" for n in range(len(odd)))])


def _plain(
    model: Model, given: Dataset | None, labelled: Labelled | None, made: MadeOf | None
) -> tuple[Sequence[Any], Sequence[str]]:
    """Inputs as their users have them, and their names."""
    if given is not None:
        left_out = [finding for finding in given.findings if finding.rejected]
        if left_out:
            note(f"not compared on {len(left_out):,} inputs that cannot be read: {left_out[0].reason}")
        return given.inputs, [f"input {int(place) + 1}" for place in given.where]
    dataset = None
    if labelled is not None:
        dataset = labelled.held_out
    elif made is not None and len(made.parts.test):
        dataset = made.dataset.take(made.parts.test)
    if dataset is not None:
        return dataset.inputs, dataset.where
    files = _test_photos(model)
    if files:
        return files, files
    made_up = model.modality.made_up()
    return made_up, [f"made-up input {number + 1}" for number in range(len(made_up))]


def _without_deep(model: Model, inputs: Sequence[Any], where: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Without photos of more than 8 bits of a colour, which headstart alone reads: predict.py refuses them."""
    kept = list(range(len(inputs)))
    if not model.modality.in_tables:
        kept = [row for row in kept if identified(read_bytes(inputs[row]), where=where[row]).mode[0] not in "IF"]
        if len(kept) < len(inputs):
            note(f"not compared on {len(inputs) - len(kept):,} photos of more than 8 bits: predict.py refuses them")
    return [inputs[row] for row in kept], [where[row] for row in kept]


def _test_photos(model: Model) -> list[str]:
    """Test photos that lie where they lay when the model was made: no more of them than are compared."""
    if model.modality.in_tables or model.record is None or model.folder is None:
        return []
    there = still_there(examples_of_part(model.folder, "test"), model.record.data, model.folder)
    some = [there[row] for row in spread(len(there), _PLAIN).tolist()] if there else []
    return list(_checked(model, [str(path) for _, path in some], [where for where, _ in some]).inputs)


def _checked(model: Model, inputs: Sequence[Any], where: Sequence[str]) -> Dataset:
    everything = Dataset(model.task, model.modality, "inputs", inputs, [None] * len(inputs), list(where))
    return check(everything, purpose="predict")


def labelled_for(model: Model, data: Any, columns: Columns | None, made: MadeOf | None) -> Labelled:
    """The examples that int8 is calibrated and measured on.

    Args:
        data: as for `evaluate`; None: what the model was fitted on, where that is in memory or lies where it lay.

    Raises:
        UserError: nobody says where they are. DataError: they cannot be read, or none was held out.
    """
    if data is None and made is not None:
        return Labelled(made.dataset.take(made.parts.train), made.dataset.take(made.parts.test))
    data = _where_it_was(model) if data is None else data
    dataset = checked_as_fitted(
        read_as_fitted(
            data, task=model.task, modality=model.modality, columns=columns, known=model.columns, progress=Silent()
        ),
        progress=Silent(),
    )
    rows, _ = model.task.scorer.known(dataset, model.classes)
    learned = learned_by(made, model.folder)
    if learned is None:
        raise UserError("it is not known what the model learned from", fix="fit it again")
    exactly, nearly = learned.has(dataset, rows)
    return Labelled(dataset.take(rows[exactly]), dataset.take(rows[~exactly & ~nearly]))


def _where_it_was(model: Model) -> Path:
    record, folder = model.record, model.folder
    places = [] if record is None or folder is None else [Path(record.data), folder.parent / record.data]
    for place in places:
        if place.exists():
            return place
    what = "int8 is calibrated on examples that the model learned from, and where they are is not known"
    raise UserError(what, fix="name them: --data DATA")


def spread(n: int, most: int) -> np.ndarray:
    """At most so many rows of n, from all over them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
