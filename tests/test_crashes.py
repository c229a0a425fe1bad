"""A short form of `make torture`: kills and failing system calls, one at a time, at the writes of two commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CRASH = Path(__file__).resolve().parent.parent / "torture" / "crash.py"
FAULTS = 16


def crash(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, CRASH, "--jobs", 1, *arguments]
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
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
        assert {"write", "rename", "mkdir", "open"} <= set(scenario["kinds"])  # Python's and safetensors' are seen
        assert all(fault["operation"] for fault in scenario["faults"])  # each fault happened
