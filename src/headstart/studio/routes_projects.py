"""Projects: listed, made, renamed, removed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from headstart.serve.refused import RefusedError, json_answer
from headstart.studio.bodies import NewName, NewProject, body_of
from headstart.studio.kinds import examples_of
from headstart.studio.studio import Studio, aside, opened, studio_of
from headstart.studio.workspace import Project

router = APIRouter(prefix="/api/projects")


def in_short(studio: Studio, project: Project) -> dict[str, Any]:
    """How a project is listed."""
    classes = examples_of(project, studio.workspace).classes()
    runs = studio.runs(project)
    last = next(reversed(runs.jobs().values()), None)
    return {
        "id": project.id,
        "name": project.name,
        "kind": project.kind,
        "created": project.created,
        "n_examples": examples_of(project, studio.workspace).count(),
        "classes": [each.to_json() for each in classes],
        "run": None if last is None else runs.in_short(last),
    }


def described(studio: Studio, project: Project) -> dict[str, Any]:
    """All that a project's page shows first."""
    examples = examples_of(project, studio.workspace)
    runs, exports = studio.runs(project), studio.exports(project)
    why_not = examples.why_not()
    return {
        **in_short(studio, project),
        "table": examples.table(),
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
        projects = [in_short(studio, project) for project in studio.projects()]
        return {"projects": projects, "folder": str(studio.workspace.folder)}

    return json_answer(await aside(work))


@router.post("")
async def make(request: Request) -> Response:
    studio, said = studio_of(request), await body_of(request, NewProject)
    return json_answer(await aside(lambda: described(studio, studio.workspace.create(said.name, said.kind))), 201)


@router.get("/{id}")
async def one(request: Request, id: str) -> Response:
    studio = studio_of(request)
    return json_answer(await aside(lambda: described(studio, studio.workspace.project(id))))


@router.patch("/{id}")
async def rename(request: Request, id: str) -> Response:
    studio, said = studio_of(request), await body_of(request, NewName)
    return json_answer(await aside(lambda: described(studio, studio.workspace.rename(id, said.name))))


@router.delete("/{id}")
async def remove(request: Request, id: str) -> Response:
    studio = studio_of(request)

    def work() -> dict[str, Any]:
        with studio.changing(id) as project:
            if studio.jobs.within(project.folder):
                raise RefusedError(409, f"something is under way in {project.name}", fix="stop it, or wait for it")
            studio.workspace.remove(project.folder)
        return {"removed": id}

    return json_answer(await aside(work))


@router.get("/{id}/model")
async def model(request: Request, id: str) -> Response:
    """What the model of the last training can do, as /v1/models says it."""
    studio = studio_of(request)
    return json_answer(await aside(lambda: studio.serving.named(id).about(feedback=True)))
