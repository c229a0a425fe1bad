"""The table of tasks: one row a task, in the order in which they come into question."""

from __future__ import annotations

from headstart.task import Task
from headstart.tasks.answering import ANSWERING
from headstart.tasks.classification import CLASSIFICATION
from headstart.tasks.multilabel import MULTILABEL
from headstart.tasks.regression import REGRESSION

TASKS: tuple[Task, ...] = (ANSWERING, MULTILABEL, REGRESSION, CLASSIFICATION)
