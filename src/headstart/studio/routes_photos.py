"""Photos and their classes."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from headstart.errors import DataError
from headstart.serve.refused import RefusedError, json_answer
from headstart.studio.bodies import MovedPhotos, NewName, Removed, SomePhotos, body_of
from headstart.studio.kinds import photos_of
from headstart.studio.photo_files import SIDES, Photo, checked, picture
from headstart.studio.removed import take_back
from headstart.studio.studio import Studio, aside, studio_of
from headstart.studio.workspace import Project

router = APIRouter(prefix="/api/projects/{id}")
_FOR_EVER = "private, max-age=31536000, immutable"  # an id is of the content, among others
_MOST = 1000  # photos of one answer
ClassName = Annotated[str, Query(alias="class", max_length=1000)]


@router.post("/classes")
async def add_class(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, NewName)

    def work(project: Project) -> dict[str, Any]:
        return {"name": photos_of(project, studio.workspace).add_class(said.name)}

    return json_answer(await studio.changing(id, work), 201)


@router.patch("/classes/{name}")
async def rename_class(request: Request, id: str, name: str) -> Response:
    """`merged` says whether a class was called so already, so that the photos of both are together now."""
    studio, said = studio_of(request), await body_of(request, NewName)

    def work(project: Project) -> dict[str, Any]:
        named, merged = photos_of(project, studio.workspace).rename_class(name, said.name)
        return {"name": named, "merged": merged}

    return json_answer(await studio.changing(id, work))


@router.delete("/classes/{name}")
async def remove_class(request: Request, id: str, name: str) -> Response:
    studio = studio_of(request)

    def work(project: Project) -> dict[str, Any]:
        return {"removed": name, "undo": photos_of(project, studio.workspace).remove_class(name)}

    return json_answer(await studio.changing(id, work))


@router.post("/photos")
async def add(request: Request, id: str, name: ClassName) -> Response:
    studio = studio_of(request)
    limits = studio.workspace.limits
    await aside(partial(_refuse_unknown, studio, id, name))  # before anything is sent
    taking = studio.uploads.taken(request, most_files=limits.files, most_bytes=limits.photo_bytes)
    async with taking as files:
        looked_at = await asyncio.gather(*(studio.serving.answers.aside(partial(checked, file)) for file in files))

        def work(project: Project) -> dict[str, Any]:
            return photos_of(project, studio.workspace).add(looked_at, name)

        return json_answer(await studio.changing(id, work))


def _refuse_unknown(studio: Studio, id: str, name: str) -> None:
    photos_of(studio.workspace.project(id), studio.workspace).of(name)


@router.get("/photos")
async def listed(
    request: Request,
    id: str,
    name: ClassName,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> Response:
    studio = studio_of(request)

    def work() -> dict[str, Any]:
        there = photos_of(studio.workspace.project(id), studio.workspace).of(name)
        return {"total": len(there), "photos": [photo.to_json() for photo in there[offset : offset + limit]]}

    return json_answer(await aside(work))


@router.get("/photos/{photo}/picture")
async def shown(request: Request, id: str, photo: str, side: Annotated[int, Query(ge=1, le=4096)] = 160) -> Response:
    studio = studio_of(request)
    size = next((each for each in SIDES if each >= side), SIDES[-1])

    def find() -> Photo:
        return photos_of(studio.workspace.project(id), studio.workspace).photo(photo)

    def made() -> bytes:
        try:
            return picture(find().path, size)
        except (DataError, OSError):
            raise RefusedError(404, "the photo cannot be shown", fix="it may have been removed") from None

    content = await studio.serving.answers.aside(made)
    return Response(content, headers={"Cache-Control": _FOR_EVER}, media_type="image/jpeg")


@router.patch("/photos")
async def move(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, MovedPhotos)

    def work(project: Project) -> dict[str, Any]:
        return {"moved": photos_of(project, studio.workspace).move(said.ids, said.class_name)}

    return json_answer(await studio.changing(id, work))


@router.delete("/photos")
async def remove(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, SomePhotos)

    def work(project: Project) -> dict[str, Any]:
        n, undo = photos_of(project, studio.workspace).remove(said.ids)
        return {"removed": n, "undo": undo}

    return json_answer(await studio.changing(id, work))


@router.post("/photos/back")
async def bring_back(request: Request, id: str) -> Response:
    """What was removed at once is where it was: `undo` of the answer says what."""
    studio, said = studio_of(request), await body_of(request, Removed)

    def work(project: Project) -> dict[str, Any]:
        return {"back": take_back(project, studio.workspace, said.undo)}

    return json_answer(await studio.changing(id, work))
