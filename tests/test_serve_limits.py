"""What a client may not ask for is refused in one line with its status, and never costs the others their answers."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
from dataclasses import replace

import pytest
from PIL import Image

from headstart.serve.settings import Limits, Settings
from servers import BOUNDARY, Halted, form, running

SMALL = Limits(queue=8, inputs=4, body=200_000, text=1000, contexts=3, header_bytes=4096, header_seconds=0.5)
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(to_serve, years):
    with running(to_serve["texts"], to_serve["photos"], years, settings=Settings(limits=SMALL)) as found:
        yield found


def refused(answer, status: int, words: str) -> None:
    assert answer.status == status, answer.body
    assert list(answer.json) == ["error"]
    assert words in answer.json["error"], answer.json
    assert "Traceback" not in answer.body.decode()


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe", 400, "not JSON"),
        (b"[" * 100_000, 400, "nested too deep"),
        (b'{"inputs": ' + b"[" * 500 + b"]" * 500 + b"}", 400, "inputs.0"),
        (b"[]", 400, "body"),
        (b"null", 400, "body"),
        (b"{}", 400, "inputs"),
        (b'{"inputs": []}', 400, "inputs"),
        (b'{"inputs": "a text"}', 400, "inputs"),
        (b'{"inputs": [1]}', 400, "an input is a text"),
        (b'{"inputs": [{"url": "http://x"}]}', 400, "an input is a text"),
        (b'{"inputs": [{"image": "", "path": "/etc/passwd"}]}', 400, "path"),
        (b'{"inputs": ["a"], "top": 0}', 400, "top"),
        (b'{"inputs": ["a"], "top": 1e400}', 400, "top"),
        (b'{"inputs": ["a"], "top": ' + b"9" * 5000 + b"}", 400, "not JSON"),
        (b'{"inputs": ["a"], "coverage": NaN}', 400, "coverage"),
        (b'{"inputs": ["a"], "abstain": 2}', 400, "abstain"),
        (b'{"inputs": ["a"], "more": 1}', 400, "more"),
        (b'{"inputs": ["a"], "model": "other"}', 404, "one of: texts, photos"),
        (b'{"inputs": ["a", "b", "c", "d", "e"]}', 413, "at most 4"),
        (b'{"inputs": ["' + b"a" * 1001 + b'"]}', 413, "1,001 characters"),
        (b'{"inputs": [{"text": "a", "text2": "b"}]}', 422, "the model takes texts"),
        (b'{"inputs": ["a"], "model": "photos"}', 422, "the model takes photos"),
        (b'{"inputs": ["a"], "abstain": 0.9999999}', 422, "abstain"),
    ],
)
def test_a_body_that_cannot_be_used(server, body, status, words):
    refused(server.ask("POST", "/v1/predict", body, JSON), status, words)


def test_half_characters_are_answered(server):
    answer = server.ask("POST", "/v1/predict", b'{"inputs": ["card \\ud800 \\u0000"]}', JSON)
    assert answer.status == 200
    assert answer.json["predictions"][0]["input"] == "card \ufffd \x00"


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"x", {"Content-Type": "text/plain"}, 415, "text/plain"),
        (b"x", {}, 415, "no type"),
        (b"x", {"Content-Type": "multipart/form-data"}, 400, "boundary"),
        (b"x", FORM, 400, "damaged"),
        (form([("a.txt", b"card")], {})[:-9], FORM, 400, "cut off"),
        (form([], {"model": "texts"}), FORM, 400, "no files"),
        (form([("a.txt", b"card")], {"top": "many"}), FORM, 400, "top"),
        (form([("a.txt", b"card")], {"odd": "1"}), FORM, 400, "odd"),
        (form([("a.txt", b"card")] * 5, {}), FORM, 413, "more than 4 files"),
        (form([("a.txt", b"card")], {"model": "m" * 70_000}), FORM, 413, "model"),
        (form([("a.txt", b"card")], {f"f{n}": "1" for n in range(40)}), FORM, 413, "fields"),
        (form([("a.txt", b"a" * 1001)], {}), FORM, 413, "1,001 characters"),
        (form([("a.txt", b"a" * 210_000)], {}), FORM, 413, "MB"),
    ],
)
def test_a_form_that_cannot_be_used(server, body, headers, status, words):
    refused(server.ask("POST", "/v1/predict", body, headers), status, words)


def test_other_addresses_and_methods(server):
    refused(server.get("/nothing/here"), 404, "nothing at this address")
    refused(server.get("/docs/../../models.py"), 404, "nothing at this address")
    refused(server.get("/docs/%2e%2e/app.py"), 404, "nothing at this address")
    answer = server.get("/v1/predict")
    refused(answer, 405, "another method")
    assert answer.headers["allow"] == "POST"
    refused(server.post("/v1/feedback", {"input": "a", "label": "cards"}), 404, "nothing at this address")


def test_questions_that_cannot_be_answered(server):
    asked = {"question": "when?", "context": "in 1931", "model": "finds-years"}
    assert server.post("/v1/answer", asked).status == 200
    refused(server.post("/v1/answer", asked | {"context": ["a"] * 4}), 413, "4 texts")
    refused(server.post("/v1/answer", asked | {"context": "a" * 1001}), 413, "characters")
    refused(server.post("/v1/answer", asked | {"context": []}), 422, "empty context")
    refused(server.post("/v1/answer", asked | {"question": " "}), 422, "empty question")
    refused(server.post("/v1/answer", asked | {"model": "texts"}), 422, "answers no questions")
    blank = {"inputs": [{"question": " ", "context": "in 1931"}], "model": "finds-years"}
    refused(server.post("/v1/predict", blank), 422, "no question")


def test_a_bomb_is_no_photo(server):
    picture = Image.new("1", (20_000, 20_000))
    content = io.BytesIO()
    picture.save(content, "PNG")
    answer = server.send("/v1/predict", [("bomb.png", content.getvalue())], model="photos")
    assert answer.status == 422
    assert "pixels" in answer.json["predictions"][0]["error"]
    odd = server.post("/v1/predict", {"inputs": [{"image": "?"}], "model": "photos"})
    assert odd.json["predictions"][0] == {"input": "input 1", "error": "its image is not base64"}
    huge = base64.b64encode(b"0" * 160_000).decode()
    refused(server.post("/v1/predict", {"inputs": [{"image": huge}], "model": "photos"}), 413, "0.190735 MB")


def test_a_body_without_a_length_is_cut_off(server):
    """In chunks: nobody knows before how long it gets."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(4):
            client.sendall(chunk)
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_slow_and_endless_headers_are_not_waited_for(server):
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.settimeout(60)
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        assert slow.recv(100) == b""  # it was closed
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.settimeout(60)
        assert silent.recv(100) == b""
    with socket.create_connection(("127.0.0.1", server.port)) as endless:
        endless.settimeout(60)
        endless.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 8192)
        assert endless.recv(100).startswith(b"HTTP/1.1 431")


def test_a_slow_body_is_not_waited_for(to_serve):
    limits = replace(SMALL, body_seconds=0.3)
    with (
        running(to_serve["texts"], settings=Settings(limits=limits)) as server,
        socket.create_connection(("127.0.0.1", server.port)) as slow,
    ):
        slow.settimeout(60)
        slow.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_there_are_only_so_many_connections(to_serve):
    with running(
        to_serve["texts"], settings=Settings(limits=replace(SMALL, connections=3, header_seconds=60))
    ) as server:
        open_ones = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        server.wait_until(lambda: len(server.server.server_state.connections) == 3)
        with socket.create_connection(("127.0.0.1", server.port)) as another:
            another.settimeout(60)
            assert another.recv(100).startswith(b"HTTP/1.1 503")
        for one in open_ones:
            one.close()
        server.wait_until(lambda: server.get("/healthz").status == 200)


def test_a_full_queue_refuses_and_loses_nothing(to_serve):
    halted = Halted()
    with running(to_serve["texts"], settings=Settings(limits=SMALL), served=halted) as server:
        halted.halt()
        answers = []
        clients = [
            threading.Thread(target=lambda n=n: answers.append(server.post("/v1/predict", {"inputs": [f"card {n}"]})))
            for n in range(8)
        ]
        for client in clients:
            client.start()
        server.wait_until(lambda: server.serving.places.waiting == 8)
        answer = server.post("/v1/predict", {"inputs": ["one more"]})
        refused(answer, 503, "8 inputs are waiting")
        assert int(answer.headers["retry-after"]) > 0
        assert server.get("/healthz").status == 200  # who asks for nothing is answered
        halted.goes_on.set()
        for client in clients:
            client.join()
        assert sorted(answer.json["predictions"][0]["input"] for answer in answers) == [f"card {n}" for n in range(8)]
        assert server.post("/v1/predict", {"inputs": ["one more"]}).status == 200


def test_who_goes_away_frees_the_place(to_serve):
    halted = Halted()
    with running(to_serve["texts"], settings=Settings(limits=SMALL), served=halted) as server:
        halted.halt()
        first = threading.Thread(target=server.post, args=("/v1/predict", {"inputs": ["card"]}))
        first.start()
        halted.wait_until_entered()
        body = json.dumps({"inputs": ["a", "b", "c", "d"]}).encode()
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        server.wait_until(lambda: server.serving.places.waiting == 5)
        client.close()
        server.wait_until(lambda: server.serving.places.waiting == 1)
        halted.goes_on.set()
        first.join()
        inputs = server.get("/metrics").body.decode().split('headstart_inputs_total{error="no",model="texts"} ')[1]
        assert float(inputs.split()[0]) == 1  # nobody computed what nobody waits for


def test_one_bad_request_spoils_no_other_of_its_batch(to_serve):
    """Where computing them together fails, each is tried alone."""
    halted = Halted()

    def fragile(served):
        words = served.model.task.words

        def predictions(head, outputs, names, errors, top):
            if "poison" in names:
                raise RuntimeError("a defect of ours")
            return words.predictions(head, outputs, names, errors, top)

        task = replace(served.model.task, words=replace(words, predictions=predictions))
        return halted(replace(served, model=replace(served.model, task=task)))

    with running(to_serve["texts"], served=fragile) as server:
        halted.halt()
        answers = {}

        def ask(text: str) -> None:
            answers[text] = server.post("/v1/predict", {"inputs": [text]})

        clients = [threading.Thread(target=ask, args=(text,)) for text in ("first", "card", "poison", "pin")]
        clients[0].start()
        halted.wait_until_entered()
        for client in clients[1:]:
            client.start()
        server.wait_until(lambda: len(server.serving.answers._fast._jobs) == 3)
        halted.goes_on.set()
        for client in clients:
            client.join()
        assert {text: answer.status for text, answer in answers.items()} == {
            "first": 200, "card": 200, "poison": 500, "pin": 200,
        }  # fmt: skip
        assert answers["poison"].json == {"error": "the server failed at this request; its log says more"}
