"""The examples of a project: what every kind of them can say and do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from headstart.data.read import read
from headstart.errors import DataError
from headstart.studio.facts import Facts
from headstart.studio.plain_folders import inside
from headstart.tasks.table import TASKS
from headstart.values import Columns, Dataset, Request

CHOICES = ("text", "text2", "label", "labels", "delimiter", "encoding")  # what a user may say of a table's columns


class ColumnFacts(Facts):
    """What a user has said of a table's columns, as a project keeps it: what could lead elsewhere is not among it."""

    text: str | list[str] | None = None
    text2: str | None = None
    label: str | None = None
    labels: list[str] | None = None
    delimiter: str | None = None
    encoding: str | None = None
    task: str | None = None


class SourceFacts(Facts):
    """What a job keeps of what it learns from or looks at."""

    data: str
    task: str
    columns: ColumnFacts
    feedback: str | None


class ClassFacts(Facts):
    """A class, as a file keeps it."""

    name: str
    n: int = Field(ge=0)


@dataclass(frozen=True)
class ClassCount:
    """A class, and how many examples it has."""

    name: str
    n: int

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "n": self.n}


@dataclass(frozen=True)
class Source:
    """What `fit` and `check` are given."""

    data: Path
    task: str
    columns: Columns | None = None
    feedback: Path | None = None

    def as_facts(self, top: Path) -> dict[str, Any]:
        """As a job keeps it: paths from a folder on."""
        columns = {} if self.columns is None else {k: v for k, v in vars(self.columns).items() if v is not None}
        feedback = None if self.feedback is None else self.feedback.relative_to(top).as_posix()
        data = self.data.relative_to(top).as_posix()
        return {"data": data, "task": self.task, "columns": columns, "feedback": feedback}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], top: Path) -> Source:
        """What `as_facts` was made of. Raises UserError where it leads out of the folder, in whatever way."""
        feedback = None if facts["feedback"] is None else inside(top, facts["feedback"])
        columns = columns_of(facts["columns"]) if facts["columns"] else None
        source = cls(inside(top, facts["data"]), facts["task"], columns, feedback)
        if source.data.is_file():
            dataset_in(source.data, source.columns or Columns(), source.task)
        return source


def columns_of(said: Mapping[str, Any]) -> Columns:
    """Columns of the names in a file, which may be a stranger's: what could lead elsewhere is not taken from it."""
    kept = {name: value for name in CHOICES if (value := said.get(name)) is not None}
    return Columns(**kept)


def dataset_in(path: Path, columns: Columns, task: str) -> Dataset:
    """The examples of a table.

    Raises:
        UserError: it cannot be learned from, or its cells name photos, which could be anybody's.
    """
    dataset = read(Request(path, None, None, task, None, columns, allow_rejected=True), TASKS)
    if not dataset.modality.in_tables:
        what = f"the table names {dataset.modality.noun}s, and only texts are learned from here"
        raise DataError(what, fix="make a project of photos, and drop them there")
    return dataset


class Examples(Protocol):
    """The examples of one project."""

    def classes(self) -> list[ClassCount]: ...

    def count(self) -> int | None:
        """How many there are; None: nobody has counted them yet."""
        ...

    def why_not(self) -> str | None:
        """What is missing before a model can be trained, in words for people; None: nothing."""
        ...

    def table(self) -> dict[str, Any] | None:
        """What a table holds and was taken for; None: there is none."""
        ...

    def fingerprint(self) -> str:
        """Another one where anything about them has changed."""
        ...

    def source(self) -> Source:
        """As they lie there, which may change. Raises UserError where there are none."""
        ...

    def snapshot(self, folder: Path) -> Source:
        """As they are now, in a folder that is not there yet; what is added, moved and removed later changes nothing
        there. Photos are the same files: who writes into one changes it in both.

        Raises:
            UserError: there are none, or they cannot be written.
        """
        ...
