"""A web page that was made, at an address of the studio, to be looked at before it is at a host.

Its code comes from the package, not from the folder, which may be a stranger's; of that it has only the model.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from headstart.export.to_web import PAGE
from headstart.serve.files import file_type
from headstart.studio.studio import aside, studio_of

router = APIRouter(prefix="/look")
_CODE = {file.name: file for file in PAGE.iterdir() if file.is_file()}
_HEADERS = {  # as its own index.html has it, also for its worker
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


@router.get("/{id}/{number}/{ticket}/")
async def page(request: Request, id: str, number: int, ticket: str) -> Response:
    return await file(request, id, number, ticket, "index.html")


@router.get("/{id}/{number}/{ticket}/{name}")
async def file(request: Request, id: str, number: int, ticket: str, name: str) -> Response:
    studio = studio_of(request)

    def find() -> Path:
        exports = studio.exports(studio.workspace.project(id))
        if name not in _CODE:
            return exports.page_file(number, name)
        exports.page_file(number, "model.json")  # no page without a model
        return _CODE[name]

    found = await aside(find)
    return FileResponse(found, headers=_HEADERS, media_type=file_type(name))
