"""A hub on this machine: as much of its HTTP interface as the real client uses to list and fetch a model."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "a" * 40


@dataclass
class Request:
    method: str
    path: str
    range: str | None
    token: str | None


@dataclass
class SmallHub:
    """Serves folders; what goes wrong is set by the test."""

    repos: dict[str, Path] = field(default_factory=dict)  # "org/name" -> folder
    gated: set[str] = field(default_factory=set)
    cuts: list[int] = field(default_factory=list)  # the next answers with weights stop after so many bytes
    wrong_bytes: bool = False
    announced_size: int | None = None  # of the weights
    seen: list[Request] = field(default_factory=list)

    def __enter__(self) -> SmallHub:
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def sent(self) -> list[Request]:
        """Who asked for the bytes of weights."""
        return [r for r in self.seen if r.method == "GET" and r.path.startswith("store/")]


class _Handler(BaseHTTPRequestHandler):
    hub: SmallHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.split("?")[0].strip("/")
        self.hub.seen.append(Request(self.command, path, self.headers.get("Range"), self.headers.get("Authorization")))
        parts = path.split("/")
        if parts[:2] == ["api", "models"]:
            repo = self.hub.repos.get("/".join(parts[2:4]))
            if repo is None:
                self._send(401 if parts[2] == "private" else 404, error="RepoNotFound")
            elif "tree" in parts:
                self._json([_in_tree(file, *self._size(file), repo) for file in _files(repo)])
            else:
                siblings = [_sibling(file, *self._size(file), repo) for file in _files(repo)]
                self._json({"id": "/".join(parts[2:4]), "sha": COMMIT, "siblings": siblings})
            return
        if parts[0] == "store":  # where the hub sends for large files: another host, which never gets the token
            self._large(self.hub.repos["/".join(parts[1:3])] / "/".join(parts[3:]))
            return
        repo = self.hub.repos.get("/".join(parts[:2])) if parts[2:3] == ["resolve"] else None
        if repo is None:
            self._send(404, error="RepoNotFound")
        elif "/".join(parts[:2]) in self.hub.gated:
            self._send(401, error="GatedRepo")
        elif not (repo / "/".join(parts[4:])).is_file():
            self._send(404, error="EntryNotFound")
        else:
            self._file(repo / "/".join(parts[4:]))

    def _size(self, file: Path) -> tuple[int, str]:
        size = file.stat().st_size
        if file.suffix == ".safetensors" and self.hub.announced_size is not None:
            size = self.hub.announced_size
        return size, hashlib.sha256(file.read_bytes()).hexdigest()

    def _file(self, file: Path) -> None:
        content = file.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{sha256[:40]}"'}
        if file.suffix == ".safetensors":
            repo = "/".join(self.path.split("/")[1:3])
            store = f"http://localhost:{self.server.server_port}/store/{repo}/{file.name}"  # type: ignore[attr-defined]
            large = {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content)), "Location": store}
            self._send(302, headers={**headers, **large})
        else:
            self._send(200, content, headers)

    def _large(self, file: Path) -> None:
        content = file.read_bytes()
        if self.hub.wrong_bytes:
            content = bytes([content[0], *(b ^ 1 for b in content[1:])])
        start, headers = 0, {"Accept-Ranges": "bytes"}
        if self.headers.get("Range"):
            start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = self.hub.cuts.pop(0) if self.hub.cuts and self.command == "GET" else None
        self._send(206 if start else 200, content[start:], headers, cut=cut)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(
        self,
        code: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        error: str = "",
        cut: int | None = None,
    ) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), **({"X-Error-Code": error} if error else {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sibling(file: Path, size: int, sha256: str, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {"rfilename": file.relative_to(folder).as_posix(), "size": size, "blobId": sha256[:40]}
    large = {"lfs": {"sha256": sha256, "size": size, "pointerSize": 130}} if file.suffix == ".safetensors" else {}
    return told | large


def _in_tree(file: Path, size: int, sha256: str, folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "file",
        "path": file.relative_to(folder).as_posix(),
        "size": size,
        "oid": sha256[:40],
    }
    large = {"lfs": {"oid": sha256, "size": size, "pointerSize": 130}} if file.suffix == ".safetensors" else {}
    return told | large
