"""The projects of a studio on disk: photos and tables are kept, found again, moved, removed, and never lost."""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
import sys
import threading
from pathlib import Path

import pandas
import pytest
from PIL import Image

from headstart.errors import UserError
from headstart.serve.settings import Settings
from headstart.studio.limits import StudioLimits
from headstart.studio.plain_words import plain_words
from headstart.studio.workspace import Workspace
from servers import BOUNDARY, form
from studios import Client, Command, running

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="processes are ended otherwise there")


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "studio"


@pytest.fixture
def studio(home):
    with running(home) as client:
        yield client


def project(studio: Client, name: str = "Textile", kind: str = "photos") -> str:
    return str(studio.post("/api/projects", {"name": name, "kind": kind})["id"])


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def some_photo(folder: Path, number: int = 0) -> bytes:
    return sorted((folder / "global").iterdir())[number].read_bytes()


def test_two_folders_of_photos_become_a_project_of_plain_files(studio, home, photos):
    id = project(studio, "Café textile")
    assert id == "cafe-textile"
    assert studio.get(f"/api/projects/{id}")["why_not"] == "Add a class for each thing that it should tell apart."
    studio.photos(id, photos)
    about = studio.get(f"/api/projects/{id}")
    assert about["classes"] == [{"name": "global", "n": 20}, {"name": "nominal", "n": 20}]
    assert (about["can_train"], about["why_not"]) == (True, None)
    sent = sorted(path.read_bytes() for path in photos.rglob("*.jpg"))
    assert sorted(path.read_bytes() for path in (home / id / "data").rglob("*.jpg")) == sent
    (listed,) = studio.get("/api/projects")["projects"]
    assert (listed["id"], listed["name"], listed["n_examples"], listed["run"]) == (id, "Café textile", 40, None)


def test_each_photo_is_there_once_and_what_is_none_is_refused(studio, photos):
    id, content = project(studio), some_photo(photos)
    for name in ("one", "two"):
        studio.post(f"/api/projects/{id}/classes", {"name": name})
    files = [("a.jpg", content), ("again.jpg", content), ("notes.jpg", b"no photo"), ("../../b.png", content[:2000])]
    first = studio.send(f"/api/projects/{id}/photos?class=one", files).json
    assert [each["name"] for each in first["added"]] == ["a.jpg"]
    assert [each["name"] for each in first["already"]] == ["again.jpg"]
    assert [each["name"] for each in first["refused"]] == ["notes.jpg", "../../b.png"]
    assert all(each["error"] for each in first["refused"])
    second = studio.send(f"/api/projects/{id}/photos?class=two", [("c.jpg", content)]).json
    assert second["already"] == [first["added"][0] | {"name": "c.jpg"}]
    assert studio.get(f"/api/projects/{id}")["n_examples"] == 1


def test_a_picture_is_small_and_says_nothing_of_the_camera(studio, photos):
    photo = Image.open(io.BytesIO(some_photo(photos)))
    exif = photo.getexif()
    exif[0x010F] = "A camera"
    written = io.BytesIO()
    photo.resize((800, 600)).save(written, "JPEG", exif=exif)
    id = project(studio)
    studio.post(f"/api/projects/{id}/classes", {"name": "one"})
    (added,) = studio.send(f"/api/projects/{id}/photos?class=one", [("a.jpg", written.getvalue())]).json["added"]
    answer = studio.ask("GET", f"/api/projects/{id}/photos/{added['id']}/picture?side=160")
    shown = Image.open(io.BytesIO(answer.body))
    assert max(shown.size) == 160
    assert not shown.getexif()
    assert "immutable" in answer.headers["cache-control"]


def test_photos_are_moved_removed_and_can_be_taken_back(studio, home, photos):
    id = project(studio)
    studio.photos(id, photos)
    listed = studio.get(f"/api/projects/{id}/photos?class=global&limit=3")
    assert listed["total"] == 20
    ids = [photo["id"] for photo in listed["photos"]]
    before = sorted(path.read_bytes() for path in home.rglob("*.jpg"))
    moved = studio.json("PATCH", f"/api/projects/{id}/photos", {"ids": ids[:2], "class": "nominal"})
    assert moved.json == {"moved": 2}
    assert studio.json("DELETE", f"/api/projects/{id}/photos", {"ids": ids}).json["removed"] == 3
    counts = {each["name"]: each["n"] for each in studio.get(f"/api/projects/{id}")["classes"]}
    assert counts == {"global": 17, "nominal": 20}
    assert sorted(path.read_bytes() for path in home.rglob("*.jpg")) == before
    assert studio.json("DELETE", f"/api/projects/{id}/classes/nominal").status == 200
    assert studio.json("DELETE", f"/api/projects/{id}").status == 200
    assert studio.get("/api/projects")["projects"] == []
    assert sorted(path.read_bytes() for path in (home / ".removed").rglob("*.jpg")) == before


def test_two_tabs_at_once_lose_nothing(studio, home, photos):
    """One moves photos to and fro while the other adds more and removes some."""
    id = project(studio)
    studio.photos(id, photos)
    ids = [photo["id"] for photo in studio.get(f"/api/projects/{id}/photos?class=global")["photos"]]
    path, said = f"/api/projects/{id}/photos", []

    def moves() -> None:
        for name in ("nominal", "global") * 5:
            said.append(studio.json("PATCH", path, {"ids": ids, "class": name}).status)

    def removes() -> None:
        for each in ids[:10]:
            said.append(studio.json("DELETE", path, {"ids": [each]}).status)

    tabs = [threading.Thread(target=work) for work in (moves, removes)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert set(said) == {200}
    assert studio.get(f"/api/projects/{id}")["n_examples"] == 30
    sent = sorted(file.read_bytes() for file in photos.rglob("*.jpg"))
    assert sorted(file.read_bytes() for file in home.rglob("*.jpg")) == sent


def test_a_class_is_renamed_and_merged_into_one_that_is_called_so(studio, photos):
    id = project(studio)
    studio.photos(id, photos)
    assert studio.json("PATCH", f"/api/projects/{id}/classes/global", {"name": "Global"}).json["merged"] is False
    assert studio.get(f"/api/projects/{id}")["classes"][0] == {"name": "Global", "n": 20}
    answer = studio.json("PATCH", f"/api/projects/{id}/classes/Global", {"name": "nominal"})
    assert answer.json == {"name": "nominal", "merged": True}
    assert studio.get(f"/api/projects/{id}")["classes"] == [{"name": "nominal", "n": 40}]


def test_what_is_missing_is_said_in_words(studio, photos):
    id = project(studio)
    studio.post(f"/api/projects/{id}/classes", {"name": "one"})
    assert studio.get(f"/api/projects/{id}")["why_not"] == "Add a second class beside one."
    studio.post(f"/api/projects/{id}/classes", {"name": "two"})
    studio.send(f"/api/projects/{id}/photos?class=one", [("a.jpg", some_photo(photos))])
    said = studio.get(f"/api/projects/{id}")["why_not"]
    assert said == "one has 1 photo: add 9 more; two has no photos: add 10 more."
    refused = studio.json("POST", f"/api/projects/{id}/runs", {"budget": "30s"})
    assert (refused.status, refused.json["error"]) == (422, said)


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "a\\b", "..", ".hidden", "con", "train", "__MACOSX", "", "x" * 300, "a\0b", "ends."]
)
def test_odd_names_of_classes_are_refused(studio, home, name):
    id = project(studio)
    before = files_in(home.parent)
    answer = studio.json("POST", f"/api/projects/{id}/classes", {"name": name})
    assert answer.status == 422
    assert "--" not in answer.json["error"]
    assert files_in(home.parent) == before


@pytest.mark.parametrize("id", ["..", "%2e%2e", ".removed", "nobody", "a%2fb", "%00", "..%2f..%2fetc"])
def test_no_id_leads_out_of_the_workspace(studio, home, id):
    (home.parent / "project.json").write_text("{}")
    for path in (f"/api/projects/{id}", f"/api/projects/{id}/photos?class=a", f"/api/projects/{id}/runs/1/report"):
        assert studio.json("GET", path).status == 404
    assert studio.json("DELETE", f"/api/projects/{id}").status in (404, 405)


def test_links_lead_nowhere(studio, home, photos):
    id = project(studio)
    (home / id / "data" / "linked").symlink_to(photos / "global")
    (home / "other").symlink_to(home / id)
    assert studio.get(f"/api/projects/{id}")["classes"] == []
    assert studio.json("GET", f"/api/projects/{id}/photos?class=linked").status == 404
    assert len(studio.get("/api/projects")["projects"]) == 1


def test_photos_that_somebody_put_there_by_hand_are_found(studio, home, photos):
    id = project(studio)
    shutil.copytree(photos / "global", home / id / "data" / "by hand")
    about = studio.get(f"/api/projects/{id}/photos?class=by%20hand")
    assert about["total"] == 20
    photo = about["photos"][0]
    assert studio.ask("GET", f"/api/projects/{id}/photos/{photo['id']}/picture").status == 200
    content = (home / id / "data" / "by hand" / photo["name"]).read_bytes()
    assert studio.send(f"/api/projects/{id}/photos?class=by%20hand", [("a.jpg", content)]).json["already"]


def test_uploads_are_bounded_and_leave_nothing_behind(home, photos):
    content = some_photo(photos)
    with running(
        home, limits=StudioLimits(files=2, photo_bytes=len(content), upload_bytes=10 * len(content))
    ) as studio:
        id = project(studio)
        studio.post(f"/api/projects/{id}/classes", {"name": "one"})
        path = f"/api/projects/{id}/photos?class=one"
        said = studio.send(path, [("large.jpg", content + b"\0"), ("a.jpg", content)]).json
        assert [each["name"] for each in said["refused"]] == ["large.jpg"]
        assert [each["name"] for each in said["added"]] == ["a.jpg"]
        assert studio.send(path, [("a.jpg", content)] * 3).status == 413
        assert studio.send(path, [("a.jpg", content * 12)]).status == 413
        assert studio.ask("POST", path, b"x", {"Content-Type": "text/plain"}).status == 415
        assert files_in(home / ".incoming") == []
        assert studio.get(f"/api/projects/{id}")["n_examples"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="nowhere else can the limits of another process be set")
def test_an_upload_may_have_more_files_than_a_process_may_have_open(home, photos):
    import resource

    studio = Command(home)
    id = project(studio.client)
    studio.client.post(f"/api/projects/{id}/classes", {"name": "one"})
    few = len(os.listdir(f"/proc/{studio.process.pid}/fd")) + 50
    resource.prlimit(studio.process.pid, resource.RLIMIT_NOFILE, (few, few))
    files = [("a.jpg", some_photo(photos)), *((f"{number}.jpg", b"no photo") for number in range(100))]
    answer = studio.client.send(f"/api/projects/{id}/photos?class=one", files)
    assert answer.status == 200, answer.body
    assert (len(answer.json["added"]), len(answer.json["refused"])) == (1, 100)
    assert studio.end() == 0


def test_an_upload_that_is_cut_off_keeps_nothing(studio, home, photos):
    id = project(studio)
    studio.post(f"/api/projects/{id}/classes", {"name": "one"})
    body = form([("a.jpg", some_photo(photos))], {})
    head = (
        f"POST /api/projects/{id}/photos?class=one HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", studio.port)) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
    studio.until(f"/api/projects/{id}", lambda _: not list((home / ".incoming").iterdir()), seconds=30)
    assert studio.get(f"/api/projects/{id}")["n_examples"] == 0


def test_a_full_disk_is_said_before_anything_is_written(home, photos):
    with running(home) as studio:
        id = project(studio)
        studio.post(f"/api/projects/{id}/classes", {"name": "one"})
    with running(home, limits=StudioLimits(free_bytes=2**62)) as studio:
        answer = studio.send(f"/api/projects/{id}/photos?class=one", [("a.jpg", some_photo(photos))])
        assert answer.status == 507
        assert "free some space" in answer.json["error"]


def test_a_second_studio_does_not_open_the_same_folder(studio, home):
    with pytest.raises(UserError, match="another headstart studio"):
        Workspace(home)
    assert studio.get("/api/projects")["projects"] == []


@needs_signals
def test_a_killed_studio_opens_again_with_all_that_it_said_it_had(home, photos):
    first = Command(home)
    id = project(first.client)
    first.client.photos(id, photos)
    body = form([("a.jpg", some_photo(photos))], {})
    head = (
        f"POST /api/projects/{id}/photos?class=global HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", first.client.port)) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
        first.client.until(f"/api/projects/{id}", lambda _: any((home / ".incoming").glob("*/*")), seconds=30)
        first.kill()
    assert list((home / ".incoming").iterdir())
    second = Command(home)
    assert second.client.get(f"/api/projects/{id}")["n_examples"] == 40
    assert not (home / ".incoming").exists()
    assert second.end() == 0


def test_pages_of_others_and_those_without_the_token_are_kept_out(home):
    with running(home, settings=Settings(token="a-token-of-16-characters")) as studio:
        assert studio.ask("GET", "/api/projects").status == 200
        assert studio.ask("GET", "/api/projects", headers={"Authorization": "Bearer no"}).status == 401
        assert studio.ask("GET", "/api/projects", headers={"Origin": "http://evil.example"}).status == 403
        assert studio.ask("GET", "/api/projects", headers={"Host": "evil.example"}).status == 403
        headers = studio.ask("GET", "/api/projects").headers
        assert "default-src 'self'" in headers["content-security-policy"]


def as_table(questions) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("text", "intent"), *questions])
    return text.getvalue().encode()


def test_a_table_is_taken_for_what_it_is(studio, home, questions):
    id = project(studio, "Questions", "table")
    about = studio.send(f"/api/projects/{id}/table", [("my questions.csv", as_table(questions))]).json
    assert about["columns"] == ["text", "intent"]
    assert about["rows"][0] == list(questions[0])
    assert (about["n_rows"], len(about["rows"]), about["error"]) == (len(questions), 20, None)
    assert about["guess"]["title"] == "text-classification"
    assert (about["guess"]["text"], about["guess"]["label"]) == ("text", "intent")
    page = studio.get(f"/api/projects/{id}")
    assert {each["name"] for each in page["classes"]} == {"card", "exchange", "pin"}
    assert page["can_train"]
    assert (home / id / "data" / "my_questions.csv").read_bytes() == as_table(questions)


def test_other_columns_can_be_chosen_and_the_guess_comes_back(studio, questions):
    id = project(studio, "Questions", "table")
    studio.send(f"/api/projects/{id}/table", [("q.csv", as_table(questions))])
    chosen = studio.json("PATCH", f"/api/projects/{id}/table", {"text": "intent", "label": "text"}).json
    assert chosen["chosen"] == {"text": "intent", "label": "text"}
    assert (chosen["error"] is not None) or chosen["guess"]["text"] == "intent"
    wrong = studio.json("PATCH", f"/api/projects/{id}/table", {"text": "nothing", "label": None}).json
    assert "nothing" in wrong["error"]
    assert wrong["rows"]
    again = studio.json("PATCH", f"/api/projects/{id}/table", {"text": None}).json
    assert (again["guess"]["text"], again["guess"]["label"], again["error"]) == ("text", "intent", None)


def test_another_table_stays_beside_the_first(studio, home, questions):
    id = project(studio, "Questions", "table")
    for rows in (questions, questions[:22]):
        studio.send(f"/api/projects/{id}/table", [("q.csv", as_table(rows))])
    assert studio.get(f"/api/projects/{id}/table")["n_rows"] == 22
    assert files_in(home / id / "data") == ["q.2.csv", "q.csv"]


def test_tables_that_cannot_be_used_say_why_in_plain_words(studio, photos):
    id = project(studio, "Odd", "table")
    assert studio.send(f"/api/projects/{id}/table", [("photo.jpg", some_photo(photos))]).status == 415
    assert studio.send(f"/api/projects/{id}/table", [("a.csv", b"")]).json["error"]
    names = "".join(f"{path},{path.parent.name}\n" for path in photos.rglob("*.jpg"))
    about = studio.send(f"/api/projects/{id}/table", [("b.csv", f"image,label\n{names}".encode())]).json
    assert "photos" in about["error"]
    page = studio.get(f"/api/projects/{id}")
    assert (page["can_train"], page["why_not"]) == (False, about["error"])
    for said in (about["error"], page["why_not"]):
        assert "--" not in said


@pytest.fixture
def checked_table(studio, questions) -> str:
    """A project whose table was looked at."""
    id = project(studio, "Questions", "table")
    studio.send(f"/api/projects/{id}/table", [("q.csv", as_table(questions))])
    studio.post(f"/api/projects/{id}/check", {})
    studio.until(f"/api/projects/{id}/check", lambda found: found["status"] in ("done", "failed"))
    return id


@pytest.mark.parametrize(
    ("what", "fix", "words"),
    [
        ("no time within 30 s: --budget 85m would do", "", "no time within 30 s: 85 minutes would do; a.csv"),
        ("no column of labels", "--label NAME; or name it label", "no column of labels; a.csv; or name it label"),
        ("--budget is too short", "", "--budget is too short; a.csv"),
    ],
)
def test_what_is_wrong_is_said_to_people_who_type_no_commands(what, fix, words, monkeypatch):
    monkeypatch.setattr(UserError, "for_python", False)  # as in the process of a job
    assert plain_words(UserError(what, where="a.csv", fix=fix)) == words


@pytest.mark.check
def test_rows_are_relabelled_and_left_out_in_a_copy(studio, home, questions, checked_table):
    """The numbers are those of the table that was checked, also after the first change."""
    id, data = checked_table, home / checked_table / "data"
    found = studio.get(f"/api/projects/{id}/check")
    assert (found["status"], found["result"]["n"]) == ("done", len(questions))
    first = {"changes": [{"where": "row 2", "remove": True}, {"where": "row 5", "label": "pin"}], "table": "q.csv"}
    assert studio.post(f"/api/projects/{id}/labels", first) == {"changed": 2}
    assert studio.post(f"/api/projects/{id}/labels", {"changes": [{"where": "row 3", "label": "pin"}]}) == {
        "changed": 1
    }
    assert (data / "q.csv").read_bytes() == as_table(questions)
    with (data / "q.2.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    wanted = [list(row) for row in questions]
    wanted[4][1] = wanted[2][1] = "pin"
    assert rows == [row for number, row in enumerate(wanted, start=1) if number != 2]
    assert studio.get(f"/api/projects/{id}/table")["n_rows"] == len(questions) - 1
    assert files_in(data) == ["q.2.csv", "q.csv"]
    studio.send(f"/api/projects/{id}/table", [("other.csv", as_table(questions))])
    refused = studio.json("POST", f"/api/projects/{id}/labels", {"changes": [{"where": "row 1", "remove": True}]})
    assert refused.status == 409


@pytest.mark.check
def test_rows_of_a_workbook_are_changed_in_a_copy_as_csv(studio, home, questions):
    id, book = project(studio, "Questions", "table"), io.BytesIO()
    pandas.DataFrame(questions, columns=["text", "intent"]).to_excel(book, index=False)
    studio.send(f"/api/projects/{id}/table", [("q.xlsx", book.getvalue())])
    early = {"changes": [{"where": "row 1", "remove": True}]}
    assert studio.json("POST", f"/api/projects/{id}/labels", early).status == 409  # whose rows would that be?
    studio.post(f"/api/projects/{id}/check", {})
    studio.until(f"/api/projects/{id}/check", lambda found: found["status"] in ("done", "failed"))
    changes = [{"where": "row 1", "label": "pin"}, {"where": "row 4", "remove": True}]
    assert studio.post(f"/api/projects/{id}/labels", {"changes": changes}) == {"changed": 2}
    about = studio.get(f"/api/projects/{id}/table")
    assert (about["n_rows"], about["error"]) == (len(questions) - 1, None)
    assert about["rows"][0] == [questions[0][0], "pin"]
    assert (home / id / "data" / "q.xlsx").read_bytes() == book.getvalue()


STRANGERS = {
    "not json": "{",
    "another version": '{"version": 99, "name": "a", "kind": "photos", "created": "x"}',
    "another kind": '{"version": 1, "name": "a", "kind": "films", "created": "x"}',
    "elsewhere": '{"version": 1, "name": "a", "kind": "table", "created": "x", "table": "../../secret.csv"}',
    "odd columns": '{"version": 1, "name": "a", "kind": "table", "created": "x", "table": "t.csv", '
    '"columns": {"image_root": "/", "evil": 1, "text": "text"}}',
}


@pytest.mark.parametrize("facts", STRANGERS.values(), ids=STRANGERS)
def test_a_folder_of_a_strangers_does_no_harm(home, questions, facts):
    (home.parent / "secret.csv").write_bytes(as_table(questions))
    (home / "strange" / "data").mkdir(parents=True)
    (home / "strange" / "project.json").write_text(facts)
    (home / "strange" / "data" / "t.csv").write_bytes(as_table(questions))
    with running(home) as studio:
        id = project(studio)
        assert id in [each["id"] for each in studio.get("/api/projects")["projects"]]
        answer = studio.json("GET", "/api/projects/strange")
        assert answer.status in (200, 404, 409)
        assert b"secret" not in answer.body
        assert answer.status != 200 or answer.json["table"]["n_rows"] == len(questions)


def test_what_is_asked_for_in_the_wrong_kind_of_project_is_said(studio):
    table, photos = project(studio, "A", "table"), project(studio, "B")
    assert studio.json("POST", f"/api/projects/{table}/classes", {"name": "a"}).status == 409
    assert studio.json("GET", f"/api/projects/{photos}/table").status == 409
    assert studio.json("POST", "/api/projects", {"name": "x", "kind": "films"}).status == 400
    assert studio.json("GET", f"/api/projects/{photos}/photos?class=a&limit=many").status == 422
    assert studio.json("GET", f"/api/projects/{photos}/runs/1").status == 404
    assert os.path.basename(studio.get("/api/projects")["folder"]) == "studio"
