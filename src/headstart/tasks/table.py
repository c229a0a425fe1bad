"""The table of tasks: one row a task, in the order in which they come into question.

Whoever asks for a task reads `TASKS` in here when it is called, so that one more row is one more task everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headstart.task import Task
from headstart.tasks.answering import ANSWERING
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.multilabel import MULTILABEL
from headstart.tasks.regression import REGRESSION

TASKS: tuple[Task, ...] = (ANSWERING, MULTILABEL, REGRESSION, CLASSIFICATION)


def task_named(name: str) -> Task:
    """The task of this name; raises StopIteration where there is none."""
    return next(task for task in TASKS if task.name == name)


def task_saved_as(told: Mapping[str, Any]) -> Task | None:
    """The task that the model of a headstart.json is for; None: no task has saved it."""
    return next((task for task in TASKS if task.keeper.claims(told)), None)
