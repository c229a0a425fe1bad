"""An explanation of one input's prediction, whatever the model's task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headstart.backbone import Features
from headstart.data.learned import MadeOf, examples_in
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
    top: int,
) -> Explanation:
    """As `Model.explain`.

    Args:
        dataset: the input, checked. features, outputs: what the model makes of it. prediction: what it says.
        made: what the model was made of, while it is in memory.
    """
    direction = _direction(model, outputs, prediction, target)
    evidence = model.explainer.explain(dataset, outputs, direction)
    near, notes = _neighbours(model, features, made, top)
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
    model: Model, features: Features | None, made: MadeOf | None, top: int
) -> tuple[tuple[Neighbour, ...], tuple[str, ...]]:
    """The training examples that are most like the input, and why there are none."""
    if features is None or model.record is None:
        return (), ()
    kept = None if model.confidence is None else model.confidence.reference
    if kept is None:
        what = "the model keeps no training examples, so none that are like the input are shown"
        return (), (f"{what}; one that is fitted today has them",)
    if made is not None:
        some = made.dataset.take(kept.rows)
        examples: tuple[Sequence[str], Sequence[Any]] | None = (some.where, some.targets)
    else:
        examples = None if model.folder is None else examples_in(model.folder, kept.rows, model.head)
    if examples is None:
        return (), ("split.csv of the model is gone or was changed, so no training examples are shown",)
    return neighbours(features.matrix[0:1][0], Reference(kept.features, *examples), top), ()
