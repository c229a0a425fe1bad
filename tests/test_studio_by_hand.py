"""What somebody puts into a project's folder by hand: no photo is taken for another, and none gets lost."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

from studios import Client, running


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "studio"


@pytest.fixture
def studio(home):
    with running(home) as client:
        yield client


@pytest.fixture
def path(studio) -> str:
    return f"/api/projects/{studio.post('/api/projects', {'name': 'A', 'kind': 'photos'})['id']}"


@pytest.fixture
def data(home, path) -> Path:
    return home / "a" / "data"


def put(photos: Path, folder: Path, numbers: range) -> None:
    """Photos as a camera calls them."""
    folder.mkdir()
    there = sorted(photos.rglob("*.jpg"))
    for name, number in enumerate(numbers):
        shutil.copy(there[number], folder / f"IMG_{name}.jpg")


def ids(studio: Client, path: str, name: str) -> list[str]:
    return [photo["id"] for photo in studio.get(f"{path}/photos?class={name}")["photos"]]


def in_classes(data: Path) -> list[str]:
    return sorted(file.relative_to(data).as_posix() for file in data.rglob("*.jpg"))


def test_of_a_photo_in_two_classes_the_one_that_was_seen_is_removed_and_moved(studio, path, data, photos):
    put(photos, data / "aa", range(3))
    put(photos, data / "zz", range(3))
    shown = ids(studio, path, "aa")
    assert not set(shown) & set(ids(studio, path, "zz"))
    assert studio.json("DELETE", f"{path}/photos", {"ids": shown[:1]}).json["removed"] == 1
    assert studio.json("DELETE", f"{path}/photos", {"ids": shown[:1]}).json["removed"] == 0  # clicked twice
    assert in_classes(data) == ["aa/IMG_1.jpg", "aa/IMG_2.jpg", "zz/IMG_0.jpg", "zz/IMG_1.jpg", "zz/IMG_2.jpg"]
    assert studio.json("PATCH", f"{path}/photos", {"ids": shown[1:2], "class": "zz"}).json == {"moved": 1}
    assert in_classes(data) == ["aa/IMG_2.jpg", "zz/IMG_0.jpg", "zz/IMG_1.jpg", "zz/IMG_2.jpg"]


def test_other_photos_of_the_same_name_are_kept_when_classes_become_one(studio, path, data, photos):
    put(photos, data / "aa", range(4))
    put(photos, data / "zz", range(10, 14))
    before = sorted(file.read_bytes() for file in data.rglob("*.jpg"))
    moved = {"ids": ids(studio, path, "aa")[:2], "class": "zz"}
    assert studio.json("PATCH", f"{path}/photos", moved).json == {"moved": 2}
    assert studio.json("PATCH", f"{path}/classes/aa", {"name": "zz"}).json == {"name": "zz", "merged": True}
    assert studio.get(path)["classes"] == [{"name": "zz", "n": 8}]
    assert sorted(file.read_bytes() for file in data.rglob("*.jpg")) == before


def test_what_is_no_class_gives_its_name_to_none(studio, path, data):
    (data / "cats").write_text("a file")
    (data / "dogs").mkdir()
    assert studio.json("POST", f"{path}/classes", {"name": "cats"}).status == 409
    assert studio.json("PATCH", f"{path}/classes/dogs", {"name": "cats"}).status == 409
    assert (data / "cats").read_text() == "a file"


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_links_and_names_that_are_no_text_are_said(studio, path, data, photos):
    for folder in (os.fsdecode(b"caf\xe9"), "link"):
        put(photos, data / "one", range(10))
        put(photos, data / "two", range(10, 20))
        (data / "link").symlink_to(photos) if folder == "link" else (data / folder).mkdir()
        about = studio.get(path)
        assert [each["name"] for each in about["classes"]] == ["one", "two"]
        assert about["can_train"] is False
        assert about["why_not"].startswith(folder[:3])
        assert studio.json("POST", f"{path}/classes", {"name": "link"}).status == (409 if folder == "link" else 201)
        shutil.rmtree(data)
        data.mkdir()


def test_a_photo_that_another_program_writes_into_is_a_change(studio, path, data, photos):
    put(photos, data / "one", range(10))
    put(photos, data / "two", range(10, 20))
    run = {"budget": "30s", "advanced": {"model": "efficientnet_lite0", "how": "probe"}}
    assert studio.json("POST", f"{path}/runs", run).status == 202
    before = json.loads((data.parent / "runs" / "1" / "job.json").read_text())["options"]["fingerprint"]
    studio.json("POST", f"{path}/runs/1/stop", {})
    studio.until(f"{path}/runs/1", lambda run: run["status"] in ("done", "stopped"))
    shutil.copy(sorted(photos.rglob("*.jpg"))[25], data / "one" / "IMG_0.jpg")
    assert studio.json("POST", f"{path}/runs", run).status == 202
    assert json.loads((data.parent / "runs" / "2" / "job.json").read_text())["options"]["fingerprint"] != before
    studio.json("POST", f"{path}/runs/2/stop", {})
    studio.until(f"{path}/runs/2", lambda run: run["status"] in ("done", "stopped"))


@pytest.fixture
def table(studio) -> str:
    return f"/api/projects/{studio.post('/api/projects', {'name': 'T', 'kind': 'table'})['id']}"


@pytest.mark.parametrize("empty", [b"NaN", b"null", b'""'])
def test_rows_without_a_label_are_none_of_the_examples(studio, table, empty):
    rows = [
        b'{"text": "text %d", "label": "%s"}\n{"text": "t", "label": %s}\n' % (n, b"ab"[n % 2 :][:1], empty)
        for n in range(30)
    ]
    about = studio.send(f"{table}/table", [("t.jsonl", b"".join(rows))]).json
    assert (about["error"], about["n_rows"], about["n_used"]) == (None, 60, 30)
    (listed,) = studio.get("/api/projects")["projects"]
    assert listed["classes"] == [{"name": "a", "n": 15}, {"name": "b", "n": 15}]


def test_a_table_is_read_when_its_project_is_opened_and_not_for_the_list(studio, home, table, questions):
    text = "text,intent\n" + "".join(f'"{text}",{name}\n' for text, name in questions)
    (home / "t" / "data" / "t.csv").write_text(text)
    facts = json.loads((home / "t" / "project.json").read_text())
    (home / "t" / "project.json").write_text(json.dumps(facts | {"table": "t.csv"}))
    assert studio.get("/api/projects")["projects"][0]["n_examples"] is None
    assert studio.get(table)["n_examples"] == len(questions)
    assert studio.get("/api/projects")["projects"][0]["n_examples"] == len(questions)


def test_a_table_of_very_many_columns_is_refused_and_holds_up_nobody(studio, path, data, photos, table):
    put(photos, data / "one", range(3))
    names = ",".join(f"c{number}" for number in range(20_000))
    row = ",".join("x" for _ in range(20_000))
    content = "\n".join([names, *[row] * 30]).encode()
    senders = [threading.Thread(target=studio.send, args=(f"{table}/table", [("t.csv", content)])) for _ in range(8)]
    for sender in senders:
        sender.start()
    assert len(ids(studio, path, "one")) == 3
    for sender in senders:
        sender.join()
    said = studio.get(f"{table}/table")["error"]
    assert "20,000 columns" in said


def test_what_is_wrong_with_a_table_names_no_folder_of_this_computer(studio, home, table):
    about = studio.send(f"{table}/table", [("t.csv", b"")]).json
    assert "the file is empty" in about["error"]
    assert str(home) not in about["error"]


@pytest.mark.check
def test_rows_that_are_not_there_are_refused(studio, table, questions):
    text = "text,intent\n" + "".join(f'"{text}",{name}\n' for text, name in questions)
    studio.send(f"{table}/table", [("t.csv", text.encode())])
    studio.post(f"{table}/check", {})
    studio.until(f"{table}/check", lambda found: found["status"] in ("done", "failed"))
    for row in ("row 0", f"row {len(questions) + 1}", "row 999999999", "row \u0663"):
        answer = studio.json("POST", f"{table}/labels", {"changes": [{"where": row, "label": "pin"}]})
        assert answer.status == 422, row
    last = {"changes": [{"where": f"row {len(questions)}", "label": "pin"}]}
    assert studio.post(f"{table}/labels", last) == {"changed": 1}
