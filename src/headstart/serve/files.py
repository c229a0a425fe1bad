"""The files that a browser gets: the page, and the API's documentation. Only what lies in the package is served."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

_HERE = Path(__file__).parent
PAGE, DOCS = _HERE / "static", _HERE / "swagger"
_INDEX = "index.html"
_PACKED = ".gz"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webp": "image/webp",
}


def files_of(folder: Path, prefix: str) -> dict[str, Path]:
    """The files below a folder by their paths in an address: what is not listed here is not there for anyone."""
    files = {file: file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*")) if file.is_file()}
    named = {prefix + name.removesuffix(_PACKED): file for file, name in files.items() if file.suffix != ".py"}
    index = named.get(prefix + _INDEX)
    return named if index is None else {**named, prefix.rstrip("/") or "/": index}


def file_answer(files: Mapping[str, Path], request: Request) -> Response | None:
    """The file of an address; None: there is none. One that is packed stays so where the browser can unpack it."""
    file = files.get(request.url.path)
    if file is None:
        return None
    content, kind = file.read_bytes(), file_type(file.name.removesuffix(_PACKED))
    headers = {"Cache-Control": "no-cache"}
    if file.suffix == _PACKED:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            content = gzip.decompress(content)
    return Response(content, 200, headers, media_type=kind)


def file_type(name: str) -> str:
    """The media type of a file by its name."""
    return _TYPES.get(Path(name).suffix, "text/plain")
