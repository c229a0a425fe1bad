"""An explanation of one input's prediction, whatever the model's task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.encode.encode import encode_rows
from headstart.errors import DataError, UserError
from headstart.explain.explanation import Explanation
from headstart.explain.neighbours import Neighbour, Reference, neighbours
from headstart.progress import note
from headstart.task import Direction, Task
from headstart.values import Dataset

if TYPE_CHECKING:
    from headstart.model import Model


def explained(
    model: Model, dataset: Dataset, name: str, target: str | None, *, reference: Reference | None, top: int
) -> Explanation:
    """As `Model.explain`.

    Args:
        dataset: the input, checked. name: what the user calls it.
        reference: training examples whose features are known; None: they are not.
    """
    if not len(dataset):
        reason = next((finding.reason for finding in dataset.findings), "it cannot be read")
        raise DataError(reason, where=name)
    task, rows = model.task, np.arange(1)
    remarks = model.modality.remarks(dataset, rows, model.backbone)
    remarks.tell(note)
    features = encode_rows(dataset, rows, model.backbone, keep=False) if task.learner.encodes else None
    outputs = model.predictor.outputs(dataset, rows, known=features, keep=False, advance=lambda _: None)
    (prediction,) = task.words.predictions(model.head, outputs, [name], {}, top)
    direction = _direction(task, model.head, outputs, prediction, target)
    evidence = model.explainer.explain(dataset, outputs, direction)
    near: tuple[Neighbour, ...] = ()
    if reference is not None and features is not None:
        near = neighbours(features.matrix[0:1][0], reference, top)
    row = task.words.row(prediction)
    return Explanation(
        prediction=prediction,
        row=row,
        said=task.words.line(row),
        target=None if direction is None else direction.name,
        evidence=evidence,
        neighbours=near,
        notes=evidence.notes,
    )


def _direction(task: Task, head: Any, outputs: Any, prediction: Any, target: str | None) -> Direction | None:
    """What of the answer is explained; None: the model asks itself."""
    if task.direction is not None:
        return task.direction(head, outputs[0], prediction, target)
    if target is not None:
        raise UserError(f"{task.name} has no classes, and {target!r} is asked for", fix="leave the class out")
    return None
