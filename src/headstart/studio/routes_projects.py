"""Projects: listed, made, renamed, removed."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from headstart.errors import UserError
from headstart.serve.refused import RefusedError, json_answer
from headstart.studio.bodies import NewName, NewProject, body_of
from headstart.studio.jobs import STOPPED
from headstart.studio.kinds import examples_of
from headstart.studio.studio import Studio, aside, opened, studio_of
from headstart.studio.workspace import Project

router = APIRouter(prefix="/api/projects")
_log = logging.getLogger("headstart.serve")


def in_short(studio: Studio, project: Project) -> dict[str, Any]:
    """How a project is listed: no table is read for that."""
    examples, runs = examples_of(project, studio.workspace), studio.runs(project)
    jobs = runs.jobs()
    last, done = next(reversed(jobs.values()), None), runs.last_done()
    if last is not None and last.status == STOPPED and done is not None:
        last = jobs[done]  # of which there is a model, as before
    return {
        "id": project.id,
        "name": project.name,
        "kind": project.kind,
        "created": project.created,
        "n_examples": examples.count(),
        "classes": [each.to_json() for each in examples.classes()],
        "run": None if last is None else runs.in_short(last),
        "damaged": None,
    }


def listed_as(studio: Studio, id: str) -> dict[str, Any]:
    """How a project is listed, also where it is damaged: then with why, and what to do."""
    try:
        return in_short(studio, studio.workspace.project(id))
    except UserError as error:
        why = "; ".join(part for part in (error.what, error.fix) if part)
    except Exception:  # nobody foresaw it; the other projects have nothing to do with it
        _log.exception("the project %s cannot be listed", ascii(id))
        why = "something in its folder is not as it should be; the server's log says more"
    empty: dict[str, Any] = {"created": "", "n_examples": 0, "classes": [], "run": None}
    return {"id": id, "name": id, "kind": "", **empty, "damaged": why}


def described(studio: Studio, project: Project) -> dict[str, Any]:
    """All that a project's page shows first."""
    examples = examples_of(project, studio.workspace)
    runs, exports = studio.runs(project), studio.exports(project)
    table, why_not = examples.table(), examples.why_not()
    return {
        **in_short(studio, project),
        "table": table,
        "runs": [opened(studio, runs.without_result(job)) for job in runs.jobs().values()],
        "exports": [opened(studio, exports.state(job)) for job in exports.jobs().values()],
        "changed": runs.changed(),
        "can_train": why_not is None,
        "why_not": why_not,
    }


@router.get("")
async def listed(request: Request) -> Response:
    studio = studio_of(request)

    def work() -> dict[str, Any]:
        projects = [listed_as(studio, id) for id in studio.workspace.ids()]
        projects.sort(key=lambda project: (project["created"], project["id"]), reverse=True)
        return {"projects": projects, "folder": str(studio.workspace.folder)}

    return json_answer(await aside(work))


@router.post("")
async def make(request: Request) -> Response:
    studio, said = studio_of(request), await body_of(request, NewProject)
    work = partial(studio.workspace.create, said.name, said.kind)
    return json_answer(described(studio, await studio.alone("", work)), 201)


@router.get("/{id}")
async def one(request: Request, id: str) -> Response:
    studio = studio_of(request)
    return json_answer(await studio.changing(id, partial(described, studio)))


@router.patch("/{id}")
async def rename(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, NewName)
    return json_answer(await studio.changing(id, lambda project: described(studio, project.renamed(said.name))))


@router.delete("/{id}")
async def remove(request: Request, id: str) -> Response:
    studio = studio_of(request)

    def work() -> dict[str, Any]:
        folder = studio.workspace.folder_of(id)  # damaged ones go, too
        if studio.jobs.within(folder):
            raise RefusedError(409, f"something is under way in {id}", fix="stop it, or wait for it")
        studio.workspace.remove(folder)
        return {"removed": id}

    return json_answer(await studio.alone(id, work))


@router.get("/{id}/model")
async def model(request: Request, id: str) -> Response:
    """What the model of the last training can do, as /v1/models says it."""
    studio = studio_of(request)
    return json_answer(await aside(lambda: studio.serving.named(id).about(feedback=True)))
