"""An explanation of one input's prediction, whatever the model's task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.backbone import Features
from headstart.data.learned import MadeOf, examples_in, short_digests, still_there
from headstart.errors import DataError, UserError
from headstart.explain.explanation import Explanation
from headstart.explain.neighbours import Neighbour, Reference, neighbours
from headstart.task import Direction
from headstart.values import Dataset

if TYPE_CHECKING:
    from headstart.model import Model


def refuse_several(names: Sequence[str], errors: Mapping[int, str]) -> None:
    """Raises DataError where there is not one input, or it cannot be read."""
    if len(names) != 1:
        raise DataError(f"{len(names):,} inputs, and one is explained at a time", where="input", fix="give one")
    if errors:
        raise DataError(errors[0], where=names[0])


def explained(
    model: Model,
    dataset: Dataset,
    features: Features | None,
    outputs: Any,
    prediction: Any,
    *,
    target: str | None,
    made: MadeOf | None,
    check: Callable[[Sequence[Any]], Dataset],
    top: int,
) -> Explanation:
    """As `Model.explain`.

    Args:
        dataset: the input, checked. features, outputs: what the model makes of it. prediction: what it says.
        made: what the model was made of, while it is in memory. check: those of some inputs that can be used.
    """
    direction = _direction(model, outputs, prediction, target)
    evidence = model.explainer.explain(dataset, outputs, direction)
    near, notes = _neighbours(model, features, made, check, top)
    row = model.task.words.row(prediction)
    return Explanation(
        prediction=prediction,
        row=row,
        said=model.task.words.line(row),
        target=None if direction is None else direction.name,
        evidence=evidence,
        neighbours=near,
        notes=(*evidence.notes, *notes),
    )


def _direction(model: Model, outputs: Any, prediction: Any, target: str | None) -> Direction | None:
    """What of the answer is explained; None: the model asks itself."""
    task = model.task
    if task.direction is not None:
        return task.direction(model.head, outputs[0], prediction, target)
    if target is not None:
        raise UserError(f"{task.name} has no classes, and {target!r} is asked for", fix="leave the class out")
    return None


def _neighbours(
    model: Model, features: Features | None, made: MadeOf | None, check: Callable[[Sequence[Any]], Dataset], top: int
) -> tuple[tuple[Neighbour, ...], tuple[str, ...]]:
    """The training examples that are most like the input, and why there are none."""
    if features is None or model.record is None:
        return (), ()
    kept = None if model.confidence is None else model.confidence.reference
    if kept is None:
        what = "the model keeps no training examples, so none that are like the input are shown"
        return (), (f"{what}; one that is fitted today has them",)
    asked = features.matrix[0:1][0]
    if made is not None:
        some = made.dataset.take(kept.rows)
        near = neighbours(asked, Reference(kept.features, some.where, some.targets), top)
        shown = model.modality.shown(some, np.array([one.place for one in near], dtype=np.int64))
        return tuple(replace(one, shown=each) for one, each in zip(near, shown, strict=True)), ()
    examples = None if model.folder is None else examples_in(model.folder, kept.rows, model.head)
    if examples is None:
        return (), ("split.csv of the model is gone or was changed, so no training examples are shown",)
    where, targets, digests = examples
    near = neighbours(asked, Reference(kept.features, where, targets), top)
    found = _where_they_were(model, [(one.where, digests[one.place]) for one in near], check)
    return tuple(replace(one, shown=found.get(one.where, "")) for one in near), ()


def _where_they_were(
    model: Model, examples: Sequence[tuple[str, str]], check: Callable[[Sequence[Any]], Dataset]
) -> dict[str, str | bytes]:
    """Small pictures of training photos that lie where they lay when the model was made: below the current folder, the
    data's or the one beside the model. A file that is another one by now is not shown in their place.

    Args:
        examples: where each was, and its sha256's beginning.
    """
    if model.modality.in_tables or model.record is None or model.folder is None:
        return {}
    there = still_there((where for where, _ in examples), model.record.data, model.folder)
    if not there:
        return {}
    files, meant = check([path for _, path in there]), dict(examples)
    known = {int(place): row for row, place in enumerate(files.where)}
    hashes = short_digests(files)
    rows = {
        where: known[number]
        for number, (where, _) in enumerate(there)
        if number in known and hashes[known[number]] == meant[where]
    }
    return dict(zip(rows, model.modality.shown(files, np.array(list(rows.values()), dtype=np.int64)), strict=True))
