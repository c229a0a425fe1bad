"""The examples of a project: what every kind of them can say and do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from headstart.errors import UserError, short_name
from headstart.values import Columns

CHOICES = ("text", "text2", "label", "labels", "delimiter", "encoding")  # what a user may say of a table's columns


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
        """What `as_facts` was made of. Raises UserError where it leads out of the folder."""
        feedback = None if facts["feedback"] is None else inside(top, facts["feedback"])
        columns = columns_of(facts["columns"]) if facts["columns"] else None
        return cls(inside(top, facts["data"]), facts["task"], columns, feedback)


def columns_of(said: Mapping[str, Any]) -> Columns:
    """Columns of the names in a file, which may be a stranger's: what could lead elsewhere is not taken from it."""
    kept = {name: value for name in CHOICES if (value := said.get(name)) is not None}
    return Columns(**kept)


def inside(top: Path, name: str) -> Path:
    """A path below a folder, of its name in a file that may be a stranger's. Raises UserError where it is not below."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not (top / path).resolve().is_relative_to(top.resolve()):
        raise UserError(f"{short_name(name)} is not in the project's folder", fix="make the project anew")
    return top / path


class Examples(Protocol):
    """The examples of one project."""

    def classes(self) -> list[ClassCount]: ...

    def count(self) -> int: ...

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
        """As they are now, in a folder that is not there yet; what is changed later does not change them there.

        Raises:
            UserError: there are none, or they cannot be written.
        """
        ...
