"""Trainings in a studio end by themselves, whoever is killed meanwhile; what comes of them is tried and downloaded."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import signal
import sys
import zipfile
from pathlib import Path

import pytest

import headstart as hs
from headstart.serve.settings import Settings
from servers import WAITED
from studios import Client, Command, processes_of, running

pytestmark = [
    pytest.mark.check,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found by /proc"),
]
PROBE = {"budget": "1m", "advanced": {"model": "efficientnet_lite0", "how": "probe"}}
TUNE = {"budget": "15s", "advanced": {"model": "efficientnet_lite0", "how": "tune"}}
ENDED = ("done", "failed", "stopped")


@pytest.fixture
def home(tmp_path) -> Path:
    return tmp_path / "studio"


def project_of(studio: Client, photos: Path) -> str:
    """The address of a project of two classes."""
    id = studio.post("/api/projects", {"name": "Textile", "kind": "photos"})["id"]
    studio.photos(id, photos)
    return f"/api/projects/{id}"


def asked_for(run: Path, data: str) -> None:
    """A training that waits, as a studio before this one left it."""
    run.mkdir(parents=True)
    source = {"data": data, "task": "classification", "columns": {}, "feedback": None}
    options = {"budget": "20s", "model": "efficientnet_lite0", "how": "probe", "source": source}
    job = {"version": 1, "work": "fit", "options": options, "asked": "2026-01-01", "status": "queued", "attempts": 0}
    (run / "job.json").write_text(json.dumps(job | {"started": None, "ended": None, "error": None}))


def is_over(run: dict) -> bool:
    return run["status"] in ENDED


def tunes(run: dict) -> bool:
    return run["step"] == "tune"


def test_from_two_folders_of_photos_to_a_downloaded_web_page(home, photos, tmp_path):
    with running(home) as studio:
        project = project_of(studio, photos)
        run = studio.post(f"{project}/runs", PROBE)
        assert (run["id"], run["status"]) == (1, "queued")
        assert studio.json("POST", f"{project}/runs", PROBE).status == 409
        assert studio.json("DELETE", project).status == 409
        states = list(studio.events(f"{project}/runs/1/events"))
        shares = [state["share"] for state in states]
        assert shares == sorted(shares)
        assert (states[-1]["status"], states[-1]["share"], states[-1]["error"]) == ("done", 1.0, None)
        assert {"read", "encode", "save"} <= {step["name"] for step in states[-1]["steps"]}
        again = studio.ask("GET", f"{project}/runs/1/events", headers={"Last-Event-ID": "over"})
        assert again.status == 204  # a browser connects no more
        model = hs.load(home / "textile" / "runs" / "1" / "model.headstart")
        assert states[-1]["headline"]["value"] == model.scores.accuracy == states[-1]["result"]["accuracy"]
        report = studio.ask("GET", f"{project}/runs/1/report")
        assert b"<html" in report.body
        assert "sandbox" in report.headers["content-security-policy"]

        content = sorted((photos / "nominal").iterdir())[0].read_bytes()
        asked = {"model": "textile", "inputs": [{"image": base64.b64encode(content).decode()}]}
        (said,) = studio.post("/v1/predict", asked)["predictions"]
        assert said["label"] == model.predict([content])[0].label
        near = studio.post("/v1/explain", {"model": "textile", "input": asked["inputs"][0]})["neighbours"]
        assert near[0]["shown"].startswith("data:image/")  # the photos that it learned from are still at hand

        export = studio.post(f"{project}/exports", {"run": 1, "format": "web"})
        assert studio.post(f"{project}/exports", {"run": 1, "format": "web"})["id"] == export["id"]
        made = studio.until(f"{project}/exports/{export['id']}", is_over)
        assert (made["status"], made["error"]) == ("done", None)
        assert made["proof"]["same_top1"] == made["proof"]["n"]
        zipped = studio.ask("GET", f"/{made['download']}")
        assert len(zipped.body) == made["size"]
        assert "attachment" in zipped.headers["content-disposition"]
        assert "textile-web/index.html" in zipfile.ZipFile(io.BytesIO(zipped.body)).namelist()

        plain = studio.post(f"{project}/exports", {"run": 1, "format": "model"})
        made = studio.until(f"{project}/exports/{plain['id']}", is_over)
        zipfile.ZipFile(io.BytesIO(studio.ask("GET", f"/{made['download']}").body)).extractall(tmp_path / "out")
        assert hs.load(tmp_path / "out" / "textile.headstart").predict([content])[0].label == said["label"]

        assert studio.json("DELETE", f"{project}/runs/1").status == 200
        assert studio.json("POST", "/v1/predict", asked).status == 409
        assert list((home / ".removed").glob("*/textile/runs/1/model.headstart"))


def test_a_photo_that_is_corrected_while_it_is_tried_is_an_example_of_its_class(home, photos, textile):
    new = sorted((textile / "global").glob("*.jpg"))[25].read_bytes()
    with running(home) as studio:
        project = project_of(studio, photos)
        studio.post(f"{project}/runs", PROBE)
        studio.until(f"{project}/runs/1", is_over)
        for label in ("nominal", "global"):  # the second is right
            body = {"input": {"image": base64.b64encode(new).decode()}, "label": label}
            assert studio.post(f"{project}/correct", body)["class"] == label
        assert studio.get(project)["classes"] == [{"name": "global", "n": 21}, {"name": "nominal", "n": 20}]
        assert studio.json("POST", f"{project}/correct", body | {"label": "nobody"}).status in (404, 422)


def test_a_browser_opens_report_and_download_by_a_ticket_where_there_is_a_token(home, photos):
    with running(home, settings=Settings(token="a-token-of-16-characters")) as studio:
        project = project_of(studio, photos)
        studio.post(f"{project}/runs", PROBE)
        run = studio.until(f"{project}/runs/1", is_over)
        export = studio.post(f"{project}/exports", {"run": 1, "format": "model"})
        download = studio.until(f"{project}/exports/{export['id']}", is_over)["download"]
        browser = Client(studio.port)  # a link sends no token
        for address in (run["files"]["report"], download):
            assert browser.ask("GET", f"/{address}").status == 200
            path, _, ticket = address.partition("?ticket=")
            expires, _, seal = ticket.partition(".")
            for wrong in ("", ticket[:-1], f"{int(expires) + 1}.{seal}", f"0.{seal}", f"\u0663.{seal}".encode().hex()):
                assert browser.ask("GET", f"/{path}?ticket={wrong}").status == 401
            assert browser.ask("GET", f"/api/projects?ticket={ticket}").status == 401
            assert browser.ask("DELETE", f"/{address}").status == 401


def test_a_killed_server_finds_its_training_again(home, photos):
    first = Command(home)
    project = project_of(first.client, photos)
    first.client.post(f"{project}/runs", TUNE)
    before = first.client.until(f"{project}/runs/1", tunes)
    job = home / "textile" / "runs" / "1"
    (process,) = processes_of(job)
    first.kill()
    second = Command(home)
    after = second.client.get(f"{project}/runs/1")
    assert after["status"] == "running" or is_over(after)
    assert after["share"] >= before["share"]
    assert processes_of(job) in ([process], [])  # it is not started twice
    ended = second.client.until(f"{project}/runs/1", is_over)
    assert (ended["status"], ended["error"]) == ("done", None)
    assert second.end() == 0


def test_a_server_that_ends_lets_go_of_those_who_follow(home, photos):
    first = Command(home)
    project = project_of(first.client, photos)
    first.client.post(f"{project}/runs", TUNE)
    follower = first.client.events(f"{project}/runs/1/events")
    assert next(follower)["status"] in ("queued", "running")
    assert first.end() == 0
    list(follower)  # which ends


def test_a_training_goes_on_while_no_server_runs(home, photos):
    first = Command(home)
    project = project_of(first.client, photos)
    first.client.post(f"{project}/runs", TUNE)
    first.client.until(f"{project}/runs/1", tunes)
    job = home / "textile" / "runs" / "1"
    assert first.end() == 0
    assert len(processes_of(job)) == 1
    with running(home.parent / "another") as other:  # of another folder: it waits until then
        project_of(other, photos)
        other.post(f"{project}/runs", PROBE)
        turn = other.until(f"{project}/runs/1", is_over)
        assert turn["status"] == "done"
    with running(home) as second:
        ended = second.get(f"{project}/runs/1")
        assert (ended["status"], ended["error"]) == ("done", None)
        assert ended["headline"]["value"] > 0
        assert ended["ended"] <= turn["started"]  # one at a time on a machine


def test_server_and_training_killed_together_the_training_is_done_again(home, photos):
    first = Command(home)
    project = project_of(first.client, photos)
    first.client.post(f"{project}/runs", TUNE)
    before = first.client.until(f"{project}/runs/1", tunes)
    job = home / "textile" / "runs" / "1"
    first.kill()
    for process in processes_of(job):
        os.kill(process, signal.SIGKILL)
    second = Command(home)
    shares = [state["share"] for state in second.client.events(f"{project}/runs/1/events")]
    assert min(shares) >= before["share"]
    assert shares == sorted(shares)
    ended = second.client.get(f"{project}/runs/1")
    assert (ended["status"], ended["error"]) == ("done", None)
    assert second.end() == 0


def test_a_training_that_dies_again_and_again_is_given_up(home, photos):
    with running(home) as studio:
        project = project_of(studio, photos)
        studio.post(f"{project}/runs", TUNE)
        job, killed = home / "textile" / "runs" / "1", set()

        def is_over_or_killed(run: dict) -> bool:
            for process in processes_of(job):
                os.kill(process, signal.SIGKILL)
                killed.add(process)
            return is_over(run)

        ended = studio.until(f"{project}/runs/1", is_over_or_killed)
        assert ended["status"] == "failed"
        assert "memory" in ended["error"]
        assert len(killed) == 3
        studio.post(f"{project}/runs", PROBE)  # nothing stands in the way of the next
        assert studio.until(f"{project}/runs/2", is_over)["status"] == "done"


def test_one_training_at_a_time_and_a_stopped_one_lets_the_next_begin(home, photos):
    with running(home) as studio:
        first = project_of(studio, photos)
        second = studio.post("/api/projects", {"name": "Other", "kind": "photos"})["id"]
        studio.photos(second, photos)
        studio.post(f"{first}/runs", TUNE | {"budget": "5m"})
        studio.until(f"{first}/runs/1", lambda run: run["status"] == "running")
        waiting = studio.post(f"/api/projects/{second}/runs", PROBE)
        assert (waiting["status"], waiting["waits_for"]) == ("queued", 1)
        studio.until(f"{first}/runs/1", tunes)
        studio.post(f"{first}/runs/1/stop", {})
        stopped = studio.until(f"{first}/runs/1", is_over, seconds=WAITED)
        assert stopped["status"] in ("done", "stopped")  # what it had learned is kept, where there is anything
        assert studio.until(f"/api/projects/{second}/runs/1", is_over)["status"] == "done"


def test_examples_that_change_meanwhile_do_not_change_a_training(home, photos):
    with running(home) as studio:
        project = project_of(studio, photos)
        studio.post(f"{project}/runs", PROBE)
        ids = [photo["id"] for photo in studio.get(f"{project}/photos?class=global")["photos"]]
        assert studio.json("PATCH", f"{project}/photos", {"ids": ids[:15], "class": "nominal"}).json == {"moved": 15}
        ended = studio.until(f"{project}/runs/1", is_over)
        assert ended["status"] == "done"
        assert ended["result"]["n_train"] + ended["result"]["n_test"] == 40
        assert studio.get(project)["changed"]
        studio.json("PATCH", f"{project}/photos", {"ids": ids[:15], "class": "global"})
        assert not studio.get(project)["changed"]


def test_what_cannot_be_learned_fails_in_plain_words(home, questions):
    with running(home) as studio:
        id = studio.post("/api/projects", {"name": "Q", "kind": "table"})["id"]
        text = io.StringIO()
        csv.writer(text).writerows([("text", "n"), *((text, number) for number, (text, _) in enumerate(questions))])
        studio.send(f"/api/projects/{id}/table", [("q.csv", text.getvalue().encode())])
        studio.json("PATCH", f"/api/projects/{id}/table", {"task": "classification"})
        about = studio.get(f"/api/projects/{id}")
        answer = studio.json("POST", f"/api/projects/{id}/runs", {"budget": "20s", "advanced": {"how": "probe"}})
        if answer.status == 202:
            said = studio.until(f"/api/projects/{id}/runs/1", is_over)["error"]
        else:
            said = answer.json["error"]
        assert said
        assert about["table"] is not None
        assert "--" not in said
        assert "Traceback" not in said


def test_a_table_is_learned_from_and_single_corrections_are(home, questions):
    with running(home) as studio:
        id = studio.post("/api/projects", {"name": "Questions", "kind": "table"})["id"]
        text = io.StringIO()
        csv.writer(text).writerows([("text", "intent"), *questions])
        studio.send(f"/api/projects/{id}/table", [("q.csv", text.getvalue().encode())])
        run = {"budget": "30s", "advanced": {"how": "probe"}}
        studio.post(f"/api/projects/{id}/runs", run)
        assert studio.until(f"/api/projects/{id}/runs/1", is_over)["error"] is None
        body = {"input": "The parcel with my card was stolen", "label": "card"}
        assert studio.post(f"/api/projects/{id}/correct", body)["added"]
        studio.post(f"/api/projects/{id}/runs", run)
        ended = studio.until(f"/api/projects/{id}/runs/2", is_over)
        assert ended["status"] == "done"
        first = studio.get(f"/api/projects/{id}/runs/1")["result"]
        assert ended["result"]["n_train"] == first["n_train"] + 1
        (said,) = studio.post("/v1/predict", {"model": f"{id}.2", "inputs": [body["input"]]})["predictions"]
        assert said["label"] in {"card", "exchange", "pin"}


@pytest.mark.parametrize("data", ["../../../secret", "/secret", "textile/../../../../secret"])
def test_a_training_of_a_strangers_leads_out_of_its_folder_nowhere(home, photos, data):
    (home.parent / "secret").symlink_to(photos)
    with running(home) as studio:
        project_of(studio, photos)
    asked_for(home / "textile" / "runs" / "1", data)
    with running(home) as studio:
        ended = studio.until("/api/projects/textile/runs/1", is_over)
        assert ended["status"] == "failed"
        assert "not in the project's folder" in ended["error"]


def test_a_training_that_cannot_be_started_has_failed(home, photos):
    with running(home) as studio:
        project_of(studio, photos)
    run = home / "textile" / "runs" / "1"
    asked_for(run, "textile")
    (run / "log.txt").mkdir()  # so that there is no place for what its process says
    with running(home) as studio:
        ended = studio.until("/api/projects/textile/runs/1", is_over)
        assert ended["status"] == "failed"
        assert ended["error"].startswith("It could not be started: ")
    facts = json.loads((run / "job.json").read_text())
    assert (facts["status"], facts["error"]) == ("failed", ended["error"])  # so no other studio goes on with it


def test_a_job_file_that_somebody_damages_stops_no_other_job(home, photos):
    with running(home) as studio:
        project = project_of(studio, photos)
        studio.post(f"{project}/runs", TUNE)
        studio.until(f"{project}/runs/1", lambda run: run["status"] == "running")
        (home / "textile" / "runs" / "1" / "job.json").write_text("{}")
        studio.post(f"{project}/check", {})
        assert studio.until(f"{project}/check", is_over)["status"] == "done"


@pytest.mark.parametrize(
    "body",
    [
        {"budget": "never"},
        {"budget": "-1s"},
        {"budget": "99h"},
        {"advanced": {"model": "/etc/passwd"}},
        {"advanced": {"model": "../model"}},
        {"advanced": {"how": "fast"}},
        {"budget": 3},
        {"out": "/tmp/x"},
    ],
)
def test_odd_trainings_are_refused(home, photos, body):
    with running(home) as studio:
        project = project_of(studio, photos)
        answer = studio.json("POST", f"{project}/runs", body)
        assert answer.status in (400, 422)
        assert answer.json["error"]
        assert studio.get(project)["runs"] == []
