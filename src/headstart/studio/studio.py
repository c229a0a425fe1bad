"""What one running studio consists of, and the project that a request is about."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from fastapi import Request

from headstart.errors import UserError
from headstart.serve.serving import Serving
from headstart.serve.settings import Settings
from headstart.serve.tickets import with_ticket
from headstart.studio.checks import Checks
from headstart.studio.exports import Exports
from headstart.studio.jobs import Jobs, unfinished
from headstart.studio.models import ProjectModels
from headstart.studio.page_tickets import look_address
from headstart.studio.runs import Runs
from headstart.studio.uploads import Uploads
from headstart.studio.workspace import Project, Workspace

T = TypeVar("T")
_log = logging.getLogger("headstart.serve")


@dataclass
class Studio:
    """A studio's parts."""

    workspace: Workspace
    serving: Serving
    jobs: Jobs
    uploads: Uploads = field(init=False)
    _alone: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.workspace)

    @classmethod
    def of(cls, settings: Settings, workspace: Workspace) -> Studio:
        """The parts of a studio that does not run yet."""
        jobs = Jobs()
        return cls(workspace, Serving.of(settings, ProjectModels(workspace, jobs)), jobs)

    def runs(self, project: Project) -> Runs:
        return Runs(project, self.workspace, self.jobs)

    def exports(self, project: Project) -> Exports:
        return Exports(project, self.workspace, self.jobs)

    def checks(self, project: Project) -> Checks:
        return Checks(project, self.workspace, self.jobs)

    async def alone(self, id: str, work: Callable[[], T]) -> T:
        """What a thread makes of it while nobody else has this project; who waits for that takes no thread."""
        lock = self._alone.get(id) or self._alone.setdefault(id, asyncio.Lock())
        async with lock:
            return await aside(work)

    async def changing(self, id: str, work: Callable[[Project], T]) -> T:
        """What a thread makes of a project that no other request changes meanwhile.

        Raises:
            RefusedError: there is none.
        """
        return await self.alone(id, lambda: work(self.workspace.project(id)))

    def find_unfinished(self) -> None:
        """Take up the jobs that servers before this one have left."""
        for id in self.workspace.ids():
            try:
                project = self.workspace.project(id)
                for each in (self.runs(project), self.checks(project), self.exports(project)):
                    for job in unfinished(each.folders.folders().values()):
                        self.jobs.add(job)
            except (UserError, OSError) as error:
                _log.error("%s: its jobs are not taken up: %s", id, "; ".join(str(error).splitlines()))

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
    if said.get("page"):
        said = {**said, "page": look_address(said["page"], token)}
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
