"""Nothing of the user's is replaced or deleted: `--force` removes what headstart wrote, to the byte, or refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import STARTER
from fits import ended, goes_on, halted, killed, started


@pytest.fixture
def saved(photos, fit_json, tmp_path) -> Path:
    """A folder that was saved just now."""
    fit_json(photos, "--out", tmp_path / "model")
    return tmp_path / "model"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"a folder" for p in folder.rglob("*")}


def put(folder: Path, name: str, content: str = "months of work") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


def edited_manifest(folder: Path) -> None:
    """One that names a file of the user's as headstart's own."""
    import hashlib

    put(folder, "thesis.tex")
    told = json.loads((folder / "manifest.json").read_text())
    told["files"]["thesis.tex"] = hashlib.sha256((folder / "thesis.tex").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(told, indent=2) + "\n")


STRANGERS = {
    "a file": (lambda folder: put(folder, "thesis.tex"), "thesis.tex"),
    "a hidden file": (lambda folder: put(folder, ".notes"), ".notes"),
    "a folder": (lambda folder: put(folder, "data/roses/1.jpg"), "data"),
    "an empty folder": (lambda folder: (folder / "data").mkdir(), "data"),
    "a file in a folder of headstart's": (lambda folder: put(folder, "1_Pooling/mine.txt"), "1_Pooling/mine.txt"),
    "a link": (lambda folder: (folder / "tokenizer.json").symlink_to("/etc/hostname"), "tokenizer.json"),
    "a changed file": (lambda folder: put(folder, "README.md", "my own notes"), "README.md"),
    "a changed headstart.json": (lambda folder: put(folder, "headstart.json", "{}"), "headstart.json"),
    "a manifest that is not headstart's": (edited_manifest, "manifest.json"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json"),
    "a damaged manifest": (lambda folder: put(folder, "manifest.json", "[" * 100_000), "manifest.json"),
}


def test_force_refuses_where_anything_else_lies_in_the_folder(saved, photos, command, tmp_path):
    for what, (change, named) in STRANGERS.items():
        folder = tmp_path / "changed"
        shutil.copytree(saved, folder)
        change(folder)
        before = contents(folder)
        code, _, err = command("fit", photos, *STARTER, "--out", folder, "--force")
        assert code == 2, what
        assert named in err, what
        assert contents(folder) == before, what
        shutil.rmtree(folder)
    assert not list(tmp_path.glob(".*"))


def test_force_from_inside_the_folder_leaves_the_data(saved, photos, command):
    shutil.copytree(photos, saved / "data")
    before = contents(saved)
    done = subprocess.run(
        [sys.executable, "-m", "headstart", "fit", "data", *STARTER, "--out", ".", "--force"],
        cwd=saved, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "data in it" in done.stderr
    assert contents(saved) == before


def test_force_replaces_what_headstart_wrote_also_where_some_of_it_is_gone(saved, photos, command, tmp_path):
    (saved / "report.html").unlink()
    before = (saved / "split.csv").read_bytes()
    assert command("fit", photos, *STARTER, "--out", saved, "--force", "--seed", "5")[0] == 0
    assert (saved / "report.html").exists()
    assert (saved / "split.csv").read_bytes() != before
    assert not list(tmp_path.glob(".model*"))


WITHOUT_EXCHANGE = "from headstart.storage import renames; renames._call = lambda: None\n"


@pytest.mark.parametrize("prelude", ["", WITHOUT_EXCHANGE], ids=["exchange", "two renames"])
def test_what_is_put_there_in_the_last_moment_is_kept(saved, photos, prelude):
    """Between the look at the folder and its replacement somebody writes into it."""
    script = prelude + (
        "import pathlib, headstart.storage.place as saved, headstart.commands.app as cli\n"
        "to_disk = saved.to_disk\n"
        "def meanwhile(folder):\n"
        f"    pathlib.Path({str(saved / 'thesis.tex')!r}).write_text('months of work')\n"
        "    to_disk(folder)\n"
        "saved.to_disk = meanwhile; cli.main()"
    )
    before = contents(saved)
    again = ["fit", str(photos), *STARTER, "--out", str(saved), "--force", "--seed", "5"]
    done = subprocess.run([sys.executable, "-c", script, *again], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "thesis.tex" in done.stderr
    assert contents(saved) == before | {"thesis.tex": b"months of work"}
    assert not list(saved.parent.glob(".model*"))


def in_process(photos: Path, saved: Path, prelude: str) -> subprocess.CompletedProcess:
    """A fit that replaces the folder, in a process where something is made to go wrong."""
    again = ["fit", str(photos), *STARTER, "--out", str(saved), "--force", "--seed", "5"]
    opened = "import os, pathlib, headstart.storage.place as saved, headstart.commands.app as cli"
    script = f"{opened}\n{prelude}\ncli.main()"
    return subprocess.run([sys.executable, "-c", script, *again], capture_output=True, text=True, check=False)


def test_what_was_there_is_kept_where_it_cannot_be_put_back(saved, photos):
    """Somebody edits a file in the very moment, and the second swap fails."""
    done = in_process(
        photos,
        saved,
        f"to_disk, exchange, readme = saved.to_disk, saved.exchange, pathlib.Path({str(saved / 'README.md')!r})\n"
        "saved.to_disk = lambda folder: (readme.write_text('months of work'), to_disk(folder))\n"
        "def once(one, other):\n"
        "    saved.exchange = lambda one, other: os.rename('/nowhere', '/nowhere')\n"
        "    return exchange(one, other)\n"
        "saved.exchange = once",
    )
    assert done.returncode == 2, done.stderr
    (aside,) = saved.parent.glob(".model.*")
    assert aside.name in done.stderr
    assert (aside / "README.md").read_text() == "months of work"


def test_a_folder_that_cannot_be_removed_is_said_and_the_new_model_is_saved(saved, photos, fit_json):
    before = contents(saved)
    done = in_process(
        photos,
        saved,
        "def deaf(folder):\n    raise PermissionError(13, 'Permission denied', str(folder))\n"
        "written = saved.remove_written\n"
        "saved.remove_written = lambda folder: (deaf if folder.suffix == '.old' else written)(folder)",
    )
    assert done.returncode == 0, done.stderr
    (aside,) = saved.parent.glob(".model.*")
    assert f"note: what was replaced cannot all be removed: {aside}: Permission denied" in done.stderr
    assert contents(aside) == before
    assert contents(saved) != before
    fit_json(photos, "--out", saved, "--force")
    assert not list(saved.parent.glob(".model*"))


def test_what_somebody_changed_in_a_folder_that_a_kill_left_aside_stays(saved, photos, fit_json):
    for name, content in ((".model.7-0123abcd.old", ""), (".model.8-0123abcd.old", "months of work")):
        shutil.copytree(saved, saved.with_name(name))
        if content:
            put(saved.with_name(name), "README.md", content)
    fit_json(photos, "--out", saved, "--force")
    (left,) = saved.parent.glob(".model.*")
    assert (left / "README.md").read_text() == "months of work"
    assert (left / "model.safetensors").exists()


def fitting(photos: Path, out: Path) -> subprocess.Popen:
    """One that halts when it has the place to save to."""
    return started("fit", photos, *STARTER, "--out", out, halts="begins check")


@pytest.mark.parametrize("content", ["thesis.tex", ""], ids=["a folder", "an empty folder"])
def test_a_folder_that_somebody_makes_while_the_fit_goes_on_is_left_alone(photos, tmp_path, content):
    out = tmp_path / "model"
    process = halted(fitting(photos, out))
    out.mkdir()
    if content:
        put(out, content)
    _, err = ended(goes_on(process))
    assert process.returncode == 2
    assert "already there" in err
    assert out.is_dir()
    assert contents(out) == ({content: b"months of work"} if content else {})
    assert not list(tmp_path.glob(".model*"))


def test_of_two_fits_to_one_folder_one_is_refused(photos, tmp_path, command):
    first = halted(fitting(photos, tmp_path / "model"))
    for more in ((), ("--force",)):
        code, _, err = command("fit", photos, *STARTER, "--seed", "5", "--out", tmp_path / "model", *more)
        assert code == 2
        assert "another command" in err
    _, err = ended(goes_on(first))
    assert first.returncode == 0, err
    assert json.loads((tmp_path / "model" / "headstart.json").read_text())["classes"] == ["global", "nominal"]
    assert not list(tmp_path.glob(".model*"))


def test_a_lock_that_a_killed_run_left_is_no_lock(photos, tmp_path, fit_json):
    killed(fitting(photos, tmp_path / "model"))
    assert (tmp_path / ".model.lock").exists()
    fit_json(photos, "--out", tmp_path / "model")
    assert not list(tmp_path.glob(".model*"))


def test_what_has_the_name_of_a_lock_is_not_taken_for_one(photos, tmp_path, command):
    def pipe(lock: Path) -> None:
        os.mkfifo(lock)

    for number, make in enumerate((lambda lock: lock.write_text("months of work"), pipe, os.mkdir)):
        out = tmp_path / str(number)
        make(tmp_path / f".{number}.lock")
        code, _, err = command("fit", photos, *STARTER, "--out", out)
        assert code == 2, number
        assert f".{number}.lock: " in err
        assert not out.exists()
    assert (tmp_path / ".0.lock").read_text() == "months of work"
    (tmp_path / ".3.lock").symlink_to(tmp_path / "nowhere")
    assert command("fit", photos, *STARTER, "--out", tmp_path / "3")[0] == 2
    assert not (tmp_path / "nowhere").exists()


def test_only_what_headstart_writes_is_swept(photos, tmp_path, fit_json):
    """Folders that a killed run left go; what somebody put into one stays, as does what only looks like one."""
    left, with_more, lookalike = (tmp_path / f".model.{name}" for name in ("7-0123abcd.tmp", "8-0123abcd.old", "7.tmp"))
    for folder in (left, with_more, lookalike):
        put(folder, "config.json", "{}")
    put(with_more, "thesis.tex")
    (tmp_path / ".model.9-0123abcd.tmp").symlink_to(photos)
    before = contents(photos)
    fit_json(photos, "--out", tmp_path / "other")
    os.rename(tmp_path / "other", tmp_path / "model")
    fit_json(photos, "--out", tmp_path / "model", "--force")
    assert not left.exists()
    assert contents(with_more) == {"thesis.tex": b"months of work", "config.json": b"{}"}
    assert lookalike.exists()
    assert contents(photos) == before
