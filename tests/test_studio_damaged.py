"""Projects of a stranger's, or that somebody's hand was in: each says what is wrong, leads nowhere, hides no other."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import sys
from pathlib import Path

import pytest

from headstart.studio.workspace import Workspace
from studios import Client, Command, running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are made otherwise there")
SOURCE = {"data": "strange", "task": "classification", "columns": {}, "feedback": None}
JOB = {
    "version": 1,
    "work": "fit",
    "options": {"budget": "20s", "model": "efficientnet_lite0", "how": "probe", "source": SOURCE},
    "asked": "2026-01-01",
    "status": "done",
    "attempts": 1,
    "started": None,
    "ended": None,
    "error": None,
}
HEADLINE = {"key": "accuracy", "title": "accuracy", "value": 0.5, "unit": "share", "better": "higher"}
HEADLINE |= {"interval": None, "baseline": None, "n": 9}


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "studio"


@pytest.fixture
def secret(tmp_path, photos, questions) -> Path:
    """A folder beside the workspace: photos by class, a table, and a file that is written to."""
    (tmp_path / "secret").mkdir()
    photos.rename(tmp_path / "secret" / "photos")
    (tmp_path / "secret" / "t.csv").write_text(as_table([(f"secret {text}", name) for text, name in questions]))
    (tmp_path / "secret" / "report.html").write_text("<html>secret")
    (tmp_path / "secret" / "victim.txt").write_text("precious")
    return tmp_path / "secret"


def as_table(rows) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([("text", "intent"), *rows])
    return text.getvalue()


def strange(home: Path, kind: str = "photos", **facts: object) -> Path:
    """A project that was sent."""
    folder = home / "strange"
    (folder / "data").mkdir(parents=True)
    about = {"version": 1, "name": "Strange", "kind": kind, "created": "2026", **facts}
    (folder / "project.json").write_text(json.dumps(about))
    return folder


def with_job(folder: Path, **facts: object) -> Path:
    """The folder of a job in a project."""
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(JOB | facts))
    return folder


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def answers(studio: Client) -> list[tuple[int, bytes]]:
    """What is said of the project, at every address that there is; another one is listed beside it."""
    good = studio.post("/api/projects", {"name": "Good", "kind": "photos"})["id"]
    assert studio.get(f"/api/projects/{good}")["n_examples"] == 0
    listed = studio.get("/api/projects")["projects"]
    assert {good, "strange"} == {project["id"] for project in listed}
    paths = ("", "/table", "/check", "/runs/1", "/runs/1/report", "/exports/1", "/exports/1/download", "/model")
    said = [studio.ask("GET", f"/api/projects/strange{path}") for path in paths]
    return [(answer.status, answer.body) for answer in said]


DAMAGE = {
    "no json": ("project.json", "{"),
    "a table that is no name": (
        "project.json",
        '{"version": 1, "name": "a", "kind": "table", "created": "", "table": "\\u0000"}',
    ),
    "half a character": (
        "project.json",
        '{"version": 1, "name": "a", "kind": "table", "created": "", "table": "\\ud800"}',
    ),
    "deep": ("project.json", "[" * 100_000),
    "runs is a file": ("runs", "x"),
    "exports is a file": ("exports", "x"),
}


@pytest.mark.parametrize(("name", "content"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_project_is_listed_with_what_to_do_and_can_be_removed(home, name, content):
    folder = strange(home)
    (folder / name).write_text(content)
    with running(home) as studio:
        assert {status for status, _ in answers(studio)} == {409}
        (listed,) = [one for one in studio.get("/api/projects")["projects"] if one["id"] == "strange"]
        assert name in listed["damaged"]
        assert "remove it" in listed["damaged"] or "move it away" in listed["damaged"]
        assert studio.json("DELETE", "/api/projects/strange").status == 200
        assert [one["id"] for one in studio.get("/api/projects")["projects"]] == ["good"]


FACTS = {
    "attempts": ("runs/1/job.json", JOB | {"attempts": float("inf"), "status": "queued"}),
    "options": ("runs/1/job.json", JOB | {"options": {}}),
    "a work that nobody knows": ("runs/1/job.json", JOB | {"work": "shell"}),
    "headline": ("runs/1/result.json", {"headline": 5}),
    "value": ("runs/1/result.json", {"headline": HEADLINE | {"value": "much"}}),
    "figures": ("runs/1/model.headstart/metrics.json", []),
    "findings of a fit": ("runs/1/model.headstart/metrics.json", {"findings": 5}),
    "numbers that JSON does not have": ("runs/1/model.headstart/metrics.json", {"accuracy": float("nan")}),
    "doubts": ("runs/1/doubts.json", {"findings": [5]}),
    "findings": ("checks/1/result.json", {"findings": ["x"]}),
    "nothing": ("checks/1/result.json", {}),
    "zip": ("exports/1-model/result.json", {"zip": "x" * 5000, "size": 1, "proof": None}),
    "a zip elsewhere": ("exports/1-model/result.json", {"zip": "../1-model/job.json", "size": 1, "proof": None}),
    "rows": ("table.json", {"key": None, "about": {"n_rows": float("inf")}}),
    "the last number": ("runs/.last.json", {"last": float("inf")}),
    "the last line": ("runs/1/progress.jsonl", {"time": 1, "step": "read", "share": 10**400, "text": "", "left": None}),
}


@pytest.mark.parametrize(("name", "facts"), FACTS.values(), ids=FACTS)
@pytest.mark.parametrize("kind", ["photos", "table"])
def test_no_damaged_file_of_state_fails_a_request(home, questions, kind, name, facts):
    folder = strange(home, kind, table="t.csv" if kind == "table" else None)
    if kind == "table":
        (folder / "data" / "t.csv").write_text(as_table(questions))
    with_job(folder / "runs" / "1")
    with_job(folder / "checks" / "1", work="check", options={"source": SOURCE, "table": "t.csv"})
    named = {"run": 1, "format": "model", "quantize": None, "name": "strange", "source": SOURCE}
    with_job(folder / "exports" / "1-model", work="export", options=named)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(facts))
    with running(home) as studio:
        for status, body in answers(studio):
            assert status < 500, body
            assert b"NaN" not in body
            assert b"Infinity" not in body


def test_a_training_whose_file_is_damaged_has_failed_says_so_and_can_be_removed(home):
    with_job(strange(home) / "runs" / "1", attempts="many")
    with running(home) as studio:
        run = studio.get("/api/projects/strange/runs/1")
        assert run["status"] == "failed"
        assert "attempts" in run["error"]
        assert studio.json("DELETE", "/api/projects/strange/runs/1").status == 200
        assert studio.get("/api/projects/strange")["runs"] == []


@pytest.mark.parametrize("name", ["data", "runs", "checks", "exports", "corrected", "project.json"])
def test_a_link_in_the_place_of_a_part_of_a_project_leads_nowhere(home, secret, name):
    folder = strange(home)
    before = content_of(secret)
    if (folder / name).is_dir():
        (folder / name).rmdir()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret / ("photos" if name == "data" else "t.csv"))
    with running(home) as studio:
        assert {status for status, _ in answers(studio)} == {409}
        path = "/api/projects/strange"
        for answer in (
            studio.json("POST", f"{path}/classes", {"name": "new"}),
            studio.json("DELETE", f"{path}/classes/global"),
            studio.json("POST", f"{path}/check", {}),
            studio.send(f"{path}/table", [("new.csv", b"text,label\na,b\n")]),
        ):
            assert answer.status == 409
    assert content_of(secret) == before


def test_links_to_tables_models_and_corrections_lead_nowhere(home, secret):
    folder = strange(home, "table", table="t.csv")
    (folder / "data" / "t.csv").symlink_to(secret / "t.csv")
    with running(home) as studio:
        assert studio.json("GET", "/api/projects/strange/table").status == 409
    (folder / "data" / "t.csv").unlink()
    (folder / "data" / "t.csv").write_text((secret / "t.csv").read_text().replace("secret", "plain"))
    run = with_job(folder / "runs" / "1")
    (run / "model.headstart").symlink_to(secret)
    status = (folder / "data" / "t.csv").stat()
    base = "../../../secret/t.csv"
    changed = {"base": base, "made": "t.csv", "identity": [status.st_size, status.st_mtime_ns], "rows": {}}
    (folder / "corrections.json").write_text(json.dumps(changed))
    options = {"source": SOURCE | {"data": "data/t.csv"}, "table": base}
    check = with_job(folder / "checks" / "1", work="check", options=options)
    empty = {"n": 1, "n_rejected": 0, "task": "x", "table": base, "classes": [], "findings": [], "n_findings": 0}
    (check / "result.json").write_text(json.dumps(empty | {"notes": [], "warnings": []}))
    with running(home) as studio:
        path = "/api/projects/strange"
        changes = {"changes": [{"where": "row 1", "label": "card"}], "table": base}
        assert studio.json("POST", f"{path}/labels", changes).status == 409
        assert studio.json("GET", f"{path}/runs/1/report").status == 409
        assert studio.json("POST", f"{path}/exports", {"run": 1, "format": "model"}).status == 409
        for _, body in answers(studio):
            assert b"secret" not in body.replace(b"secret/", b"")


def test_a_queued_job_writes_to_no_file_elsewhere_and_waits_for_no_pipe(home, secret):
    folder = strange(home)
    run = with_job(folder / "runs" / "1", status="queued", attempts=0)
    (run / "progress.jsonl").symlink_to(secret / "victim.txt")
    (run / "log.txt").symlink_to(secret / "victim.txt")
    os.mkfifo(with_job(folder / "checks" / "1", work="check", status="queued", options={"source": SOURCE}) / "log.txt")
    with running(home) as studio:
        for path in ("runs/1", "check"):
            found = studio.until(f"/api/projects/strange/{path}", lambda run: run["status"] == "failed", seconds=30)
            assert found["error"].startswith("It could not be started: ")
    assert (secret / "victim.txt").read_text() == "precious"


def test_a_studio_starts_whatever_jobs_it_finds(home):
    folder = strange(home)
    (folder / "runs").write_text("x")
    with_job(home / "other" / "runs" / "1", status="running", attempts=float("inf"))
    (home / "other" / "project.json").write_text((folder / "project.json").read_text())
    studio = Command(home)
    assert len(studio.client.get("/api/projects")["projects"]) == 2
    assert studio.end() == 0


ODD = {
    "model": {"model": "/secret/model.headstart"},
    "budget": {"budget": "9999h"},
    "how": {"how": "nothing"},
}


@pytest.mark.check
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_queued_training_of_a_strangers_is_refused_as_one_that_is_asked_for(home, odd):
    run = with_job(strange(home) / "runs" / "1", status="queued", attempts=0, options=JOB["options"] | odd)
    (run / "strange").mkdir()
    with running(home) as studio:
        ended = studio.until("/api/projects/strange/runs/1", lambda run: run["status"] == "failed")
        assert next(iter(odd)) in ended["error"]


@pytest.mark.check
def test_the_photos_that_a_table_names_are_not_looked_at(home, secret):
    """Whoever may send a table may not read all photos of this computer by it."""
    folder = strange(home, "table", table="t.csv")
    names = "".join(f"{path},{path.parent.name}\n" for path in sorted(secret.rglob("*.jpg")))
    (folder / "data" / "t.csv").write_text(f"image,label\n{names}")
    with running(home) as studio:
        assert studio.json("POST", "/api/projects/strange/check", {}).status == 422
    options = {"source": SOURCE | {"data": "data/t.csv", "task": "auto"}, "table": "t.csv"}
    with_job(folder / "checks" / "1", work="check", status="queued", attempts=0, options=options)
    with running(home) as studio:
        ended = studio.until("/api/projects/strange/check", lambda found: found["status"] == "failed")
        assert "photo" in ended["error"] or "image" in ended["error"]
        assert ended["result"] is None


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EROFS, 503)])
def test_what_the_disk_does_not_do_is_said_in_words(home, monkeypatch, number, status):
    with running(home) as studio:
        id = studio.post("/api/projects", {"name": "A", "kind": "photos"})["id"]

        def fails(self: Path, *args: object, **options: object) -> None:
            raise OSError(number, os.strerror(number), str(self))

        monkeypatch.setattr(Path, "mkdir", fails)
        monkeypatch.setattr(Path, "open", fails)
        for answer in (
            studio.json("POST", f"/api/projects/{id}/classes", {"name": "new"}),
            studio.json("PATCH", f"/api/projects/{id}", {"name": "B"}),
            studio.json("POST", "/api/projects", {"name": "C", "kind": "photos"}),
        ):
            assert answer.status == status, answer.body
            assert "again" in answer.json["error"]


def test_what_its_owner_keeps_in_a_folder_of_the_same_name_stays(home):
    (home / ".incoming" / "mails").mkdir(parents=True)
    (home / ".incoming" / "mails" / "letter.txt").write_text("precious")
    Workspace(home).close()
    assert (home / ".incoming" / "mails" / "letter.txt").read_text() == "precious"
