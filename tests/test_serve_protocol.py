"""The Open Inference Protocol: what its clients send, and what they read."""

from __future__ import annotations

import base64
import json

import pytest

import headstart as hs
from servers import running


@pytest.fixture(scope="module")
def server(to_serve, years):
    with running(*to_serve.values(), years) as found:
        yield found


def tensor(data: list, shape: list[int] | None = None, **more: object) -> dict:
    return {"name": "inputs", "datatype": "BYTES", "shape": shape or [len(data)], "data": data, **more}


def outputs(answer) -> dict:
    assert answer.status == 200, answer.json
    return {each["name"]: each for each in answer.json["outputs"]}


def test_health_and_metadata(server):
    assert server.get("/v2").json == {"name": "headstart", "version": hs.__version__, "extensions": []}
    assert server.get("/v2/health/live").json["live"] is True
    assert server.get("/v2/health/ready").json["ready"] is True
    assert server.get("/v2/models/texts/ready").json == {"name": "texts", "ready": True}
    said = server.get("/v2/models/texts").json
    assert said["inputs"] == [{"name": "inputs", "datatype": "BYTES", "shape": [-1]}]
    assert said["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probability", "datatype": "FP32", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
    ]
    assert server.get("/v2/models/pairs").json["inputs"][0]["shape"] == [-1, 2]
    assert server.get("/v2/models/nothing").status == 404
    assert list(server.get("/v2/models/nothing").json) == ["error"]


def test_texts(server, to_serve):
    texts = ["where is my card", "the rate"]
    answer = server.post("/v2/models/texts/infer", {"id": "42", "inputs": [tensor(texts)], "parameters": {"x": 1}})
    found = outputs(answer)
    assert (answer.json["model_name"], answer.json["id"]) == ("texts", "42")
    model = hs.load(to_serve["texts"])
    assert found["label"]["data"] == [one.label for one in model.predict(texts)]
    assert found["probabilities"]["shape"] == [2, 2]
    assert found["probabilities"]["data"] == pytest.approx(model.predict_proba(texts).ravel().tolist(), abs=1e-5)
    nested = {"inputs": [tensor([["a card"], ["b"]], [2, 1])], "outputs": [{"name": "label"}]}
    assert list(outputs(server.post("/v2/models/texts/infer", nested))) == ["label"]


def test_photos_pairs_labels_numbers_and_questions(server, textile):
    photo = sorted((textile / "global").glob("*.jpg"))[25].read_bytes()
    asked = {"inputs": [tensor([base64.b64encode(photo).decode()])]}
    assert len(outputs(server.post("/v2/models/photos/infer", asked))["probabilities"]["data"]) == 2
    pairs = {"inputs": [tensor(["a card", "b", "the rate", "my pin"], [2, 2])]}
    assert outputs(server.post("/v2/models/pairs/infer", pairs))["label"]["shape"] == [2]
    texts = {"inputs": [tensor(["where is my card", "my pin"])]}
    labels = outputs(server.post("/v2/models/labels/infer", texts))["labels"]
    assert all(isinstance(json.loads(each), list) for each in labels["data"])
    numbers = outputs(server.post("/v2/models/numbers/infer", texts))
    assert (numbers["value"]["shape"], numbers["interval"]["shape"]) == ([2], [2, 2])
    question = {"inputs": [tensor([["when was it built?", "it was built in 1931"]], [1, 2])]}
    assert outputs(server.post("/v2/models/finds-years/infer", question))["answer"]["data"] == ["1931"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        {"inputs": [tensor(["a"], [2])]},
        {"inputs": [tensor(["a"], [-1])]},
        {"inputs": [tensor([])]},
        {"inputs": [tensor([1, 2])]},
        {"inputs": [tensor(["a"]) | {"datatype": "FP32"}]},
        {"inputs": [tensor(["a"]) | {"name": "other"}]},
        {"inputs": [tensor(["a"]), tensor(["a"])]},
        {"inputs": [tensor(["a"])], "outputs": [{"name": "other"}]},
        {"inputs": [tensor([" "])]},
        {"inputs": [tensor(["a"], [2**70])]},
    ],
)
def test_what_cannot_be_inferred(server, body):
    answer = server.post("/v2/models/texts/infer", body)
    assert answer.status == 400, answer.json
    assert list(answer.json) == ["error"]
