"""The main path through the command line, on real photos and texts."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import headstart as hs
from conftest import STARTER
from fits import ended, goes_on, halted, killed, started
from headstart.errors import UserError
from topics import MINI, mixed


def test_photos_from_folder_to_saved_model(photos, fit_json, command, tmp_path):
    told = fit_json(photos)
    assert told["classes"] == ["global", "nominal"]
    assert told["n_train"] + told["n_test"] == 40
    assert told["accuracy"] >= 0.75
    low, high = told["accuracy_interval"]
    assert low <= told["accuracy"] <= high
    for key in ("task", "model", "how", "n_rejected", "macro_f1", "ece", "seconds", "cached", "out"):
        assert key in told
    saved = tmp_path / "photos.headstart"
    names = {"config.json", "model.safetensors", "headstart.json", "metrics.json", "split.csv", "rejected.csv"}
    assert names | {"README.md", "report.html"} <= {f.name for f in saved.iterdir()}
    code, out, _ = command("predict", saved, photos / "global", "--json")
    predictions = json.loads(out)["predictions"]
    assert code == 0
    assert len(predictions) == 20
    assert sum(p["label"] == "global" for p in predictions) >= 16
    assert all(abs(sum(c["probability"] for c in p["top"]) - 1) < 1e-3 for p in predictions)


def test_second_fit_computes_no_feature_and_loads_no_torch(photos, fit_json, tmp_path, on_a_cpu):
    """Only torch can say whether there is a GPU."""
    fit_json(photos)
    assert fit_json(photos, "--seed", 1, "--out", tmp_path / "again.headstart")["cached"] == 1.0
    code = (
        "import sys, headstart as hs;"
        f"hs.fit({str(photos)!r}, model='efficientnet_lite0', seed=2, out={str(tmp_path / 'third')!r}, how='probe');"
        "loaded = {'torch', 'timm', 'transformers'} & set(sys.modules); sys.exit(str(loaded) if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_renaming_keeps_features_and_changing_a_file_does_not(photos, fit_json, tmp_path):
    fit_json(photos)
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    for i, file in enumerate(sorted(moved.glob("*/*.jpg"))):
        file.rename(file.with_name(f"other_{i}.jpg"))
    assert fit_json(moved)["cached"] == 1.0
    first = min(moved.glob("*/*.jpg"))
    first.write_bytes(first.read_bytes() + b"\0")
    assert fit_json(moved, "--out", tmp_path / "changed")["cached"] == pytest.approx(39 / 40)


def test_split_is_the_same_whatever_the_files_are_called(photos, fit_json, tmp_path):
    fit_json(photos)
    moved = tmp_path / "moved"
    shutil.copytree(photos, moved)
    names = list(range(40))
    random.Random(0).shuffle(names)
    by_new = {}
    for number, file in zip(names, sorted(moved.glob("*/*.jpg")), strict=True):
        new = file.with_name(f"{number:03}.jpg")
        by_new[f"{file.parent.name}/{new.name}"] = f"{file.parent.name}/{file.name}"
        file.rename(new)
    fit_json(moved)

    def test_part(folder):
        with (folder / "split.csv").open() as file:
            return {row["example"] for row in csv.DictReader(file) if row["part"] == "test"}

    assert {by_new[name] for name in test_part(tmp_path / "moved.headstart")} == test_part(
        tmp_path / "photos.headstart"
    )


def test_texts_from_a_table(questions, fit_json, command, tmp_path):
    table = tmp_path / "questions.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "intent"), *questions])
    told = fit_json(table, "--test", "0.3")
    assert told["task"] == "text-classification"
    assert told["classes"] == ["card", "exchange", "pin"]
    assert told["accuracy"] >= 0.6
    saved = tmp_path / "questions.headstart"
    code, out, _ = command("predict", saved, "-", "--json", stdin="my card is still not here\nreset my pin\n")
    assert code == 0
    assert [p["label"] for p in json.loads(out)["predictions"]] == ["card", "pin"]
    arguments = [sys.executable, "-m", "headstart", "predict", saved, "-", "--json"]
    other = {**os.environ, "PYTHONIOENCODING": "latin-1"}  # as where the system's own is not UTF-8
    done = subprocess.run(arguments, input="my café card\r\n".encode(), capture_output=True, env=other)
    assert [p["input"] for p in json.loads(done.stdout)["predictions"]] == ["my café card"], done.stderr
    done = subprocess.run(arguments, input=b"caf\xe9", capture_output=True, env=other)
    assert (done.returncode, b"not UTF-8, read as cp1252; --encoding NAME" in done.stderr) == (0, True)
    code, out, _ = command("evaluate", saved, table, "--json")
    assert code == 0
    assert json.loads(out)["accuracy"] > 0.8


def test_a_function_follows_a_fit_and_may_end_it():
    texts, labels, seen = *map(list, zip(*mixed(40), strict=True)), []
    hs.fit(texts, labels, **MINI, progress=seen.append)
    assert next(u.step for u in seen if u.share == 0 or u.share is None) == "read"
    assert {"check", "encode", "adapt"} <= {update.step for update in seen}
    assert all(update.share is None or 0 <= update.share <= 1 for update in seen)
    with pytest.raises(UserError, match="stopped"):
        hs.fit(texts, labels, **MINI, progress=lambda update: update.step != "encode")
    with pytest.raises(UserError, match="stopped"):
        hs.fit(texts, labels, **MINI, progress=lambda update: np.array(update.step) != "encode")  # a bool of numpy's
    model, seen = hs.fit(texts, labels, **MINI), []
    model.evaluate(texts, labels, progress=seen.append)
    assert {update.step for update in seen if update.step} == {"read", "check", "evaluate"}
    assert any("the model learned from" in update.text for update in seen)
    with pytest.raises(UserError, match="stopped"):
        model.evaluate(texts, labels, progress=lambda update: False)


def test_evaluate_matches_classes_by_name(photos, textile, fit_json, command, tmp_path):
    fit_json(photos)
    other = tmp_path / "other"
    for name, label in (("nominal", "nominal"), ("local", "local")):
        (other / label).mkdir(parents=True)
        for photo in sorted((textile / name).glob("*.jpg"))[30:34]:
            shutil.copy(photo, other / label)
    code, out, _ = command("evaluate", tmp_path / "photos.headstart", other, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["n_test"] == 4
    assert told["missing_classes"] == ["global"]
    assert told["extra_classes"] == ["local"]


def test_api_takes_arrays_frames_and_hub_data(textile, questions, tmp_path):
    import datasets
    import pandas as pd

    files = [(f, n) for n in ("global", "nominal") for f in sorted((textile / n).glob("*.jpg"))[:8]]
    arrays, labels = [np.asarray(Image.open(f)) for f, _ in files], [n for _, n in files]
    assert hs.fit((arrays, labels), model="efficientnet_lite0", how="probe").classes == ("global", "nominal")
    frame = pd.DataFrame(questions, columns=["text", "label"])
    model = hs.fit(frame, test=0.3)
    assert model.predict("where is my card")[0].label == "card"
    hub = datasets.Dataset.from_pandas(frame).class_encode_column("label")
    assert hs.fit(hub, test=0.3).classes == ("card", "exchange", "pin")
    some = hub.filter(lambda row: "PIN" in row["text"] or "rate" in row["text"])
    assert hs.fit(some, test=0.3).classes == ("exchange", "pin")


def test_never_overwrites_without_force(photos, fit_json, command, tmp_path):
    fit_json(photos)
    before = (tmp_path / "photos.headstart" / "headstart.json").read_bytes()
    code, _, err = command("fit", photos, "--seed", "5")
    assert code == 2
    assert "--force" in err
    assert (tmp_path / "photos.headstart" / "headstart.json").read_bytes() == before
    assert command("fit", photos, "--seed", "5", "--force", *STARTER)[0] == 0
    other = tmp_path / "holiday"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    assert command("fit", photos, "--out", other, "--force")[0] == 2
    assert (other / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "moment",
    [
        "begins open",
        "within encode",
        *(pytest.param(moment, marks=pytest.mark.check) for moment in ("begins read", "begins evaluate")),
    ],
)
def test_killed_and_run_again(photos, fit_json, tmp_path, moment, own_cache):
    out = tmp_path / "killed"
    killed(started("fit", photos, *STARTER, "--out", out, halts=moment))
    assert not out.exists()
    again = fit_json(photos, "--out", out)
    undisturbed = fit_json(photos, "--out", tmp_path / "calm")
    assert (out / "model.safetensors").read_bytes() == (tmp_path / "calm" / "model.safetensors").read_bytes()
    assert again["accuracy"] == undisturbed["accuracy"]
    assert not list(tmp_path.glob(".killed*"))


def test_killed_while_saving(photos, fit_json, tmp_path):
    """Half of the folder is written: it appears whole after the next run, and nothing is left over."""
    calm = fit_json(photos, "--out", tmp_path / "calm")  # features are known from here on
    out = tmp_path / "killed"
    killed(started("fit", photos, *STARTER, "--out", out, halts="saves report.html"))
    (left,) = tmp_path.glob(".killed.*.tmp")
    assert (left / "config.json").exists()
    assert not out.exists()
    assert fit_json(photos, "--out", out)["accuracy"] == calm["accuracy"]
    assert (out / "model.safetensors").read_bytes() == (tmp_path / "calm" / "model.safetensors").read_bytes()
    assert not list(tmp_path.glob(".killed.*"))


def test_killed_between_the_old_folder_and_the_new_one(photos, fit_json, tmp_path, command):
    """Where folders cannot be swapped in one step, the second of two renames never comes; what the user had is there
    again."""
    out = tmp_path / "mine"
    fit_json(photos, "--out", out)
    before = {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}
    dies = (
        "import os, pathlib, signal, sys; from headstart.commands.app import main; rename = pathlib.Path.rename\n"
        "def once(self, target):\n"
        "    made = rename(self, target)\n"
        "    if self.name == 'mine': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return made\n"
        "from headstart.storage import renames; renames._call = lambda: None; pathlib.Path.rename = once; main()"
    )
    again = ["fit", str(photos), *STARTER, "--out", str(out), "--seed", "5", "--force"]
    assert subprocess.run([sys.executable, "-c", dies, *again], capture_output=True).returncode == -signal.SIGKILL
    assert not out.exists()
    code, _, err = command("fit", photos, "--out", out, *STARTER)
    assert (code, "--force" in err) == (2, True)
    assert {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()} == before
    assert command(*again)[0] == 0
    assert (out / "headstart.json").read_bytes() != before["headstart.json"]
    assert os.listdir(tmp_path).count("mine") == 1
    assert not list(tmp_path.glob(".mine*"))


def test_interrupted_keeps_what_was_encoded(photos, fit_json, tmp_path, own_cache, on_a_cpu):
    """Ctrl-C while photos are encoded, on a CPU, which does a few at a time."""
    out = tmp_path / "stopped"
    process = halted(started("fit", photos, *STARTER, "--out", out, halts="within encode"))
    _, err = ended(goes_on(process, told=signal.SIGINT))
    assert process.returncode == 130
    assert "the same command goes on" in err
    assert "Traceback" not in err
    assert not out.exists()
    assert 0 < fit_json(photos, "--out", out)["cached"] < 1


def test_first_fit_on_a_pipe_says_only_what_is_ours(questions, tmp_path, command, own_cache):
    table = tmp_path / "questions.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "intent"), *questions])
    code, _, err = command("fit", table, "--test", "0.3")
    assert code == 0
    said = ("read", "check", "text-classification:", "note:", "warning:", "choose", "open", "encode", "adapt")
    assert [line.split()[0] for line in err.splitlines()] == [*said, "evaluate", "save"]


def test_two_fits_at_once_on_one_cache(photos, tmp_path, own_cache):
    started = [
        subprocess.Popen([sys.executable, "-m", "headstart", "fit", photos, *STARTER, "--out", tmp_path / name])
        for name in ("a", "b")
    ]
    assert [process.wait() for process in started] == [0, 0]
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_an_interrupt_before_the_command_has_begun_is_no_traceback():
    """Ctrl-C in the first third of a second, while what the command needs is imported: here, at the first import."""
    early = "import builtins, sys; sys.argv = ['headstart', *sys.argv[1:]]; real = builtins.__import__\n"
    early += "def stopped(name, *rest):\n    if name.startswith('typer'): raise KeyboardInterrupt\n"
    early += "    return real(name, *rest)\nbuiltins.__import__ = stopped\nfrom headstart.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", early, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (130, "interrupted\n", "")


def test_only_what_keeps_its_work_says_so():
    late = "import sys, headstart.commands.app as c\ndef stopped(): sys.exit(130)\nc.app = stopped; c.main()"
    for words, more in ((["predict", "m", "x"], ""), (["fit", "--help"], ""), (["rank", "d"], "; what was encoded is")):
        done = subprocess.run([sys.executable, "-c", late, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 130
        assert done.stderr.startswith(f"interrupted{more}")
        assert more or done.stderr == "interrupted\n"


def test_nothing_is_reported_to_anyone(photos, fit_json, tmp_path, own_cache, monkeypatch, on_a_cpu):
    """OpenVINO's converter would keep files for its statistics in the home folder; CUDA's driver does."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    fit_json(photos)
    assert list((tmp_path / "home").iterdir()) == []


def test_help_and_import_load_nothing_heavy():
    heavy = {"torch", "timm", "transformers", "openvino", "pyarrow", "numpy", "pandas"}
    for code in ("import headstart", "import headstart.commands.app"):
        run = f"{code}; import sys; found = {heavy!r} & set(sys.modules); sys.exit(str(found) if found else 0)"
        subprocess.run([sys.executable, "-c", run], check=True)
    assert set(hs.__all__) <= set(hs._HOME) | {"__version__"}


def test_models_cache_and_doctor(photos, fit_json, command, own_cache):
    fit_json(photos)
    told = json.loads(command("cache", "--json")[1])
    assert any(t["rows"] == 40 and "efficientnet_lite0" in t["about"] for t in told["tables"])
    assert json.loads(command("cache", "--prune", "0", "--json")[1])["bytes"] == 0
    names = {m["name"]: m["at_hand"] for m in json.loads(command("models", "--json")[1])["models"]}
    assert names["efficientnet_lite0"]
    assert names["all-MiniLM-L6-v2"]
    assert json.loads(command("doctor", "--json")[1])["cores"] >= 1
