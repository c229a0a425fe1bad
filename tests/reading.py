"""The user's data read as any of the tasks, as `fit` reads them."""

from __future__ import annotations

from typing import Any

from headstart.data.read import read as read_request
from headstart.tasks.table import TASKS
from headstart.values import Columns, Dataset, Request


def read(data: Any, labels: Any = None, *, columns: Columns | None = None, test: Any = 0.2) -> Dataset:
    return read_request(Request(data, labels, task="classification", columns=columns, test=test), TASKS)


def read_questions(data: Any, test: Any = 0.2) -> Dataset:
    return read_request(Request(data, task="answering", test=test), TASKS)
