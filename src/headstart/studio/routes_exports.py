"""Downloads; and an example that was corrected while the model was tried."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from headstart.serve.feedback import Feedback
from headstart.serve.models import Served
from headstart.serve.refused import RefusedError, json_answer
from headstart.serve.routes import FORM, JSON, asked, kind_of
from headstart.studio.bodies import Correction, NewExport, body_of
from headstart.studio.kinds import examples_of
from headstart.studio.photos import Photos
from headstart.studio.studio import Studio, aside, opened, studio_of
from headstart.studio.uploads import Upload
from headstart.studio.workspace import CORRECTED, Project

router = APIRouter(prefix="/api/projects/{id}")


@router.post("/exports")
async def ask(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, NewExport)
    studio.serving.refuse_while_draining()

    def work(project: Project) -> dict[str, Any]:
        exports = studio.exports(project)
        return opened(studio, exports.state(exports.ask(said.run, said.format, said.quantize)))

    return json_answer(await studio.changing(id, work), 202)


@router.get("/exports/{number}")
async def one(request: Request, id: str, number: int) -> Response:
    studio = studio_of(request)

    def work() -> dict[str, Any]:
        exports = studio.exports(studio.workspace.project(id))
        return opened(studio, exports.state(exports.job(number)))

    return json_answer(await aside(work))


@router.get("/exports/{number}/download")
async def download(request: Request, id: str, number: int) -> Response:
    studio = studio_of(request)
    path = await aside(lambda: studio.exports(studio.workspace.project(id)).file(number))
    return FileResponse(path, media_type="application/zip", filename=path.name)


@router.post("/correct")
async def correct(request: Request, id: str) -> Response:
    """Add an input with what is right of it to the project's examples; the next training learns from it."""
    studio = studio_of(request)
    kind_of(request, JSON, FORM)
    async with studio.serving.places.body(request) as content:
        name = partial(_of_project, id)
        read = partial(asked, studio.serving, request, content, Correction, several=False, name=name)
        served, given, said = await studio.serving.answers.aside(read)
        (value,) = given.values
        if isinstance(value, Exception):
            raise value
        return json_answer(
            await studio.changing(id, lambda project: _added(studio, project, served, value, given.names[0], said))
        )


def _of_project(id: str, said: str | None) -> str:
    """The name of the model that an input was tried on. Raises RefusedError where it is of another project."""
    if said is not None and said.partition(".")[0] != id:
        raise RefusedError(422, "the model is of another project", where="model", fix="leave it out")
    return said or id


def _added(studio: Studio, project: Project, served: Served, value: Any, name: str, said: Correction) -> dict[str, Any]:
    examples = examples_of(project, studio.workspace)
    if not isinstance(examples, Photos):
        store = Feedback(project.folder / CORRECTED, (), studio.serving.settings.limits)
        stored = store.store(replace(served, name=CORRECTED), value, said.label, new=said.new)
        return {"added": True, "replaced": stored.replaced}
    if not isinstance(said.label, str):
        raise RefusedError(422, "a photo is of one class", where="label", fix="send the name of a class")
    label = examples.add_class(said.label) if said.new else said.label
    with studio.workspace.room() as room:
        upload = Upload.of(name, value, room / "photo", most=studio.workspace.limits.photo_bytes)
        return {"added": True, **examples.correct(upload, label)}
