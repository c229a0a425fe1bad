"""What one running studio consists of, and the project that a request is about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request

from headstart.serve.serving import Serving
from headstart.serve.settings import Settings
from headstart.serve.tickets import with_ticket
from headstart.studio.checks import Checks
from headstart.studio.exports import Exports
from headstart.studio.jobs import Jobs, unfinished
from headstart.studio.kinds import KINDS
from headstart.studio.models import ProjectModels
from headstart.studio.runs import Runs
from headstart.studio.uploads import Uploads
from headstart.studio.workspace import Project, Workspace

T = TypeVar("T")


@dataclass
class Studio:
    """A studio's parts."""

    workspace: Workspace
    serving: Serving
    jobs: Jobs
    uploads: Uploads = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.workspace)

    @classmethod
    def of(cls, settings: Settings, workspace: Workspace) -> Studio:
        """The parts of a studio that does not run yet."""
        jobs = Jobs()
        return cls(workspace, Serving.of(settings, ProjectModels(workspace, jobs)), jobs)

    def projects(self) -> list[Project]:
        """All projects whose kind this version knows, the newest first."""
        return [project for project in self.workspace if project.kind in KINDS]

    def runs(self, project: Project) -> Runs:
        return Runs(project, self.workspace, self.jobs)

    def exports(self, project: Project) -> Exports:
        return Exports(project, self.workspace, self.jobs)

    def checks(self, project: Project) -> Checks:
        return Checks(project, self.workspace, self.jobs)

    @contextmanager
    def changing(self, id: str) -> Iterator[Project]:
        """A project that no other request changes meanwhile. Raises RefusedError where there is none."""
        self.workspace.project(id)
        with self.workspace.alone(id):
            yield self.workspace.project(id)

    def find_unfinished(self) -> None:
        """Take up the jobs that servers before this one have left."""
        for project in self.projects():
            for numbered in (self.runs(project).folders, self.checks(project).folders, self.exports(project).folders):
                for job in unfinished(numbered.folders().values()):
                    self.jobs.add(job)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the studio runs: its models, and what starts and watches the jobs."""
        await asyncio.to_thread(self.find_unfinished)
        async with self.serving.running():
            watching = asyncio.create_task(self.jobs.run())
            try:
                yield
            finally:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching


def studio_of(request: Request) -> Studio:
    """The studio that was asked."""
    studio: Studio = request.app.state.studio
    return studio


def opened(studio: Studio, said: dict[str, Any]) -> dict[str, Any]:
    """What is said of a training or a download, its addresses with a ticket where the server has a token."""
    token = studio.serving.settings.token
    if token is None:
        return said
    files = {name: address and _with_ticket(address, token) for name, address in said.get("files", {}).items()}
    download = {"download": _with_ticket(said["download"], token)} if said.get("download") else {}
    return {**said, **({"files": files} if files else {}), **download}


def _with_ticket(address: str, token: str) -> str:
    return with_ticket(f"/{address}", token)[1:]


async def aside(work: Callable[[], T]) -> T:
    """What a thread makes of it, while others are answered."""
    return await asyncio.to_thread(work)
