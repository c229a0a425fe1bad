"""What a studio says to people who type no commands, and what it takes back."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest

from headstart.errors import UserError
from headstart.export.to_web import PAGE
from headstart.serve.settings import Settings
from headstart.storage.locks import Lock, take_lock
from headstart.storage.places import cache_folder
from headstart.studio.plain_words import plain_words
from studios import Client, running

TOWNS = ("Aldby", "Barrow", "Corfe", "Dunmore", "Elsdon", "Fenwick", "Garth", "Helston", "Ilam", "Kelso")
ENDED = ("done", "failed", "stopped")


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "studio"


@pytest.fixture
def studio(home):
    with running(home) as client:
        yield client


def project(studio: Client, kind: str = "photos") -> str:
    id = studio.post("/api/projects", {"name": "Words", "kind": kind})["id"]
    return f"/api/projects/{id}"


def as_csv(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def towers() -> list[tuple[str, str, str]]:
    """Questions about ten towers, with their answers."""
    asked = []
    for number, town in enumerate(TOWNS):
        text = f"The tower of {town} was built in {1731 + 17 * number}. It is {21 + 5 * number} metres high."
        asked.append((text, "When was it built?", str(1731 + 17 * number)))
        asked.append((text, "How high is it?", f"{21 + 5 * number} metres"))
    return asked


def everything(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_what_was_removed_of_the_photos_is_taken_back(studio, home, photos):
    at = project(studio)
    studio.photos("words", photos)
    before = everything(home / "words" / "data")
    ids = [photo["id"] for photo in studio.get(f"{at}/photos?class=global")["photos"]]
    some = studio.json("DELETE", f"{at}/photos", {"ids": ids[:3]}).json
    odd = studio.post(f"{at}/labels", {"changes": [{"photo": ids[3], "remove": True}]})
    whole = studio.json("DELETE", f"{at}/classes/nominal").json
    assert len(everything(home / "words" / "data")) == 16
    for removed, n in ((some, 3), (odd, 1), (whole, 20), (whole, 0)):
        assert studio.post(f"{at}/photos/back", {"undo": removed["undo"]}) == {"back": n}
    assert everything(home / "words" / "data") == before


def test_what_has_come_to_the_place_since_stays_and_nothing_of_another_project_comes(studio, home, photos):
    at = project(studio)
    studio.photos("words", photos)
    (photo, *_) = studio.get(f"{at}/photos?class=global")["photos"]
    removed = studio.json("DELETE", f"{at}/photos", {"ids": [photo["id"]]}).json
    (file,) = (home / ".removed").rglob("*.jpg")
    (home / "words" / "data" / "global" / file.name).write_bytes(b"another one")
    assert studio.post(f"{at}/photos/back", {"undo": removed["undo"]}) == {"back": 0}
    assert (home / "words" / "data" / "global" / file.name).read_bytes() == b"another one"
    other = project(studio)
    for undo in (removed["undo"], "..", "../words", "", ".incoming"):
        assert studio.json("POST", f"{other}/photos/back", {"undo": undo}).status == 404


@pytest.mark.parametrize("token", [None, "a-token-of-16-characters"])
def test_a_web_page_is_looked_at_by_its_ticket_and_runs_no_code_of_a_strangers(home, token):
    with running(home, settings=Settings(token=token)) as studio:
        at = project(studio)
        export = home / "words" / "exports" / "1-web"
        page = export / "words-web"
        page.mkdir(parents=True)
        for name in ("model.json", "index.html", "secret.txt"):
            (page / name).write_text("{}")
        (page / "model.onnx").symlink_to(home / "words" / "project.json")
        source = {"data": "words", "task": "classification", "columns": {}, "feedback": None}
        options = {"run": 1, "format": "web", "quantize": None, "name": "words", "source": source}
        job = {
            "version": 1,
            "work": "export",
            "options": options,
            "asked": "2026-01-01",
            "status": "done",
            "attempts": 1,
        }
        (export / "job.json").write_text(json.dumps(job | {"started": None, "ended": None, "error": None}))
        (export / "result.json").write_text(json.dumps({"proof": None, "zip": "words-web.zip", "size": 1}))
        address = studio.get(f"{at}/exports/1")["page"]
        browser = Client(studio.port)  # a link sends no token
        index = browser.ask("GET", f"/{address}")
        assert index.body == (PAGE / "index.html").read_bytes()
        assert "script-src 'self' 'wasm-unsafe-eval'" in index.headers["content-security-policy"]
        assert browser.ask("GET", f"/{address}index.html").body == index.body
        assert browser.ask("GET", f"/{address}model.json").body == b"{}"
        for name in ("secret.txt", "model.onnx", "tokenizer.json", "..%2fjob.json", "..%2f..%2f..%2fproject.json"):
            assert browser.ask("GET", f"/{address}{name}").status in (401, 404, 409), name
        if token is not None:
            for wrong in (address.replace("/1/", "/2/"), f"{address[:-3]}x/", "look/words/1/-/"):
                assert browser.ask("GET", f"/{wrong}model.json").status == 401
            assert browser.ask("DELETE", f"/{address}").status == 401


def _as_another_studio() -> Lock:
    """The lock that a training of it has; a job of the test before this one may be at its end."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        turn = take_lock(cache_folder() / "studio-turn", without_locks=True)
        if turn is not None:
            return turn
        time.sleep(0.1)
    raise TimeoutError("a job has its turn for a minute")


@pytest.mark.check
def test_a_training_says_what_it_waits_for(studio, photos):
    at = project(studio)
    studio.photos("words", photos)
    run = {"budget": "1m", "advanced": {"model": "efficientnet_lite0", "how": "probe"}}
    turn = _as_another_studio()
    try:
        studio.post(f"{at}/runs", run)
        waiting = studio.until(f"{at}/runs/1", lambda run: run["step"] == "turn")
        assert (waiting["status"], waiting["waits_for"], waiting["stopping"]) == ("queued", 0, False)
        other = project(studio)
        studio.photos(other.rpartition("/")[2], photos)
        second = studio.post(f"{other}/runs", run)
        assert (second["waits_for"], second["waits_behind"]) == (1, "words")
        assert studio.post(f"{other}/runs/1/stop", {})["status"] == "stopped"
    finally:
        turn.release()
    assert studio.until(f"{at}/runs/1", lambda run: run["status"] in ENDED)["status"] == "done"


@pytest.mark.check
def test_rows_that_were_changed_are_as_they_were(studio, home, questions):
    at = project(studio, "table")
    studio.send(f"{at}/table", [("q.csv", as_csv([("text", "intent"), *questions]))])
    studio.post(f"{at}/check", {})
    assert studio.until(f"{at}/check", lambda check: check["status"] in ENDED)["status"] == "done"
    counts = studio.get(at)["classes"]
    moved, gone = {"where": "row 1", "label": "exchange"}, {"where": "row 2", "remove": True}
    studio.post(f"{at}/labels", {"changes": [moved, gone]})
    assert studio.get(at)["classes"] != counts
    for change in (moved, gone):
        studio.post(f"{at}/labels", {"changes": [change], "undo": True})
    assert studio.get(at)["classes"] == counts


@pytest.mark.parametrize(("name", "wrong"), [('what? 5"', '" and ?'), (".hid", "dot"), ("y" * 250, "too long")])
def test_a_class_that_cannot_be_a_folder_is_told_what_is_wrong_with_its_name(studio, name, wrong):
    answer = studio.json("POST", f"{project(studio)}/classes", {"name": name})
    assert answer.status == 422
    assert wrong in answer.json["error"]


def test_files_that_are_no_photos_are_refused_in_words(studio, photos):
    at = project(studio)
    studio.post(f"{at}/classes", {"name": "a"})
    whole = next(photos.rglob("*.jpg")).read_bytes()
    files = [("note.jpg", b"hello\n"), ("cut.jpg", whole[: len(whole) // 2])]
    refused = studio.send(f"{at}/photos?class=a", files).json["refused"]
    assert [each["error"] for each in refused] == [
        "this is no picture, whatever its name says",
        "the picture is damaged and cannot be opened",
    ]


def test_an_error_is_told_without_commands_and_without_the_file_that_it_can_only_be_about(monkeypatch):
    monkeypatch.setattr(UserError, "for_python", False)
    error = UserError("no time to tune within 30 s: --budget 87m would do", where="squad")
    words = "30 seconds were too little to learn anything: 87 minutes would do"
    assert plain_words(error, about=Path("run/squad.json")) == words
    table = Path("/home/me/empty.csv")
    assert plain_words(UserError("the file is empty", where=str(table)), about=table) == "the file is empty"
    assert plain_words("too high; --group COLUMN keeps such on one side") == "too high"


@pytest.mark.parametrize("form", ["squad", "csv"])
def test_questions_are_shown_as_such(studio, form):
    at, asked = project(studio, "table"), towers()
    if form == "csv":
        studio.send(f"{at}/table", [("qa.csv", as_csv([("context", "question", "answer"), *asked]))])
    else:
        texts = {text: [each for each in asked if each[0] == text] for text, _, _ in asked}
        paragraphs = [
            {
                "context": text,
                "qas": [
                    {"id": f"{text[:20]} {q}", "question": q, "answers": [{"text": a, "answer_start": text.index(a)}]}
                    for _, q, a in each
                ],
            }
            for text, each in texts.items()
        ]
        data = {"version": "1.1", "data": [{"title": "Towers", "paragraphs": paragraphs}]}
        studio.send(f"{at}/table", [("squad.json", json.dumps(data).encode())])
    table = studio.get(f"{at}/table")
    assert (table["error"], table["n_rows"], table["guess"]["title"]) == (None, 20, "question-answering")
    assert table["columns"] == ["question", "answer", "text"]
    assert table["rows"][0] == [asked[0][1], asked[0][2], asked[0][0]]


@pytest.mark.check
def test_finding_answers_is_trained_where_there_is_the_time_and_says_so_where_there_is_none(studio):
    at = project(studio, "table")
    studio.send(f"{at}/table", [("qa.csv", as_csv([("context", "question", "answer"), *towers()]))])
    studio.post(f"{at}/runs", {"budget": "1s"})
    failed = studio.until(f"{at}/runs/1", lambda run: run["status"] in ENDED)
    assert failed["error"].startswith("1 seconds were too little to learn anything: ")
    assert failed["error"].endswith(" would do")
    studio.post(f"{at}/runs", {"budget": "10m"})  # the least that the page offers for it
    ended = studio.until(f"{at}/runs/2", lambda run: run["status"] in ENDED, seconds=600)
    assert (ended["status"], ended["error"]) == ("done", None)
    assert ended["headline"]["key"] == "exact_match"
