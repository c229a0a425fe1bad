"""What the page sends, as JSON by a schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from headstart.serve.requests import FeedbackBody, from_json
from headstart.serve.routes import JSON, kind_of, serving_of

Name = Annotated[str, Field(max_length=1000)]
Ids = Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=100_000)]


class Body(BaseModel):
    """A body without anything that is not named here."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NewProject(Body):
    name: Name
    kind: Literal["photos", "table"]


class NewName(Body):
    name: Name


class MovedPhotos(Body):
    """Photos that are of another class."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)
    ids: Ids
    class_name: Name = Field(alias="class")


class SomePhotos(Body):
    ids: Ids


class Removed(Body):
    """What was removed at once, as the answer to that called it."""

    undo: Annotated[str, Field(max_length=64)]


class ChosenColumns(Body):
    """Columns of a table; null is what is found by itself, and what is not there stays as it is."""

    text: Name | list[Name] | None = None
    text2: Name | None = None
    label: Name | None = None
    labels: list[Name] | None = None
    delimiter: Name | None = None
    encoding: Name | None = None
    task: Name | None = None


class Change(Body):
    """What one example is, or that it goes."""

    where: Name | None = None
    photo: Name | None = None
    label: Name | None = None
    remove: bool = False


class Changes(Body):
    changes: list[Change] = Field(min_length=1, max_length=10_000)
    table: Name | None = None
    undo: bool = False  # rows of a table as they were, whatever the changes say


class Advanced(Body):
    model: Name = "auto"
    how: Name = "auto"


class NewRun(Body):
    budget: Name = "2m"
    advanced: Advanced = Advanced()


class NewExport(Body):
    run: int = Field(ge=1)
    format: Name
    quantize: Name | None = None


class Correction(FeedbackBody):
    """An input with what is right of it; the model is the project's."""


B = TypeVar("B", bound=BaseModel)


async def body_of(request: Request, body: type[B]) -> B:
    """What a request says. Raises RefusedError where it is not by the schema."""
    kind_of(request, JSON)
    async with serving_of(request).places.body(request) as content:
        return from_json(content, body)


def said_in(body: BaseModel) -> dict[str, Any]:
    """The fields that were sent, null among them."""
    return body.model_dump(include=body.model_fields_set)
