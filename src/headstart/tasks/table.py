"""The table of tasks: one row a task, in the order in which they come into question.

Whoever asks for a task reads `TASKS` in here when it is called, so that one more row is one more task everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.errors import ModelError, UserError
from headstart.pretrained.description import FILE
from headstart.pretrained.schema import NAME, checked
from headstart.task import Task
from headstart.tasks.answering import ANSWERING
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.multilabel import MULTILABEL
from headstart.tasks.regression import REGRESSION

TASKS: tuple[Task, ...] = (ANSWERING, MULTILABEL, REGRESSION, CLASSIFICATION)


def task_named(name: str) -> Task:
    """The task of this name; raises UserError where there is none."""
    found = next((task for task in TASKS if task.name == name), None)
    if found is None:
        names = ", ".join(task.name for task in reversed(TASKS))
        raise UserError(f"unknown task {str(name)!r}", where="--task", fix=f"one of: {names}")
    return found


def task_saved_as(saved: Mapping[str, Any], folder: Path) -> Task | None:
    """The task that the model of a headstart.json is for; None: no task has saved it.

    Folders that were saved before tasks were written, or that somebody wrote, do not say it: their head does.

    Raises:
        ModelError: it says something else than a task that is known.
    """
    if "task" not in saved:
        return next((task for task in TASKS if task.keeper.claims(saved)), None)
    title = checked(saved["task"], lambda value, _: NAME(value, "task"), str(folder / FILE), ours=True)
    found = next((task for task in TASKS if title in task.titles.values()), None)
    if found is None:
        fix = "a newer headstart may know it; if none wrote it, the file is damaged: save or copy it again"
        raise ModelError(f"unknown task {title!r}", where=str(folder / FILE), fix=fix)
    return found
