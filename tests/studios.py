"""A real studio, in a thread of the test's process or as the command that it is; and a client that says all by hand."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from headstart.serve.run import listening
from headstart.serve.settings import Settings
from headstart.studio.limits import StudioLimits
from headstart.studio.run import studio_of
from headstart.studio.workspace import Workspace
from servers import BOUNDARY, WAITED, Answer, form

LONG = 300  # seconds for what trains a model; a test that hangs fails


@dataclass
class Client:
    """Asks a studio."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """One request, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAITED)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def json(self, method: str, path: str, value: Any = None) -> Answer:
        """A request with JSON, or with nothing."""
        body = None if value is None else json.dumps(value).encode()
        return self.ask(method, path, body, {} if value is None else {"Content-Type": "application/json"})

    def get(self, path: str) -> Any:
        """What is there, which has to be."""
        answer = self.json("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    def post(self, path: str, value: Any) -> Any:
        """What comes of it, which has to go well."""
        answer = self.json("POST", path, value)
        assert answer.status in (200, 201, 202), answer.body
        return answer.json

    def send(self, path: str, files: Sequence[tuple[str, bytes]], **fields: str) -> Answer:
        """A form with files."""
        return self.ask(
            "POST", path, form(files, fields), {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        )

    def photos(self, project: str, photos: Path) -> None:
        """Two classes of a folder of real photos."""
        for folder in sorted(photos.iterdir()):
            self.post(f"/api/projects/{project}/classes", {"name": folder.name})
            files = [(file.name, file.read_bytes()) for file in sorted(folder.iterdir())]
            assert self.send(f"/api/projects/{project}/photos?class={folder.name}", files).status == 200

    def until(self, path: str, done: Callable[[Any], bool], *, seconds: int = LONG) -> Any:
        """What is at an address, once it is so; fails where it never is."""
        pause = threading.Event()
        for _ in range(5 * seconds):
            found = self.get(path)
            if done(found):
                return found
            pause.wait(0.2)
        raise AssertionError(f"it did not happen: {found}")

    def events(self, path: str) -> Iterator[Any]:
        """The states that are sent, until the server ends the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        try:
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            assert answer.getheader("content-type", "").startswith("text/event-stream")
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            connection.close()


@contextmanager
def running(folder: Path, *, settings: Settings | None = None, limits: StudioLimits | None = None) -> Iterator[Client]:
    """A studio of this workspace at a free port, until the block ends."""
    settings = replace(settings or Settings(), port=0)
    workspace = Workspace(folder, limits)
    server = studio_of(settings, workspace)
    opened = listening(settings)
    thread = threading.Thread(target=server.run, args=([opened],), daemon=True)
    thread.start()
    try:
        pause = threading.Event()
        for _ in range(20 * WAITED):
            if server.started:
                break
            pause.wait(0.05)
        token = {} if settings.token is None else {"Authorization": f"Bearer {settings.token}"}
        yield Client(opened.getsockname()[1], token)
    finally:
        server.drain()
        thread.join(WAITED)
        opened.close()
        workspace.close()
    assert not thread.is_alive()


class Command:
    """`headstart studio` in a process of its own, as its users start it."""

    def __init__(self, folder: Path, **env: str) -> None:
        command = [sys.executable, "-m", "headstart", "studio", str(folder), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
        assert self.process.stderr is not None
        self.line = self.process.stderr.readline()
        found = re.findall(r":(\d+)", self.line)
        assert found, self.line + self.process.stderr.read()
        self.client = Client(int(found[-1]))
        self._reader = threading.Thread(target=self.process.stderr.read, daemon=True)
        self._reader.start()
        pause = threading.Event()
        for _ in range(20 * WAITED):
            try:
                if self.client.json("GET", "/healthz").status == 200:
                    return
            except OSError:
                pause.wait(0.05)
        raise AssertionError("it does not answer")

    def kill(self) -> None:
        """As a power cut would, but that jobs go on."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAITED)

    def end(self) -> int:
        """As Ctrl-C does; gives the exit code."""
        self.process.terminate()
        return self.process.wait(WAITED)


def processes_of(job: Path) -> list[int]:
    """The numbers of the processes that do a job, by its folder in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(job) in words and b"headstart.studio.job" in words:
                found.append(int(entry.name))
    return found
