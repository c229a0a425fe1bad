"""A short form of `make torture`: kills and failing system calls, one at a time, at the writes of two commands."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.check

TORTURE = Path(__file__).resolve().parent.parent / "torture"
FAULTS = 16
WRITES = "import os; os.mkdir('a'); f = open('a/b', 'wb', 0); f.write(bytes(100)); f.write(b'end'); os.rename('a', 'c')"


def crash(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, TORTURE / "crash.py", "--jobs", "1", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "HEADSTART_CACHE"},
    )


def test_a_fit_survives_faults_at_any_of_its_writes(tmp_path):
    """A first fit with what its model was turned into at hand, and one that replaces an earlier model."""
    told = tmp_path / "results.json"
    done = crash("--scenario", "photos-again", "--scenario", "photos-force", "--most", FAULTS, "--out", told)
    if done.stdout.startswith("skipped"):
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    scenarios = json.loads(told.read_text())
    assert sum(len(scenario["faults"]) for scenario in scenarios) == FAULTS
    for scenario in scenarios:
        assert {"write", "rename", "mkdir", "open"} <= set(scenario["kinds"])
        assert all(fault["operation"] for fault in scenario["faults"])  # each fault happened


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("faults are injected on Linux, by a C compiler's help")
    made = tmp_path_factory.mktemp("faults") / "faults.so"
    subprocess.run(
        [compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", made, TORTURE / "faults.c", "-ldl"], check=True
    )
    return made


@pytest.mark.parametrize(
    ("mode", "at", "code", "left"),
    [
        ("log", 0, 0, {"c": None, "c/b": 103}),
        ("kill", 1, -signal.SIGKILL, {}),
        ("after", 1, -signal.SIGKILL, {"a": None}),
        ("kill", 3, -signal.SIGKILL, {"a": None, "a/b": 0}),
        ("half", 3, -signal.SIGKILL, {"a": None, "a/b": 50}),
        ("after", 5, -signal.SIGKILL, {"c": None, "c/b": 103}),
        ("fail", 3, errno.ENOSPC, {"a": None, "a/b": 0}),
        ("fail", 5, errno.ENOSPC, {"a": None, "a/b": 103}),
        ("from", 3, errno.ENOSPC, {"a": None, "a/b": 50}),  # half of what was to be written fits
    ],
)
def test_the_library_fails_the_operation_that_it_is_told_to(library, tmp_path, mode, at, code, left):
    work, log = tmp_path / "work", tmp_path / "log"
    work.mkdir()
    told = {"MODE": mode, "AT": str(at), "ERRNO": str(errno.ENOSPC), "UNDER": str(work.resolve()), "LOG": str(log)}
    script = f"try:\n exec({WRITES!r})\nexcept OSError as e:\n raise SystemExit(e.errno)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=work,
        env={**os.environ, "LD_PRELOAD": str(library), **{f"FAULTS_{name}": value for name, value in told.items()}},
        check=False,
    )
    found = {str(p.relative_to(work)): p.stat().st_size if p.is_file() else None for p in work.rglob("*")}
    assert (done.returncode, found) == (code, left)
    kinds = [line.split("\t")[1].rstrip("!") for line in log.read_text().splitlines()]
    assert kinds == ["mkdir", "open", "write", "write", "rename"][: max(len(kinds), at or 5)]
