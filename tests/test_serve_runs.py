"""How a server begins, goes on while its models change, and ends; and the command that runs it."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import headstart as hs
from headstart.errors import UserError
from headstart.serve.models import Shelf
from servers import WAITED, Halted, running

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="processes are ended otherwise there")


def test_it_is_ready_once_its_models_are(to_serve):
    halted = Halted()
    halted.halt()
    with running(to_serve["texts"], served=halted, until_ready=False) as server:
        halted.wait_until_entered()
        assert server.get("/readyz").status == 503
        assert server.get("/v2/health/ready").status == 503
        assert server.get("/v2/models/texts/ready").json == {"name": "texts", "ready": False}
        assert server.get("/v2/models/texts").status == 503
        assert server.get("/healthz").json == {"alive": True}
        halted.goes_on.set()
        server.wait_until(lambda: server.get("/readyz").status == 200)


def test_what_is_under_way_is_answered_before_it_ends(to_serve):
    halted = Halted()
    with running(to_serve["texts"], served=halted) as server:
        halted.halt()
        answers = []
        client = threading.Thread(target=lambda: answers.append(server.post("/v1/predict", {"inputs": ["my card"]})))
        client.start()
        halted.wait_until_entered()
        server.server.drain()
        assert server.get("/readyz").status == 503
        assert server.get("/healthz").status == 200
        refused = server.post("/v1/predict", {"inputs": ["another"]})
        assert refused.status == 503
        assert "shutting down" in refused.json["error"]
        halted.goes_on.set()
        client.join()
        assert answers[0].json["predictions"][0]["input"] == "my card"


class Command:
    """`headstart serve` in a process of its own."""

    def __init__(self, *arguments: object, folder: Path) -> None:
        command = [sys.executable, "-m", "headstart", "serve", *map(str, arguments), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
        assert self.process.stderr is not None
        self.line = self.process.stderr.readline()
        self.port = int(re.findall(r":(\d+)", self.line)[-1])
        self.said: list[str] = []
        self._reader = threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True)
        self._reader.start()

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAITED)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


@needs_signals
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_with_0(to_serve, tmp_path, number):
    server = Command(to_serve["texts"], folder=tmp_path)
    assert re.fullmatch(r"serving texts \(text-classification\) at http://127\.0\.0\.1:\d+\n", server.line)
    while server.get("/readyz")[0] != 200:
        pass
    assert server.get("/v1/models")[0] == 200
    server.process.send_signal(number)
    assert server.process.wait(WAITED) == 0
    server._reader.join(WAITED)
    assert any("GET /v1/models 200" in line for line in server.said)
    assert not any("Traceback" in line for line in server.said)
    assert list(tmp_path.iterdir()) == []


@needs_signals
def test_a_second_signal_ends_it_at_once(to_serve, tmp_path):
    """While a client holds on to a request that is not there in whole."""
    server = Command(to_serve["texts"], folder=tmp_path)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAITED)
    connection.putrequest("POST", "/v1/predict")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"{")
    while server.get("/readyz")[0] != 200:
        pass
    server.process.terminate()
    while server.get("/readyz")[0] != 503:
        pass
    server.process.terminate()
    assert server.process.wait(WAITED) == 128 + signal.SIGTERM
    connection.close()


def test_what_the_command_refuses(command, to_serve, tmp_path):
    code, _, err = command("serve", "nothing.headstart")
    assert code == 2
    assert "nothing.headstart" in err
    code, _, err = command("serve", to_serve["texts"], "--token-file", "none.txt")
    assert code == 2
    assert "--token-file none.txt" in err
    copy = tmp_path / "copies" / "texts"
    shutil.copytree(to_serve["texts"], copy)
    with pytest.raises(UserError, match="two models are called texts"):
        Shelf([str(to_serve["texts"]), str(copy)])


def test_a_changed_folder_is_served_and_a_broken_one_is_not(to_serve, tmp_path, questions, caplog):
    logger = logging.getLogger("headstart.serve")
    propagates, logger.propagate = logger.propagate, True
    model = tmp_path / "m.headstart"
    shutil.copytree(to_serve["texts"], model)
    try:
        with running(model) as server, caplog.at_level(logging.INFO, logger="headstart.serve"):

            def classes() -> list[str]:
                return server.get("/v1/models").json["models"][0]["classes"]

            assert classes() == ["cards", "else"]
            texts, labels = [text for text, _ in questions], [f"new {label}" for _, label in questions]
            bert = to_serve["texts"].parent / "bert"
            hs.fit(texts, labels, model=str(bert), how="probe", out=model, force=True)
            server.wait_until(lambda: classes() == ["new card", "new exchange", "new pin"])
            asked = {"inputs": ["my card"]}
            assert server.post("/v1/predict", asked).json["predictions"][0]["label"].startswith("new ")
            described = model / "headstart.json"
            content = described.read_text()
            described.write_text(content[: len(content) // 2])

            def said() -> list[str]:
                lines = [record.getMessage() for record in caplog.records if record.name == "headstart.serve"]
                return [line for line in lines if "left aside" in line]

            server.wait_until(lambda: bool(said()))
            assert server.post("/v1/predict", asked).json["predictions"][0]["label"].startswith("new ")
            server.wait_until(lambda: looked_again(server))
            assert len(said()) == 1
            described.write_text(content.replace("new card", "newer"))  # its hash says that it was tampered with
            server.wait_until(lambda: len(said()) == 2)
            assert classes() == ["new card", "new exchange", "new pin"]
            shutil.rmtree(model)
            assert server.post("/v1/predict", asked).status == 200
    finally:
        logger.propagate = propagates


def looked_again(server) -> bool:
    """Whether the server has looked at its folders since."""
    return server.shelf.changed() == []


def test_several_engines_stay_open(to_serve, tmp_path):
    """More models than a program that asks them one after the other would keep: none is compiled twice."""
    from headstart.encode import engines

    names = ["texts", "photos", "labels"]
    with running(*(to_serve[name] for name in names)) as server:
        before = {id(engine) for engine in engines._ready.values()}
        for _ in range(2):
            for name in ("texts", "labels"):
                assert server.post("/v1/predict", {"inputs": ["my card"], "model": name}).status == 200
        assert {id(engine) for engine in engines._ready.values()} == before


def test_what_is_asked_before_it_is_ready_is_answered(to_serve):
    with running(to_serve["texts"], until_ready=False) as server:
        answer = server.post("/v1/predict", {"inputs": ["my card"]})
        assert (answer.status, len(answer.json["predictions"])) == (200, 1)


def test_nothing_of_a_request_is_written(to_serve, tmp_path, monkeypatch):
    """A photo of megabytes in a form is not spooled to a temporary file."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    opened: list[str] = []

    def watch(event: str, arguments: tuple) -> None:
        if event == "open" and watching and isinstance(arguments[0], str | Path):
            opened.append(os.fspath(arguments[0]))

    watching = False
    sys.addaudithook(watch)
    with running(to_serve["photos"]) as server:
        watching = True
        answer = server.send("/v1/predict", [("large.png", b"\x89PNG" + b"0" * 4_000_000)])
        watching = False
    assert answer.status == 422
    assert list(tmp_path.iterdir()) == []
    assert [path for path in opened if path.startswith(str(tmp_path))] == []
    assert json.loads(answer.body)["predictions"][0]["input"] == "large.png"
