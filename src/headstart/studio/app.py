"""The studio as an ASGI application: the page, its API, and the server's own routes, by which models are tried."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from headstart import __version__
from headstart.errors import OutputError, first_line
from headstart.serve import routes
from headstart.serve.app import guard
from headstart.serve.files import file_answer, files_of
from headstart.serve.refused import RefusedError, refusal
from headstart.serve.settings import Settings
from headstart.studio import looked_at, routes_examples, routes_exports, routes_photos, routes_projects, routes_runs
from headstart.studio.page_tickets import has_ticket
from headstart.studio.studio import Studio
from headstart.studio.workspace import Workspace

_PAGE = Path(__file__).parent / "static"
_OPEN = ("/healthz", "/readyz")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_log = logging.getLogger("headstart.serve")
_NO_PAGE = "headstart studio: the page is not in this package\n"


def create_app(settings: Settings, workspace: Workspace) -> FastAPI:
    """The application for a workspace."""
    studio = Studio.of(settings, workspace)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with studio.running():
            yield

    app = FastAPI(title="headstart studio", version=__version__, openapi_url=None, lifespan=lifespan)
    app.state.studio, app.state.serving = studio, studio.serving
    for each in (routes_projects, routes_photos, routes_examples, routes_runs, routes_exports, looked_at, routes):
        app.include_router(each.router)
    app.add_exception_handler(RequestValidationError, _odd_address)
    public, token = {*_OPEN, *_add_page(app)}, settings.token
    guard(app, studio.serving, lambda path: path in public or has_ticket(path, token))
    for kind in (OutputError, OSError):
        app.add_exception_handler(kind, _cannot_write)
    return app


def _add_page(app: FastAPI) -> set[str]:
    files = files_of(_PAGE, "/")

    async def file(request: Request) -> Response:
        found = file_answer(files, request)
        return Response(_NO_PAGE, media_type="text/plain") if found is None else found

    for path in {"/", *files}:
        app.add_api_route(path, file, methods=["GET"], include_in_schema=False)
    return {"/", *files}


async def _cannot_write(request: Request, error: Exception) -> Response:
    """What the disk does not do: it is full, somebody may not write there, or something else has a name on it."""
    cause = error.__cause__ if isinstance(error, OutputError) else error
    _log.error("%s", " ".join(str(error).split()))
    if isinstance(cause, OSError) and cause.errno in _FULL:
        return refusal(RefusedError(507, "the disk is full", fix="free some space, then try again"))
    folder: Workspace = request.app.state.studio.workspace
    where = str(getattr(cause, "filename2", None) or getattr(cause, "filename", None) or "")
    where = where.removeprefix(f"{folder.folder}{os.sep}") if where.startswith(str(folder.folder)) else ""
    said = cause.strerror or first_line(cause) if isinstance(cause, OSError) else first_line(error)
    fix = "nothing was changed; look whether its folder can be written, then try again"
    return refusal(RefusedError(503, f"it cannot be written or read: {said}", where=where, fix=fix))


async def _odd_address(request: Request, error: Exception) -> Response:
    """A part of an address, behind its ? say, that is not what belongs there."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return refusal(RefusedError(422, str(first["msg"]), where=where[:80]))
