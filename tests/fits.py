"""Commands in processes of their own, by clocks of their own, that halt at a moment of the test's choosing."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from canary import nothing_else_touched

HANGS = 900  # seconds after which a process is given up: no test waits so long for what will come


def program(**settings: object) -> list[str]:
    """The command, in place of `-m headstart`: a moment to halt at, a clock; see command_that_halts.py."""
    return [str(Path(__file__).with_name("command_that_halts.py")), json.dumps(settings)]


def started(*arguments: object, folder: Path | None = None, **settings: object) -> subprocess.Popen:
    """A command at work; what it is given is watched until it is done."""
    here, watch = folder or Path.cwd(), ExitStack()
    watch.enter_context(nothing_else_touched(list(map(str, arguments)), here=here, env=os.environ))
    command = [sys.executable, *program(**settings), *map(str, arguments)]
    process = subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.watch = watch
    atexit.register(process.kill)  # where its test failed while it was halted
    return process


def fitting(
    data: Path,
    model: Path,
    out: Path,
    *more: str,
    how: str = "tune",
    seconds_lost: float = 0,
    **settings: object,
) -> subprocess.Popen:
    """A fit that keeps its state so often; after every step, unless told otherwise."""
    arguments = [data, "--model", model, "--how", how, "--out", out, "--json", *more]
    return started("fit", *arguments, seconds_lost=seconds_lost, **settings)


def ended(process: subprocess.Popen) -> tuple[str, str]:
    """What it says until its end, which is an exit code that the test looks at."""
    try:
        said = process.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    process.watch.close()
    return said


def finished(process: subprocess.Popen) -> dict:
    out, err = ended(process)
    assert process.returncode == 0, err
    return json.loads(out)


def halted(process: subprocess.Popen) -> subprocess.Popen:
    """Once it has halted at its moment: it does nothing more until it gets a signal."""
    until = time.monotonic() + HANGS
    while time.monotonic() < until:
        changed, status = os.waitpid(process.pid, os.WUNTRACED | os.WNOHANG)
        if changed and os.WIFSTOPPED(status):
            return process
        if changed:
            process.returncode = os.waitstatus_to_exitcode(status)
            raise AssertionError(f"it never came to its moment: {process.communicate()}")
        time.sleep(0.005)
    process.kill()
    raise AssertionError(f"it hangs: {process.communicate()}")


def killed(process: subprocess.Popen) -> None:
    """At its moment."""
    halted(process).send_signal(signal.SIGKILL)
    process.communicate()
    process.watch.close()


def goes_on(process: subprocess.Popen, *, told: signal.Signals | None = None) -> subprocess.Popen:
    """From where it halted, with a signal that it finds there."""
    if told is not None:
        process.send_signal(told)
    process.send_signal(signal.SIGCONT)
    return process
