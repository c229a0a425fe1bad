"""What a fit leaves with those who track it, read back by their own programs."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import headstart as hs
import headstart.no_telemetry  # before mlflow
from conftest import QUESTIONS
from fits import program
from headstart.errors import UserError
from headstart.progress import Silent
from headstart.tracking import track
from small_models import small_text_model
from test_terminal import CONTROL, lines_at_the_end, on_terminal

LISTEN = """
import sys
def seen(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        sys.stderr.write(f"NETWORK {event} {arguments[1:]}\\n")
sys.addaudithook(seen)
from own_clock import by_looks
from headstart.commands.app import main
with by_looks():
    main()
"""
HINTS = ("CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY")  # to be silent


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with 24 questions and a small random BERT."""
    folder = tmp_path_factory.mktemp("home")
    small_text_model("bert", folder / "bert")
    rows = [(s.strip(), label) for label, t in QUESTIONS.items() for s in t.replace("?", ".").split(".") if s.strip()]
    (folder / "questions.csv").write_text("text,label\n" + "".join(f'"{text}.",{label}\n' for text, label in rows))
    return folder


@pytest.fixture(scope="module")
def tuned(home):
    """A tuned fit with `--track mlflow` in a fresh folder: its JSON and what it said beside."""
    arguments = ["fit", "questions.csv", "--model", "bert", "--how", "tune", "--budget", "10m", "--json"]
    env = {k: v for k, v in os.environ.items() if k not in HINTS and not k.startswith("MLFLOW_")}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), env.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", LISTEN, *arguments, "--track", "mlflow"],
        cwd=home,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def client(home, tuned):
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{home / 'mlflow.db'}")


def runs(client, parent=None):
    """The fits in the experiment, newest first; or the runs of training within one."""
    experiment = client.get_experiment_by_name("headstart").experiment_id
    within = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'" if parent else ""
    found = client.search_runs([experiment], within, order_by=["attributes.start_time DESC"])
    return found if parent else [run for run in found if "mlflow.parentRunId" not in run.data.tags]


@pytest.mark.check
def test_a_tuned_fit_is_an_mlflow_run_with_its_trials_within(home, tuned, client):
    told, said = tuned
    assert "logged to MLflow, sqlite:///mlflow.db" in said
    (run,) = runs(client)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "questions.headstart")
    for name in ("accuracy", "macro_f1", "log_loss", "ece", "n_train", "n_test"):
        assert run.data.metrics[name] == told[name]
    assert run.data.metrics["seconds.tune"] == told["seconds"]["tune"]
    asked = {"data": "questions", "how_asked": "tune", "how": "tune", "seed": "0", "budget": "600.0"}
    assert run.data.params.items() >= asked.items()
    assert run.data.params["model"] == told["model"]
    assert run.data.params["versions.torch"] == told["versions"]["torch"]
    assert run.data.params["recipe.rate"] == str(told["tuning"]["recipe"]["rate"])

    within = runs(client, run)
    assert {child.info.status for child in within} == {"FINISHED"}
    trials = [child for child in reversed(within) if child.info.run_name.startswith("trial")]
    assert len(trials) == len(told["tuning"]["trials"]) > 1
    for child, trial in zip(trials, told["tuning"]["trials"], strict=True):
        assert float(child.data.params["rate"]) == trial["rate"]
        assert round(child.data.metrics["validation_log_loss"], 6) == trial["log_loss"]
        curve = client.get_metric_history(child.info.run_id, "loss")
        assert 1 < len(curve) <= 200
        assert curve[-1].step == trial["steps"]
        rates = [point.value for point in client.get_metric_history(child.info.run_id, "rate")]
        assert trial["rate"] / 2 < max(rates) <= trial["rate"]


def test_the_logged_folder_is_the_saved_one_and_answers(home, client, tmp_path):
    run = runs(client)[-1]
    there = client.download_artifacts(run.info.run_id, "questions.headstart", str(tmp_path))
    saved = home / "questions.headstart"
    for file in saved.rglob("*"):
        if file.is_file():
            assert (tmp_path / file.relative_to(home)).read_bytes() == file.read_bytes()
    assert hs.load(there).predict(["my pin"])[0].label in QUESTIONS


def test_with_a_database_nothing_is_sent_anywhere(tuned):
    """Not even to MLflow's makers. A local socket that looks whether this machine has IPv6 connects to nothing."""
    assert "NETWORK" not in tuned[1]


def test_a_probe_is_tracked_too(home, tuned, client):
    arguments = ["fit", "questions.csv", "--model", "bert", "--out", "probe", "--json"]
    uri = f"sqlite:///{home / 'mlflow.db'}"
    done = subprocess.run(
        [sys.executable, "-m", "headstart", *arguments, "--track", f"mlflow:{uri}"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, run = json.loads(done.stdout), runs(client)[0]
    assert (run.info.run_name, run.info.status, run.data.params["how"]) == ("probe", "FINISHED", "probe")
    assert run.data.params["how_asked"] == "auto"
    assert run.data.metrics["log_loss"] == told["log_loss"]
    assert runs(client, run) == []
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["probe"]


class Stops(Silent):
    """Something happens when a step is about to begin for the first time."""

    def __init__(self, happens, when):
        self.happens, self.when, self.notes = happens, when, []

    @contextmanager
    def step(self, name, total=None, *, unit="examples"):
        if name == self.when:
            self.when = None
            self.happens()
        yield lambda _: None

    def note(self, text):
        self.notes.append(text)


def fit(home, out, happens, where, *, when="adapt"):
    progress = Stops(happens, when)
    data, model = str(home / "questions.csv"), str(home / "bert")
    return hs.fit(data, model=model, how="probe", out=out, track=where, progress=progress), progress.notes


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (MemoryError, "FAILED")])
@pytest.mark.parametrize("when", ["adapt", "save", "log"])
def test_a_fit_that_ends_early_says_so(home, tuned, client, tmp_path, error, status, when):
    def happens():
        raise error

    with pytest.raises(error):
        fit(home, tmp_path / "out", happens, f"mlflow:sqlite:///{home / 'mlflow.db'}", when=when)
    run = runs(client)[0]
    assert run.info.status == status
    assert run.data.params["data"] == "questions"


def test_a_tracker_lost_on_the_way_does_not_take_the_model_with_it(home, tuned, tmp_path):
    database = tmp_path / "copy.db"
    database.write_bytes((home / "mlflow.db").read_bytes())

    def happens():
        with sqlite3.connect(database) as connection:
            connection.execute("DROP TABLE metrics")

    model, notes = fit(home, tmp_path / "out", happens, f"mlflow:sqlite:///{database}")
    assert model.predict(["my pin"])[0].label in QUESTIONS
    assert (tmp_path / "out" / "report.html").exists()
    (note,) = [note for note in notes if "not logged" in note]
    assert "the folder out" in note
    assert "no such table: metrics" in note
    assert "\n" not in note


def test_what_a_place_missed_is_sent_when_it_is_back(home, tuned, tmp_path, monkeypatch):
    """Also where half of a message had arrived; and then nothing is there twice."""
    monkeypatch.setattr(track, "EVERY", 0)
    monkeypatch.setattr(track, "PAUSE", 0)
    database = tmp_path / "copy.db"
    database.write_bytes((home / "mlflow.db").read_bytes())
    record = track.open_tracker(f"mlflow:sqlite:///{database}", name="x", progress=Silent())
    for step, refused_from in enumerate([1, 2, 9], start=1):
        with sqlite3.connect(database) as connection:
            connection.executescript(
                "DROP TRIGGER IF EXISTS full; CREATE TRIGGER full BEFORE INSERT ON metrics WHEN NEW.key = 'here' "
                f"AND NEW.step >= {refused_from} BEGIN SELECT RAISE(FAIL, 'full'); END"
            )
        record.scalars({"here": 0.5}, run=f"run {step}", step=step)
        with sqlite3.connect(database) as connection:
            arrived = connection.execute("SELECT step FROM metrics WHERE key = 'here' ORDER BY step").fetchall()
        assert arrived == [(n,) for n in range(1, min(refused_from, step + 1))]
    record.close("finished")


def test_a_fit_on_a_terminal_with_tensorboard(home, tuned):
    """Curves and parameters in event files; and a line within 80 columns that says how far tuning is."""
    arguments = [
        "fit",
        "questions.csv",
        "--model",
        "bert",
        "--how",
        "tune",
        "--budget",
        "2m",
        "--out",
        "board",
        "--json",
    ]
    shows_all = program(redrawn=True)
    code, shown = on_terminal(home, *arguments, "--track", "tensorboard", columns=80, by=shows_all)
    assert code == 0, shown
    told = json.loads(shown[shown.index('{"task"') :])
    lines = [CONTROL.sub("", piece).strip() for piece in re.split(r"[\r\n]+", shown)]
    during = [line for line in lines if re.search(r"tune .* loss ", line)]
    assert during
    assert all(len(line) < 80 for line in during)
    line = r"(trial \d+|fold-\d|main|last) \d+/\d+ loss \d+\.\d+( val \d\.\d+)? rate \d\.\de-\d \d+:\d\d left$"
    assert all(re.search(line, line_) for line_ in during), during
    assert any(" val " in line for line in during)
    assert len([line for line in lines_at_the_end(shown) if "tune" in line.split()]) == 1

    (board,) = (home / "runs").iterdir()
    assert board.name.startswith("board-")
    trials = sorted(folder.name for folder in board.iterdir() if folder.name.startswith("trial"))
    assert len(trials) == len(told["tuning"]["trials"])
    best = min(told["tuning"]["trials"], key=lambda trial: trial["log_loss"])
    name = next(name for name in trials if f"{best['rate']:.2e}-{best['varied']:d}-{best['mixup']}" in name)
    curves = EventAccumulator(str(board / name)).Reload()
    assert set(curves.Tags()["scalars"]) == {"loss", "rate", "validation_log_loss", "validation_accuracy"}
    assert [point.step for point in curves.Scalars("loss")][-1] == best["steps"]
    whole = EventAccumulator(str(board)).Reload()
    assert whole.Scalars("accuracy")[-1].value == pytest.approx(told["accuracy"])
    content = whole.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    parameters = HParamsPluginData.FromString(content).session_start_info.hparams
    assert parameters["data"].string_value == "questions"
    assert parameters["seed"].number_value == 0


@pytest.mark.parametrize("word", ["wandb", "mlflow:", "tensorboard:", ""])
def test_a_wrong_word(word):
    with pytest.raises(UserError, match="unknown tracker") as error:
        hs.fit("nowhere", track=word)
    assert str(error.value).splitlines()[-1] == "one of: mlflow, mlflow:URI, tensorboard, tensorboard:FOLDER"


@pytest.mark.parametrize(("folder", "out"), [("logs", "logs"), ("runs", "runs"), ("out/logs", "out"), ("a/../b", "b")])
def test_logs_are_not_written_where_the_model_is_saved(folder, out, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    word = "tensorboard" if folder == "runs" else f"tensorboard:{folder}"
    with pytest.raises(UserError, match="is where the model is saved"):
        hs.fit("nowhere", track=word, out=out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["mlflow", "tensorboard"])
def test_a_missing_package_is_named(home, package):
    code = f"import sys; sys.modules[{package!r}] = None; from headstart.commands.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "fit", "questions.csv", "--out", "none", "--track", package],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"error: --track {package}: it needs {package}, which is not installed\n" in done.stderr
    assert f"pip install 'headstart[{package}]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_is_not_there_is_known_before_work_begins(home, tmp_path, scheme, monkeypatch):
    """And nothing waits for it to come."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        uri = f"{scheme}://user:secret@127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match="Connection refused") as error:
            fit(home, tmp_path / "out", lambda: pytest.fail("work has begun"), f"mlflow:{uri}/x")
    assert waits == []
    assert "secret" not in str(error.value)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize("place", ["mlflow:sqlite:///{}/file/x.db", "tensorboard:{}/file", "mlflow:sqlite:///{}/file"])
def test_a_place_that_cannot_be_written(home, tmp_path, place):
    (tmp_path / "file").write_text("not a database, and not a folder either" * 9)
    with pytest.raises(UserError) as error:
        fit(home, tmp_path / "out", lambda: pytest.fail("work has begun"), place.format(tmp_path))
    assert len(str(error.value).splitlines()) == 2


def test_a_deleted_experiment_is_known_before_work_begins(home, tuned, tmp_path):
    database = tmp_path / "copy.db"
    database.write_bytes((home / "mlflow.db").read_bytes())
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE experiments SET lifecycle_stage = 'deleted'")
    with pytest.raises(UserError, match="headstart was deleted"):
        fit(home, tmp_path / "out", lambda: pytest.fail("work has begun"), f"mlflow:sqlite:///{database}")


@pytest.mark.parametrize("where", ["mlflow:sqlite:///{}/new.db", "tensorboard:{}/runs"])
def test_data_that_cannot_be_read_leave_no_run(home, tuned, tmp_path, where):
    (tmp_path / "new.db").write_bytes((home / "mlflow.db").read_bytes())
    with sqlite3.connect(tmp_path / "new.db") as connection:
        before = connection.execute("SELECT count(*) FROM runs").fetchone()
    with pytest.raises(UserError, match="nowhere"):
        hs.fit(str(tmp_path / "nowhere"), out=tmp_path / "out", track=where.format(tmp_path))
    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == before
    assert not list(tmp_path.glob("runs/*"))
