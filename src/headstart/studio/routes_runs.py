"""Trainings: asked for, followed, stopped; and what came of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from headstart.errors import UserError
from headstart.serve.refused import RefusedError, json_answer
from headstart.storage.places import as_json, as_utf8
from headstart.studio.bodies import NewRun, body_of
from headstart.studio.jobs import ENDED
from headstart.studio.numbered import number_of
from headstart.studio.runs import REPORT
from headstart.studio.studio import Studio, aside, opened, studio_of
from headstart.studio.workspace import Project

router = APIRouter(prefix="/api/projects/{id}/runs")
_RETRY = 2000  # milliseconds after which a browser connects again
_LOOKS_EVERY, _KEEPS_ALIVE = 1.0, 15.0  # seconds
_LAST = "over"  # the id of the last event
_REPORT = {  # the page has its own style and script in it, and gets nothing else; it cannot ask this server
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-scripts allow-popups",
    "X-Frame-Options": "SAMEORIGIN",
}


@router.post("")
async def ask(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, NewRun)
    studio.serving.refuse_while_draining()

    def work(project: Project) -> dict[str, Any]:
        runs = studio.runs(project)
        job = runs.ask(said.budget, model=said.advanced.model, how=said.advanced.how)
        return opened(studio, runs.state(number_of(job.folder)))

    return json_answer(await studio.changing(id, work), 202)


@router.get("/{number}")
async def one(request: Request, id: str, number: int) -> Response:
    studio = studio_of(request)
    return json_answer(await aside(lambda: _state(studio, id, number)))


def _state(studio: Studio, id: str, number: int) -> dict[str, Any]:
    return opened(studio, studio.runs(studio.workspace.project(id)).state(number))


@router.get("/{number}/events")
async def events(request: Request, id: str, number: int) -> Response:
    """The state, again whenever it changes, until the training is over or the server ends."""
    studio = studio_of(request)
    first = await aside(lambda: _state(studio, id, number))
    if request.headers.get("last-event-id") == _LAST and first["status"] in ENDED:
        return Response(status_code=204)  # so that a browser does not connect again
    return StreamingResponse(_events(studio, id, number), media_type="text/event-stream")


async def _events(studio: Studio, id: str, number: int) -> AsyncIterator[bytes]:
    yield f"retry: {_RETRY}\n\n".encode()
    before, said_at = "", time.monotonic()
    while not studio.serving.draining:
        try:
            state = await aside(lambda: _state(studio, id, number))
        except UserError:  # it was removed
            return
        over, text = state["status"] in ENDED, as_json(state, indent=None).strip()
        if text != before:
            before, said_at = text, time.monotonic()
            yield as_utf8(f"event: state\n{f'id: {_LAST}' if over else 'id: on'}\ndata: {text}\n\n")
        elif time.monotonic() - said_at > _KEEPS_ALIVE:
            said_at = time.monotonic()
            yield b": still there\n\n"
        if over:
            return
        await studio.jobs.until_changed(_LOOKS_EVERY)


@router.post("/{number}/stop")
async def stop(request: Request, id: str, number: int) -> Response:
    studio = studio_of(request)

    def work(project: Project) -> dict[str, Any]:
        runs = studio.runs(project)
        studio.jobs.stop(runs.job(number))
        return opened(studio, runs.state(number))

    return json_answer(await studio.changing(id, work))


@router.delete("/{number}")
async def remove(request: Request, id: str, number: int) -> Response:
    studio = studio_of(request)

    def work(project: Project) -> dict[str, Any]:
        job = studio.runs(project).job(number)
        if not job.is_over or studio.exports(project).is_busy_with(number):
            raise RefusedError(409, f"training {number} is under way, or a download of it", fix="stop it first")
        studio.workspace.remove(job.folder)
        return {"removed": number}

    return json_answer(await studio.changing(id, work))


@router.get("/{number}/report")
async def report(request: Request, id: str, number: int) -> Response:
    studio = studio_of(request)

    def work() -> Response:
        path = studio.runs(studio.workspace.project(id)).model(number) / REPORT
        if path.is_symlink() or not path.is_file():
            raise RefusedError(404, "there is no report of this training", fix="train again")
        return FileResponse(path, media_type="text/html", headers=_REPORT)

    return await aside(work)
