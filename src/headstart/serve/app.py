"""The server as an ASGI application: its routes; around them what answers for failures, the door, and the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from headstart import __version__
from headstart.errors import OutputError, UserError
from headstart.serve import inference_routes, routes
from headstart.serve.failures import Failures
from headstart.serve.files import DOCS, PAGE, file_answer, files_of
from headstart.serve.log import Log
from headstart.serve.models import Shelf
from headstart.serve.refused import RefusedError, json_answer, refusal
from headstart.serve.schemas import openapi_of
from headstart.serve.security import Door
from headstart.serve.serving import Serving
from headstart.serve.settings import Settings

_OPEN = ("/healthz", "/readyz", "/openapi.json", "/v2/health/live", "/v2/health/ready")
_NO_PAGE = "headstart serve: the API is described at /docs\n"
_BY_PROTOCOL = {404: "there is nothing at this address", 405: "this address takes another method"}
_GONE = 499  # what nginx writes down where the client went away
_log = logging.getLogger("headstart.serve")


def create_app(settings: Settings, shelf: Shelf) -> FastAPI:
    """The application that serves these models.

    Raises:
        UserError: the folder for feedback cannot be used.
    """
    serving = Serving.of(settings, shelf)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with serving.running():
            yield

    app = FastAPI(title="headstart serve", version=__version__, openapi_url=None, lifespan=lifespan)
    app.state.serving = serving
    app.include_router(routes.router)
    if serving.feedback is not None:
        app.include_router(routes.feedback_router)
    app.include_router(inference_routes.router)
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]
    public = {*_OPEN, *_add_files(app)}
    guard(app, serving, public.__contains__)
    return app


def guard(app: FastAPI, serving: Serving, public: Callable[[str], bool]) -> None:
    """Put around the routes what answers for failures, the door, and the log.

    Args:
        public: whether a path is one that anybody may get who reaches the server.
    """
    _add_errors(app)
    app.add_middleware(Failures)
    app.add_middleware(Door, settings=serving.settings, public=public)
    app.add_middleware(Log, metrics=serving.metrics)


def _add_files(app: FastAPI) -> set[str]:
    """The page and the documentation, as they lie in the package now. Gives their paths."""
    files = {**files_of(PAGE, "/"), **files_of(DOCS, "/docs/")}

    async def file(request: Request) -> Response:
        found = file_answer(files, request)
        return Response(_NO_PAGE, media_type="text/plain") if found is None else found

    async def openapi(request: Request) -> Response:
        return json_answer(app.openapi())

    app.add_api_route("/openapi.json", openapi, include_in_schema=False)
    for path in {"/", *files}:
        app.add_api_route(path, file, methods=["GET"], include_in_schema=False)
    return {"/", *files}


def _add_errors(app: FastAPI) -> None:
    """What is wrong with a request is JSON with one line in it."""

    async def refused(request: Request, error: Exception) -> Response:
        if isinstance(error, OutputError):  # the place that it would be written to, not what was sent
            _log.error("%s", " ".join(str(error).split()))
            return json_answer({"error": "it cannot be stored now; look at the server's log"}, 503)
        if isinstance(error, UserError):
            return refusal(error)
        raise error

    async def by_protocol(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        what = _BY_PROTOCOL.get(error.status_code, str(error.detail))
        return refusal(RefusedError(error.status_code, what, fix="see /docs", headers=dict(error.headers or {})))

    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=_GONE)  # nobody reads it

    handlers: dict[type[Exception], Any] = {
        UserError: refused,
        HTTPException: by_protocol,
        ClientDisconnect: gone,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
