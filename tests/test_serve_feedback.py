"""Corrected examples are stored so that `fit` learns from them; nothing that was there is lost."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

import headstart as hs
from headstart.errors import UserError
from headstart.serve.settings import Limits, Settings
from servers import running


@pytest.fixture
def server(to_serve, years, tmp_path):
    settings = Settings(feedback=tmp_path / "feedback")
    with running(*to_serve.values(), years, settings=settings) as found:
        yield found


@pytest.fixture
def photos_to_send(textile) -> dict[str, list[Path]]:
    return {name: sorted((textile / name).glob("*.jpg"))[30:36] for name in ("global", "nominal")}


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def counts(data: Path) -> dict[str, int]:
    """Examples of each class, as `fit` would read them."""
    return {each["name"]: each["count"] for each in hs.check(str(data), model=None).to_json()["classes"]}


def test_photos_lie_in_folders_of_classes_and_are_learned_from(server, tmp_path, photos_to_send):
    for name, files in photos_to_send.items():
        for file in files:
            answer = server.send("/v1/feedback", [(file.name, file.read_bytes())], label=name)
            assert answer.status == 200, answer.json
    home = tmp_path / "feedback" / "photos"
    assert {folder.name: len(list(folder.iterdir())) for folder in home.iterdir()} == {"global": 6, "nominal": 6}
    stored = home.parent / answer.json["stored"]
    assert stored.read_bytes() == file.read_bytes()
    assert answer.json["replaced"] is False
    assert counts(home) == {"global": 6, "nominal": 6}
    model = hs.fit(str(home), model="efficientnet_lite0", how="probe", out=tmp_path / "again.headstart")
    assert model.classes == ("global", "nominal")


def test_the_same_photo_again_has_its_class_replaced(server, tmp_path, photos_to_send):
    photo = {"image": base64.b64encode(photos_to_send["global"][0].read_bytes()).decode()}
    first = server.post("/v1/feedback", {"input": photo, "label": "global"}).json
    again = server.post("/v1/feedback", {"input": photo, "label": "global"}).json
    assert (first["replaced"], again["replaced"]) == (False, True)
    moved = server.post("/v1/feedback", {"input": photo, "label": "nominal"}).json
    assert moved == {"stored": first["stored"].replace("/global/", "/nominal/"), "replaced": True}
    there = [path for path in (tmp_path / "feedback").rglob("*") if path.is_file()]
    assert [path.relative_to(tmp_path / "feedback").as_posix() for path in there] == [moved["stored"]]


@pytest.mark.parametrize(
    "label", ["other", "train", "../up", "a/b", "a\\b", "..", ".hidden", "a\nb", "c:", "x" * 300, " ", 3, ["a"]]
)
def test_classes_that_are_unknown_or_no_names_of_folders(server, tmp_path, photos_to_send, label):
    photo = {"image": base64.b64encode(photos_to_send["global"][0].read_bytes()).decode()}
    for new in (False, label != "other" and isinstance(label, str)):
        answer = server.post("/v1/feedback", {"input": photo, "label": label, "new": new})
        assert answer.status == 422, answer.json
    assert list((tmp_path / "feedback").rglob("*")) == []


def test_a_new_class_is_taken_where_it_is_said_to_be_new(server, tmp_path, photos_to_send):
    photo = {"image": base64.b64encode(photos_to_send["global"][0].read_bytes()).decode()}
    answer = server.post("/v1/feedback", {"input": photo, "label": "knot in it", "new": True})
    assert answer.json["stored"].startswith("photos/knot in it/")
    assert (tmp_path / "feedback" / answer.json["stored"]).is_file()


def test_what_is_no_photo_is_not_stored(server, tmp_path):
    answer = server.send("/v1/feedback", [("a.jpg", b"no photo")], label="global")
    assert answer.status == 422
    assert list((tmp_path / "feedback").rglob("*")) == []


def test_texts_are_lines_of_a_table_and_are_learned_from(server, tmp_path, questions):
    table = tmp_path / "feedback" / "texts.jsonl"
    table.write_text('{"text": "somebody else\'s", "label": "cards"}\nno JSON at all\n')
    for number, (text, _) in enumerate(questions):
        label = ("cards", "else")[number % 2]
        assert server.post("/v1/feedback", {"model": "texts", "input": text, "label": label}).status == 200
    again = server.post("/v1/feedback", {"model": "texts", "input": questions[0][0], "label": "else"})
    assert again.json == {"stored": "texts.jsonl", "replaced": True}
    lines = table.read_text().splitlines()
    assert lines[:2] == ['{"text": "somebody else\'s", "label": "cards"}', "no JSON at all"]
    assert len(lines) == 2 + len(questions)
    assert json.loads(lines[-1]) == {"text": questions[0][0], "label": "else"}
    table.write_text("\n".join(lines[2:]) + "\n")
    assert counts(table) == {"cards": 11, "else": 13}


def test_labels_numbers_and_pairs(server, tmp_path):
    folder = tmp_path / "feedback"
    asked = [
        {"model": "labels", "input": "where is it", "label": ["card", "pin"]},
        {"model": "numbers", "input": "where is it", "label": 2.5},
        {"model": "pairs", "input": {"text": "a", "text2": "b"}, "label": "alike"},
        {"model": "pairs", "input": {"text": "b", "text2": "a"}, "label": "not"},
    ]
    assert [server.post("/v1/feedback", each).status for each in asked] == [200] * 4
    assert rows(folder / "labels.jsonl") == [{"text": "where is it", "label": ["card", "pin"]}]
    assert rows(folder / "numbers.jsonl") == [{"text": "where is it", "label": 2.5}]
    assert rows(folder / "pairs.jsonl") == [
        {"text1": "a", "text2": "b", "label": "alike"},
        {"text1": "b", "text2": "a", "label": "not"},
    ]
    for each in ({"label": ["card", "other"]}, {"label": {"answer": "a"}}, {"label": [1]}):
        answer = server.post("/v1/feedback", {"model": "labels", "input": "where is it"} | each)
        assert answer.status in (400, 422), each
    assert server.post("/v1/feedback", {"model": "numbers", "input": "a", "label": "much"}).status == 422


def test_answers_to_questions(server, tmp_path):
    text = "the old tower was built in 1931"
    question = {"question": "when was it built?", "context": text}
    asked = {"model": "finds-years", "input": question}
    assert server.post("/v1/feedback", asked | {"label": {"answer": "1931", "start": 27}}).status == 200
    table = tmp_path / "feedback" / "finds-years.jsonl"
    row = {"answer": "1931", "answer_start": 27, "is_impossible": False}
    assert rows(table) == [question | row]
    wrong = [{"answer": "1930"}, {"answer": "1931", "start": 3}]
    assert [server.post("/v1/feedback", asked | {"label": each}).status for each in wrong] == [422, 422]
    assert server.post("/v1/feedback", asked | {"label": "1931"}).status == 422
    assert server.post("/v1/feedback", asked | {"label": {"answer": ""}}).json["replaced"] is True
    assert rows(table) == [question | {"answer": "", "is_impossible": True}]


def test_columns_are_those_of_the_fit(few_texts, tmp_path):
    table, model = few_texts
    renamed = tmp_path / "renamed.csv"
    renamed.write_text(table.read_text().replace("text,label", "utterance,intent", 1))
    hs.fit(str(renamed), model=str(model), how="probe", out=tmp_path / "intents.headstart")
    with running(tmp_path / "intents.headstart", settings=Settings(feedback=tmp_path / "feedback")) as server:
        answer = server.post("/v1/feedback", {"input": "my card is lost", "label": "card"})
        assert answer.status == 200, answer.json
    assert rows(tmp_path / "feedback" / "intents.jsonl") == [{"utterance": "my card is lost", "intent": "card"}]


def test_the_folder_is_bounded(to_serve, tmp_path):
    limits = replace(Limits(), feedback_bytes=100)
    with running(to_serve["texts"], settings=Settings(feedback=tmp_path / "f", limits=limits)) as server:
        asked = {"input": "where is my card", "label": "cards"}
        for label in ("cards", "else", "cards"):  # in the place of the one before, which takes no more room
            assert server.post("/v1/feedback", asked | {"label": label}).status == 200
        answer = server.post("/v1/feedback", {"input": "a text of 100 characters" * 4, "label": "cards"})
        assert answer.status == 507
    assert len(rows(tmp_path / "f" / "texts.jsonl")) == 1


def test_a_folder_that_is_the_models_own_is_refused(to_serve, tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "headstart.json").write_text("{}")
    with pytest.raises(UserError, match="lies there"), running(to_serve["texts"], settings=Settings(feedback=tmp_path)):
        pass


def test_a_photo_that_is_there_takes_no_more_room(to_serve, tmp_path, photos_to_send):
    content = photos_to_send["global"][0].read_bytes()
    limits = replace(Limits(), feedback_bytes=len(content) + 100)
    with running(to_serve["photos"], settings=Settings(feedback=tmp_path / "f", limits=limits)) as server:
        for label in ("global", "global", "nominal", "nominal"):
            assert server.send("/v1/feedback", [("a.jpg", content)], label=label).status == 200
