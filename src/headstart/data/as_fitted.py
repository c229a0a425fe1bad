"""Data that a saved model is measured on: read by its task and columns, and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from headstart.data.check import check, refuse_empty
from headstart.data.read import read, refuse_odd
from headstart.inputs.modality import Modality
from headstart.progress import Progress
from headstart.task import Task
from headstart.values import Columns, Dataset, Request


def read_as_fitted(
    data: Any,
    labels: Any = None,
    groups: Any = None,
    *,
    task: Task,
    modality: Modality,
    columns: Columns | None,
    known: Columns | None,
    progress: Progress,
) -> Dataset:
    """Examples with their targets, unchecked.

    Args:
        columns: that the user names. known: those of the fit, for what is not named.

    Raises:
        DataError: they cannot be read, or are not what the model takes.
    """
    refuse_odd(columns)
    asked = replace(columns or Columns(), known=known)
    request = Request(data, labels, groups, task=task.name, kind=modality.name, columns=asked)
    with progress.step("read"):
        return read(request, [task])


def checked_as_fitted(dataset: Dataset, *, progress: Progress) -> Dataset:
    """Those of the examples that can be used; raises DataError where there are none."""
    with progress.step("check", len(dataset)) as advance:
        dataset = check(dataset, purpose="evaluate", advance=advance)
    refuse_empty(dataset)
    return dataset
