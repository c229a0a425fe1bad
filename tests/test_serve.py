"""`headstart serve` answers what the command line answers, however it is asked, and mixes nothing up."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import headstart as hs
from headstart.storage.places import cache_folder
from servers import Halted, running

TEXTS = ["where is my new card", "the rate of it", "my pin is lost ?"]
PAIRS = [("where is my card", "a new card"), ("the rate", "my pin")]
CONTEXT = "the old tower was built in 1931 by a king"


@pytest.fixture(scope="module")
def server(to_serve, years):
    with running(*to_serve.values(), years) as found:
        yield found


@pytest.fixture(scope="module")
def files(textile) -> list[Path]:
    return sorted((textile / "global").glob("*.jpg"))[20:22] + sorted((textile / "nominal").glob("*.jpg"))[20:22]


def said_by(command, model: Path, *arguments: object) -> dict:
    code, out, err = command("predict", model, *arguments, "--json")
    assert code in (0, 2), err
    found = json.loads(out)
    del found["model"]
    return found


def without_model(answer) -> dict:
    found = answer.json
    del found["model"]
    return found


@pytest.mark.parametrize("name", ["texts", "labels", "numbers"])
def test_texts_are_answered_as_by_the_command(server, to_serve, command, name):
    answer = server.post("/v1/predict", {"inputs": TEXTS, "model": name, "top": 2})
    assert answer.status == 200
    assert answer.json["model"] == name
    assert without_model(answer) == said_by(command, to_serve[name], *TEXTS, "--top", 2)


def test_photos_are_answered_as_by_the_command_in_json_and_in_a_form(server, to_serve, command, files):
    contents = [file.read_bytes() for file in files]
    by_form = server.send("/v1/predict", [(f.name, c) for f, c in zip(files, contents, strict=True)], model="photos")
    in_json = [{"image": base64.b64encode(content).decode()} for content in contents]
    by_json = server.post("/v1/predict", {"inputs": in_json})  # it is the first model
    expected = said_by(command, to_serve["photos"], *files)
    assert by_form.status == 200, by_form.json
    assert [row["input"] for row in by_form.json["predictions"]] == [file.name for file in files]
    assert [row["input"] for row in by_json.json["predictions"]] == ["input 1", "input 2", "input 3", "input 4"]
    for answer in (by_form, by_json):
        assert answer.status == 200
        found = without_model(answer)
        for row, other in zip(found["predictions"], expected["predictions"], strict=True):
            row["input"] = other["input"]
        assert found == expected


def test_pairs_are_answered_as_by_the_command(server, to_serve, command):
    answer = server.post("/v1/predict", {"inputs": [{"text": a, "text2": b} for a, b in PAIRS], "model": "pairs"})
    assert answer.status == 200
    rows = [said_by(command, to_serve["pairs"], "--pair", *pair)["predictions"][0] for pair in PAIRS[:1]]
    assert answer.json["predictions"][:1] == rows
    assert answer.json["predictions"][1]["input"] == "the rate | my pin"


def test_questions_are_answered_as_by_the_command(server, years, command, tmp_path):
    (tmp_path / "text.txt").write_text(CONTEXT)
    answer = server.post("/v1/answer", {"question": "when was it built?", "context": CONTEXT, "model": "finds-years"})
    code, out, err = command("answer", years, "when was it built?", "--context", "text.txt", "--json")
    assert code == 0, err
    expected = json.loads(out)["answers"]
    assert expected[0]["answer"] == "1931"
    assert answer.status == 200
    assert answer.json["answers"] == [row | {"context": 0} if row["answer"] else row for row in expected]
    several = {"question": "when was it built?", "context": ["no year in it", CONTEXT], "model": "finds-years"}
    assert server.post("/v1/answer", several).json["answers"][0]["context"] == 1
    asked = {"inputs": [{"question": "when was it built?", "context": CONTEXT}], "model": "finds-years"}
    (row,) = server.post("/v1/predict", asked).json["predictions"]
    assert (row["input"], row["answer"]) == ("when was it built?", "1931")


def test_what_cannot_be_used_has_an_error_in_its_place(server, files, to_serve, command, tmp_path):
    good = files[0].read_bytes()
    (tmp_path / "cut.jpg").write_bytes(good[: len(good) // 2])
    (tmp_path / "no.jpg").write_bytes(b"no photo")
    there = [("cut.jpg", good[: len(good) // 2]), (files[0].name, good), ("no.jpg", b"no photo")]
    answer = server.send("/v1/predict", there, model="photos")
    assert answer.status == 422
    expected = said_by(command, to_serve["photos"], "cut.jpg", files[0], "no.jpg")["predictions"]
    expected[1]["input"] = files[0].name
    assert answer.json["predictions"] == expected
    texts = server.post("/v1/predict", {"inputs": ["", "my card"], "model": "texts"})
    assert texts.status == 422
    assert texts.json["predictions"][0] == {"input": "", "error": "no text"}
    assert "label" in texts.json["predictions"][1]
    pairs = [{"text": "a", "text2": " "}, {"text": "a", "text2": "b"}]
    found = server.post("/v1/predict", {"inputs": pairs, "model": "pairs"}).json["predictions"]
    assert found[0]["error"] == "a text of the pair is blank"
    assert "label" in found[1]


def test_a_text_is_never_a_file(server, to_serve, tmp_path, monkeypatch):
    """Neither by its name, nor by its path; alone, too."""
    secret = tmp_path / "secret.txt"
    secret.write_text("my pin is a secret")
    monkeypatch.chdir(tmp_path)
    for text in ("secret.txt", str(secret), "~/secret.txt", "../secret.txt", "photo.jpg", "file:///etc/passwd"):
        answer = server.post("/v1/predict", {"inputs": [text], "model": "texts"})
        assert answer.status == 200
        row = answer.json["predictions"][0]
        assert row["input"] == text
        assert row["label"] == hs.load(to_serve["texts"]).predict([text])[0].label
    path = base64.b64encode(str(secret).encode()).decode()
    photo = server.post("/v1/predict", {"inputs": [{"image": path}], "model": "photos"})
    assert photo.status == 422
    assert "error" in photo.json["predictions"][0]
    assert server.post("/v1/predict", {"inputs": [str(secret)], "model": "photos"}).status == 422


def test_text_files_in_a_form(server):
    files = [
        ("one.txt", b"where is my card"),
        ("two.txt", "la carte caf\u00e9".encode("utf-16")),
        ("no.txt", b"\0\0\0\1"),
    ]
    answer = server.send("/v1/predict", files, model="texts")
    rows = answer.json["predictions"]
    assert answer.status == 422
    assert [row["input"] for row in rows] == ["one.txt", "two.txt", "no.txt"]
    assert ["error" in row for row in rows] == [False, False, True]


def test_how_sure_it_is_can_be_asked_for(server):
    answer = server.post("/v1/predict", {"inputs": TEXTS, "model": "texts", "abstain": 0.6, "coverage": 0.8})
    assert answer.status == 200
    assert all(isinstance(row["unsure"], bool) and row["set"] for row in answer.json["predictions"])
    refused = server.post("/v1/predict", {"inputs": TEXTS, "model": "numbers", "abstain": 0.6})
    assert refused.status == 422
    assert "abstain" in refused.json["error"]


def test_each_client_gets_its_own_answers(server, to_serve):
    """Requests of many clients are computed together."""
    model = hs.load(to_serve["texts"])
    texts = [f"where is my card {number} of the {word}" for number in range(8) for word in ("rate", "pin", "new", "a")]
    alone = {text: model.predict([text])[0] for text in texts}

    def ask(text: str) -> None:
        for _ in range(4):
            row = server.post("/v1/predict", {"inputs": [text], "model": "texts"}).json["predictions"][0]
            assert row["input"] == text
            assert row["label"] == alone[text].label
            assert row["probability"] == pytest.approx(alone[text].probability, abs=1e-4)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, texts))
    sizes = server.get("/metrics").body.decode()
    assert float(sizes.split("headstart_batch_inputs_count ")[1].split()[0]) < sum(4 for _ in texts) * 2


def test_requests_that_wait_are_computed_together(to_serve):
    halted = Halted()
    with running(to_serve["texts"], served=halted) as server:
        halted.halt()
        answers = {}

        def ask(number: int) -> None:
            answers[number] = server.post("/v1/predict", {"inputs": [f"my card {number}"], "top": 1}).json

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(9)]
        clients[0].start()
        halted.wait_until_entered()
        for client in clients[1:]:
            client.start()
        server.wait_until(lambda: server.serving.places.waiting == 9)
        server.wait_until(lambda: len(server.serving.answers._fast._jobs) == 8)
        before = batches(server)
        halted.goes_on.set()
        for client in clients:
            client.join()
        assert batches(server) == before + 1
    assert [answers[n]["predictions"][0]["input"] for n in range(9)] == [f"my card {n}" for n in range(9)]


def batches(server) -> float:
    return float(server.get("/metrics").body.decode().split("headstart_batch_inputs_count ")[1].split()[0])


def test_many_inputs_in_one_request_are_those_of_one_call(server, to_serve):
    texts = [f"my card {number}" for number in range(100)]
    rows = server.post("/v1/predict", {"inputs": texts, "model": "texts"}).json["predictions"]
    assert [row["input"] for row in rows] == texts
    found = hs.load(to_serve["texts"]).predict(texts)
    assert [row["label"] for row in rows] == [one.label for one in found]


def test_what_is_served_and_what_each_can_do(server, to_serve):
    found = {model["name"]: model for model in server.get("/v1/models").json["models"]}
    assert list(found) == [*to_serve, "finds-years"]
    texts = hs.load(to_serve["texts"])
    assert found["texts"]["task"] == "text-classification"
    assert found["texts"]["classes"] == ["cards", "else"]
    assert found["texts"]["score"]["value"] == texts.scores.accuracy
    assert found["texts"]["score"]["interval"] == list(vars(texts.scores.accuracy_interval).values())
    assert found["photos"]["licence"] == "Apache-2.0"
    assert found["texts"]["can"] == {
        "explain": True, "answer": False, "abstain": True, "coverage": True, "feedback": False,
    }  # fmt: skip
    assert found["numbers"]["can"]["abstain"] is False
    assert found["finds-years"]["can"]["answer"] is True
    assert found["finds-years"]["score"] is None


def test_explanations_are_those_of_the_command(server, to_serve, command, files):
    code, out, err = command("explain", to_serve["photos"], files[0], "--json")
    assert code == 0, err
    expected = json.loads(out)
    answer = server.send("/v1/explain", [(files[0].name, files[0].read_bytes())], model="photos", top="5")
    assert answer.status == 200
    found = answer.json
    assert found["map"].startswith("data:image/png;base64,")
    assert found["prediction"]["label"] == expected["prediction"]["label"]
    assert [row["where"] for row in found["neighbours"]] == [row["where"] for row in expected["neighbours"]]
    assert all(row["shown"].startswith("data:image/jpeg") for row in found["neighbours"])
    text = {"input": "where is my card", "model": "texts", "target": "else"}
    words = server.post("/v1/explain", text).json
    assert words["target"] == "else"
    assert [word["text"] for word in words["words"]] == ["where", "is", "my", "card"]
    assert server.post("/v1/explain", {"input": "a card", "model": "texts", "target": "no"}).status == 422


def test_a_thousand_questions_leave_no_file(to_serve):
    """Of a model in a program, as of a server."""

    def there() -> set[Path]:
        return {path for path in cache_folder().rglob("*") if path.is_file()}

    model = hs.load(to_serve["texts"])
    model.predict(["my card"])
    before = there()
    for number in range(1000):
        model.predict([f"my card {number}"])
    assert there() == before
