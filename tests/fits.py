"""Fits in processes of their own, that a test may stop at a moment of its choosing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from canary import nothing_else_touched


def fitting(
    data: Path, model: Path, out: Path, *more: str, how: str = "tune", seconds_lost: float = 0
) -> subprocess.Popen:
    """A fit that keeps its state so often; after every step, unless told otherwise."""
    script = (
        f"import sys; from headstart.adapt import trial; trial.SECONDS_LOST = {seconds_lost}; "
        "from headstart.commands.app import main; sys.argv[1:1] = ['fit']; main()"
    )
    arguments = [data, "--model", model, "--how", how, "--out", out, "--json", *more]
    watch = ExitStack()  # over the data and the model, until it is done
    watch.enter_context(nothing_else_touched(["fit", *arguments], here=Path.cwd(), env=os.environ))
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.watch = watch
    return process


def finished(process: subprocess.Popen) -> dict:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    process.watch.close()
    return json.loads(out)


def killed(process: subprocess.Popen, cache: Path, moment: str) -> None:
    """As soon as the run has written a file of this name."""
    while process.poll() is None and not list(cache.glob(f"runs/*/{moment}")):
        time.sleep(0.001)
    assert process.poll() is None, "it was faster than the kill"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process.watch.close()


def cache_with_the_plan_of(cache: Path, new: Path) -> str:
    """A cache with nothing but the plan of the run that was killed, so that another run does as many steps.

    The plan is made from what a step took, and a machine is never twice as fast.
    """
    (plan,) = cache.glob("runs/*/scheme.json")
    other = new / plan.relative_to(cache)
    other.parent.mkdir(parents=True)
    other.write_bytes(plan.read_bytes())
    return str(new)
