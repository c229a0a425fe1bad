"""A cache that is full, read only or damaged costs time and nothing else; no room anywhere is said in a line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import headstart as hs
from fits import ended, finished, fitting
from headstart.encode import store
from headstart.encode.encode import FEW
from headstart.encode.engines import cpu_has_bf16
from headstart.errors import OutputError
from headstart.storage.matrix import Rows

ROOMS = ("alive", "backbones", "engines", "features", "runs", "tuned")
CLOSED = Path("/sys/headstart")  # no one makes a folder there, root neither
needs_sys = pytest.mark.skipif(not CLOSED.parent.is_dir(), reason="needs /sys")


@pytest.fixture
def shut_cache(tmp_path) -> Path:
    """Nothing can be written into any of its folders, by root neither: they are files."""
    folder = tmp_path / "shut_cache"
    folder.mkdir()
    for room in ROOMS:
        (folder / room).write_text("")
    return folder


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """Where temporary files lie, to see that none stays."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def limited(*arguments: object, largest: int, **env: str) -> tuple[int, str, str]:
    """The command where no file may become larger than so many bytes: as on a disk that is full at that moment."""
    script = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, {largest})); "
        "from headstart.commands.app import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.check
@pytest.mark.parametrize("how", ["probe", "tune"])
def test_a_fit_goes_on_without_keeping_and_ends_in_the_same_bytes(how, few_texts, shut_cache, temporary, own_cache):
    data, model = few_texts
    kept = finished(fitting(data, model, own_cache.with_name("kept"), "--budget", "20m", how=how))
    os.environ["HEADSTART_CACHE"] = str(shut_cache)  # own_cache puts it back
    process = fitting(data, model, own_cache.with_name("unkept"), "--budget", "20m", how=how)
    out, err = ended(process)
    assert process.returncode == 0, err
    assert json.loads(out)["accuracy"] == kept["accuracy"]
    assert json.loads(out)["tuning"] == kept["tuning"]
    notes = [line for line in err.splitlines() if "will not be kept" in line]
    assert len([line for line in notes if line.startswith("note: features will not be kept: ")]) == 1
    assert len(notes) == len(set(notes)) == (4 if how == "tune" else 3)
    assert all("set HEADSTART_CACHE to a folder on another disk" in note for note in notes)
    for name in ("model.safetensors", "head.safetensors"):
        one, other = (own_cache.with_name(folder) / name for folder in ("kept", "unkept"))
        assert one.read_bytes() == other.read_bytes()
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in shut_cache.iterdir()) == sorted(ROOMS)


@pytest.mark.check
def test_photos_are_tuned_on_without_a_cache(photos, shut_cache, temporary, tmp_path, monkeypatch):
    from small_models import small_image_model

    small_image_model("vit_tiny_patch16_224", tmp_path / "model")
    monkeypatch.setenv("HEADSTART_CACHE", str(shut_cache))
    told = finished(fitting(photos, tmp_path / "model", tmp_path / "out", seconds_lost=9))
    assert told["how"] == "tune"
    assert list(temporary.iterdir()) == []


@needs_sys
@pytest.mark.parametrize(("cache", "house"), [(str(CLOSED), None), ("", str(CLOSED))])
def test_answers_and_predictions_need_no_cache(
    cache, house, few_texts, years, tmp_path, command, monkeypatch, own_cache
):
    """The first cache is empty too, so that no earlier test has measured which precision is good enough."""
    data, model = few_texts

    def said() -> list:
        fitted, reader = hs.load(tmp_path / "out"), hs.load(years)
        answers = reader.answer("when is it ?", ["it is of 1984 ."])
        return [fitted.predict(["Where is my card?"]), fitted.evaluate(data).scores.log_loss, answers]

    hs.fit(data, model=str(model), how="probe", out=tmp_path / "out")
    expected = said()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HEADSTART_CACHE", cache)
    monkeypatch.setenv("HOME", house or os.environ["HOME"])
    assert said() == expected
    code, _, err = command("predict", tmp_path / "out", "Where is my card?")
    assert code == 0, err
    assert err.count("will not be kept") == 1


@pytest.mark.check
def test_what_a_full_disk_does_not_take_is_used_from_memory(few_texts, tmp_path, own_cache, temporary):
    """32 KB a file: the model's graph has no room; predictions are the same."""
    data, model = few_texts
    finished(fitting(data, model, tmp_path / "out", how="probe"))
    arguments = ("predict", tmp_path / "out", *(f"Where is my card {i}?" for i in range(5)))
    code, expected, _ = limited(*arguments, largest=2**30)
    assert code == 0
    fresh = tmp_path / "fresh"
    code, out, err = limited(*arguments, largest=2**15, HEADSTART_CACHE=str(fresh))
    assert (code, out) == (0, expected), err
    assert "the model's graph will not be kept" in err
    assert "set HEADSTART_CACHE" in err
    assert not list(fresh.rglob("*.tmp"))
    assert not list(fresh.glob("engines/*.bin"))


def test_no_room_anywhere_is_one_line(photos, tmp_path, own_cache, temporary):
    photo = next(photos.rglob("*.jpg"))
    code, out, err = limited("predict", "efficientnet_lite0", photo, largest=2**20)
    assert (code, out) == (2, "")
    error, fix = err.strip().splitlines()[-2:]
    assert error.startswith(f"error: {own_cache / 'backbones'}: no space: the description of efficientnet_lite0 needs")
    assert "HEADSTART_CACHE" in fix
    assert list(temporary.iterdir()) == []
    assert [path for path in own_cache.rglob("*") if path.is_file()] == []


def test_rows_that_have_no_room_are_said_with_what_they_need(own_cache):
    with pytest.raises(OutputError, match=r"no space: a scratch file needs about 40,000,000 MB and [\d,]+ MB are free"):
        Rows(10**9, 10**4)


@needs_sys
def test_rows_go_where_temporary_files_lie_if_the_cache_is_shut(monkeypatch, tmp_path):
    monkeypatch.setenv("HEADSTART_CACHE", str(CLOSED))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = Rows(3, 2)
    rows[1:3] = np.ones((2, 2))
    np.testing.assert_array_equal(rows[0:3], [[0, 0], [1, 1], [1, 1]])


DAMAGE = {
    "a graph without an end": ("engines/*.xml", lambda content: content[: len(content) // 2]),
    "an empty graph": ("engines/*.xml", lambda content: b""),
    "a graph whose weights are cut": ("engines/*.bin", lambda content: content[:-1]),
    "a graph without weights": ("engines/*.bin", lambda content: b""),
    "half a note on precision": ("engines/*.precision.json", lambda content: content[:9]),
    "an empty note on precision": ("engines/*.precision.json", lambda content: b""),
    "half a note on the processor": ("engines/*.processor.json", lambda content: content[:5]),
    "a note on the processor that says something else": ("engines/*.processor.json", lambda content: b'{"bf16": 1}'),
    "half a description": ("backbones/*/backbone.json", lambda content: content[: len(content) // 2]),
    "a description's weights cut": ("backbones/*/model.safetensors", lambda content: content[:1000]),
    "a description's weights empty": ("backbones/*/model.safetensors", lambda content: b""),
    "half of what a table is about": ("features/*/about.json", lambda content: content[:9]),
    "features cut": ("features/*/*.rows", lambda content: content[:-1]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_a_power_loss_damaged_is_made_anew(damage, tmp_path, photos, own_cache):
    from small_models import small_image_model

    small_image_model("vit_tiny_patch16_224", tmp_path / "model")
    several = [sorted(photos.rglob("*.jpg"))[0]] * (FEW + 1)  # fewer are not kept
    cpu_has_bf16.cache_clear()  # as in a new process
    expected = hs.load(tmp_path / "model").predict(several)
    pattern, damaged = DAMAGE[damage]
    files = list(own_cache.glob(pattern))
    assert files
    for file in files:
        file.write_bytes(damaged(file.read_bytes()))
    cpu_has_bf16.cache_clear()
    assert ("damaged" in {table.about for table in store.tables()}) == pattern.endswith("about.json")
    if not pattern.endswith(".rows"):  # so that the model has to run
        for rows in own_cache.glob("features/*/*.rows"):
            rows.unlink()
    for _ in range(2):
        assert hs.load(tmp_path / "model").predict(several) == expected
    assert "damaged" not in {table.about for table in store.tables()}
    assert all(file.stat().st_size > 11 for file in files if file.exists())


def test_two_first_predictions_at_once_are_alike(tmp_path, photos, own_cache):
    from small_models import small_image_model

    small_image_model("vit_tiny_patch16_224", tmp_path / "model")
    arguments = [sys.executable, "-m", "headstart", "predict", tmp_path / "model", *sorted(photos.rglob("*.jpg"))]
    runs = [subprocess.Popen(list(map(str, arguments)), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert said[0] == said[1] != ""
    assert not list(own_cache.rglob("*.tmp"))
