"""A real server in a thread of the test's process, small models that it serves, and a client that says all by hand."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import headstart as hs
from headstart.serve.models import Served, Shelf
from headstart.serve.run import Server, listening, server_of
from headstart.serve.serving import Serving
from headstart.serve.settings import Settings
from small_models import WORDS, small_text_model

BOUNDARY = "a-boundary-of-the-tests"
WAITED = 60  # seconds for what has to happen; a test that hangs fails


def make_models(folder: Path, textile: Path) -> dict[str, Path]:
    """A saved model of each task, by the name that it is served under."""
    small_text_model("bert", folder / "bert")
    rng, bert = random.Random(0), str(folder / "bert")

    def words() -> str:
        return " ".join(rng.choices(WORDS, k=7))

    texts = [words() for _ in range(60)]
    classes = ["cards" if "card" in text else "else" for text in texts]
    labels = [[word for word in ("card", "rate", "pin") if word in text.split()] for text in texts]
    numbers = [text.count("card") - 2.0 * text.count("pin") + rng.gauss(0, 0.2) for text in texts]
    pairs = [(words(), words()) for _ in range(60)]
    alike = ["alike" if ("card" in one) == ("card" in other) else "not" for one, other in pairs]
    photos = [str(photo) for name in ("global", "nominal") for photo in sorted((textile / name).glob("*.jpg"))[:20]]
    made: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        "photos": (photos, ["global"] * 20 + ["nominal"] * 20, {"model": "efficientnet_lite0"}),
        "texts": (texts, classes, {"model": bert}),
        "labels": (texts, labels, {"model": bert, "task": "multilabel"}),
        "numbers": (texts, numbers, {"model": bert, "task": "regression"}),
        "pairs": (pairs, alike, {"model": bert}),
    }
    for name, (data, targets, options) in made.items():
        hs.fit(data, targets, how="probe", out=folder / f"{name}.headstart", **options)
    return {name: folder / f"{name}.headstart" for name in made}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """A server that runs."""

    server: Server
    port: int
    shelf: Shelf
    headers: dict[str, str] = field(default_factory=dict)  # that each request has

    @property
    def serving(self) -> Serving:
        return self.server._serving

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """One request, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAITED)
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, value: Any, **headers: str) -> Answer:
        """JSON."""
        return self.ask("POST", path, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

    def send(self, path: str, files: Sequence[tuple[str, bytes]], **fields: str) -> Answer:
        """A form with files."""
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask("POST", path, form(files, fields), {"Content-Type": kind})

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Until something is so, which the server does by itself; fails where it does not."""
        pause = threading.Event()
        for _ in range(20 * WAITED):
            if done():
                return
            pause.wait(0.05)
        raise AssertionError("it did not happen")


def form(files: Sequence[tuple[str, bytes]], fields: dict[str, str]) -> bytes:
    """The body of a form."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields.items()
    ]
    for name, content in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        parts.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def running(
    *models: Path | str,
    settings: Settings | None = None,
    served: Callable[[Served], Served] = lambda served: served,
    until_ready: bool = True,
) -> Iterator[Running]:
    """A server of these models at a free port, until the block ends.

    Args:
        served: what is put in the place of each model, for example one that halts.
    """
    settings = replace(settings or Settings(), port=0)
    shelf = Shelf([str(model) for model in models])
    for each in shelf:
        shelf.put(served(each))
    server = server_of(settings, shelf)
    opened = listening(settings)
    thread = threading.Thread(target=server.run, args=([opened],), daemon=True)
    thread.start()
    token = {} if settings.token is None else {"Authorization": f"Bearer {settings.token}"}
    found = Running(server, opened.getsockname()[1], shelf, token)
    try:
        found.wait_until(lambda: server.started)
        if until_ready:
            found.wait_until(lambda: found.get("/readyz").status == 200)
        yield found
    finally:
        server.should_exit = True
        thread.join(WAITED)
        opened.close()
    assert not thread.is_alive()


class Halted:
    """A model that stops before it says anything, until it is let go."""

    def __init__(self) -> None:
        self.entered, self.goes_on = threading.Semaphore(0), threading.Event()
        self.goes_on.set()  # until the server is ready

    def __call__(self, served: Served) -> Served:
        words = served.model.task.words

        def predictions(*arguments: Any) -> list[Any]:
            self.entered.release()
            assert self.goes_on.wait(WAITED)
            return words.predictions(*arguments)

        task = replace(served.model.task, words=replace(words, predictions=predictions))
        return replace(served, model=replace(served.model, task=task))

    def halt(self) -> None:
        """From now on."""
        while self.entered.acquire(blocking=False):
            pass
        self.goes_on.clear()

    def wait_until_entered(self) -> None:
        """Until it has stopped."""
        assert self.entered.acquire(timeout=WAITED)
