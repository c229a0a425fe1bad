"""A fit does not end because nobody reads what it says; a result that was lost is no success."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import STARTER
from fits import ended, goes_on, halted, started

COMMAND = f"{sys.executable} -m headstart"
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


def shell(line: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False)


@FULL
def test_a_fit_is_saved_whoever_listens(photos, fit_json, tmp_path):
    fit_json(photos, "--out", tmp_path / "calm")
    fit = f"{COMMAND} fit {photos} {' '.join(STARTER)} --json --out"
    lost = ("2>&-", "2>/dev/full", "2> >(head -c1 >/dev/null)", ">&-", ">/dev/full", "> >(true)", "<&- >&- 2>&-")
    for number, streams in enumerate(lost):
        done = shell(f"{fit} {number} {streams}", tmp_path)
        assert done.returncode == 0, (streams, done.stderr)
        assert "Traceback" not in done.stderr
        calm, saved = tmp_path / "calm" / "model.safetensors", tmp_path / str(number) / "model.safetensors"
        assert saved.read_bytes() == calm.read_bytes(), streams


@FULL
def test_a_result_that_is_lost_is_no_success(photos, fit_json, tmp_path):
    fit_json(photos, "--out", tmp_path / "model")
    photo = min((photos / "global").iterdir())
    for command in (f"predict model {photo}", f"evaluate model {photos}", "models", "cache", "--help", "fit --help"):
        for streams in (">/dev/full", ">&-"):
            done = shell(f"{COMMAND} {command} {streams}", tmp_path)
            assert done.returncode == 1, (command, streams)
            assert "standard output: cannot write" in done.stderr
            assert "Traceback" not in done.stderr
    done = shell(f"{COMMAND} predict model {photos} | head -1; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert done.stdout.splitlines()[1] == "0"
    assert done.stderr == ""
    assert shell(f"{COMMAND} predict model {photo} 2>&-", tmp_path).stdout.count("\n") == 1


def test_a_result_that_is_lost_is_no_success_where_nobody_hears_of_errors(photos, fit_json, tmp_path):
    """Standard output has no descriptor of its own, as in a notebook, and standard error is closed."""
    fit_json(photos, "--out", tmp_path / "model")
    photo = min((photos / "global").iterdir())
    script = (
        "import io, sys; from headstart.commands.app import main\n"
        "heard = io.TextIOWrapper(io.BytesIO()); sys.stdout = heard; sys.stderr.close()\n"
        f"sys.argv[1:] = ['predict', {str(tmp_path / 'model')!r}, {str(photo)!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code in (0, None), end.code\n"
        "heard.flush(); assert heard.buffer.getvalue()"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == 0


def test_names_and_labels_give_a_terminal_no_commands(photos, command, tmp_path):
    """Commands to the terminal, line ends and what turns a line around, in names of files and classes."""
    evil = "a\x1b]0;owned\x07\u202eb\nc"
    (photos / "global").rename(photos / evil)
    (photos / evil / f"{evil}.jpg").write_bytes(b"no photo")
    told = [command("fit", photos, *STARTER, "--out", tmp_path / "model")]
    told.append(command("predict", tmp_path / "model", photos))
    told.append(command("evaluate", tmp_path / "model", photos))
    told.append(command("fit", photos / f"{evil}"))
    told.append(command("predict", tmp_path / "model", photos / evil / f"{evil}2.jpg"))
    assert [code for code, _, _ in told] == [0, 2, 0, 2, 2]
    for _, out, err in told:
        assert not set(out + err) & set("\x1b\x07\u202e"), out + err
    assert "a\\x1b]0;owned" in told[1][1]


def test_a_fit_outlives_its_terminal(photos, tmp_path):
    process = halted(started("fit", photos, *STARTER, "--out", tmp_path / "model", halts="begins read"))
    ended(goes_on(process, told=signal.SIGHUP))
    assert process.returncode == 0
    assert (tmp_path / "model" / "headstart.json").exists()
