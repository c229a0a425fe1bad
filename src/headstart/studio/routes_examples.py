"""A table; the look at the examples, whatever they are; and what is mended in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from headstart.serve.refused import RefusedError, json_answer
from headstart.studio.bodies import Change, Changes, ChosenColumns, body_of, said_in
from headstart.studio.corrections import Corrections
from headstart.studio.kinds import examples_of, table_of
from headstart.studio.numbered import number_of
from headstart.studio.photos import Photos
from headstart.studio.studio import aside, studio_of
from headstart.studio.workspace import Project

router = APIRouter(prefix="/api/projects/{id}")


@router.post("/table")
async def put_table(request: Request, id: str) -> Response:
    studio = studio_of(request)
    await aside(lambda: table_of(studio.workspace.project(id), studio.workspace))  # before anything is sent
    async with studio.uploads.taken(request, most_files=1, most_bytes=studio.workspace.limits.table_bytes) as files:

        def work(project: Project) -> dict[str, Any] | None:
            if not files:
                raise RefusedError(400, "there is no file in it", where="files", fix="send one")
            return table_of(project, studio.workspace).put(files[0]).table()

        return json_answer(await studio.changing(id, work))


@router.get("/table")
async def table(request: Request, id: str) -> Response:
    studio = studio_of(request)

    def work(project: Project) -> dict[str, Any]:
        about = table_of(project, studio.workspace).table()
        if about is None:
            raise RefusedError(404, "there is no table yet", fix="add one")
        return about

    return json_answer(await studio.changing(id, work))


@router.patch("/table")
async def choose(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, ChosenColumns)

    def work(project: Project) -> dict[str, Any] | None:
        return table_of(project, studio.workspace).choose(said_in(said)).table()

    return json_answer(await studio.changing(id, work))


@router.post("/check")
async def check(request: Request, id: str) -> Response:
    studio = studio_of(request)

    def work(project: Project) -> dict[str, Any]:
        return {"job": number_of(studio.checks(project).ask().folder)}

    return json_answer(await studio.changing(id, work), 202)


@router.get("/check")
async def checked(request: Request, id: str) -> Response:
    studio = studio_of(request)
    return json_answer(await aside(lambda: studio.checks(studio.workspace.project(id)).state()))


@router.post("/labels")
async def mend(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, Changes)

    def work(project: Project) -> dict[str, Any]:
        examples = examples_of(project, studio.workspace)
        if isinstance(examples, Photos):
            n, undo = _mended(examples, said.changes)
            return {"changed": n, "undo": undo}
        changes = [change.model_dump() for change in said.changes]
        table = studio.checks(project).table() or ""
        corrections = Corrections(project, studio.workspace)
        return {"changed": corrections.apply(changes, said.table or table, undo=said.undo)}

    return json_answer(await studio.changing(id, work))


def _mended(photos: Photos, changes: Sequence[Change]) -> tuple[int, str | None]:
    """Photos of another class, or removed; gives how many, and what these are called among what was removed.

    Nothing is done where one of the changes cannot be.
    """
    there = photos.names()
    for number, change in enumerate(changes, start=1):
        if change.photo is None or not (change.remove or change.label in there):
            what = "it names no photo" if change.photo is None else "there is no such class"
            raise RefusedError(422, what, where=f"change {number}", fix="load the page again")
    by_label: dict[str, list[str]] = {}
    for change in changes:
        if not change.remove and change.label is not None and change.photo is not None:
            by_label.setdefault(change.label, []).append(change.photo)
    gone = [change.photo for change in changes if change.remove and change.photo is not None]
    moved = sum(photos.move(ids, label) for label, ids in by_label.items())
    n, undo = photos.remove(gone)
    return moved + n, undo
