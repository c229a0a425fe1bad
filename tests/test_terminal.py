"""What a person at a terminal sees while they wait."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

import headstart as hs
from canary import nothing_else_touched
from conftest import PROBE, STARTER
from headstart.progress import Silent
from small_hub import SmallHub
from small_models import small_image_model

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def lines_at_the_end(shown: str) -> list[str]:
    """What stands on the screen: a line is wiped and written again, also where the cursor goes up to it."""
    screen, row = [""], 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", shown):
        if up := re.fullmatch(r"\x1b\[(\d*)A", piece):
            row -= int(up[1] or 1)
        elif piece == "\n":
            row += 1
            screen += [""] * (row + 1 - len(screen))
        elif piece == "\x1b[2K":
            screen[row] = ""
        elif piece != "\r" and not CONTROL.fullmatch(piece):
            screen[row] += piece
    return [line.rstrip() for line in screen if line.strip()]


def on_terminal(
    folder: Path, *arguments: object, columns: int = 100, by: Sequence[str] = ("-m", "headstart"), **env: str
) -> tuple[int, str]:
    """Run the command in a folder on a terminal; gives the exit code and all that was shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "CI")}
    around = {**clean, "TERM": "xterm-256color", **env}
    watch = ExitStack()
    watch.enter_context(nothing_else_touched(arguments, here=folder, env=around, around=(folder,)))
    process = subprocess.Popen(
        [sys.executable, *by, *map(str, arguments)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=around,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            some = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not some:
            break
        shown += some
    os.close(ours)
    code = process.wait()
    watch.close()
    return code, shown.decode()


@pytest.fixture
def terminal(tmp_path):
    """`on_terminal` in the test's own folder."""
    return partial(on_terminal, tmp_path)


def steps(screen: list[str]) -> list[str]:
    return [line.split()[1] for line in screen if line.startswith("✓")]


def test_a_download_within_fit_shows_its_rate_and_its_size(terminal, photos, tmp_path):
    small_image_model("resnet18", tmp_path / "model")
    size = (tmp_path / "model" / "model.safetensors").stat().st_size / 1e6
    with SmallHub({"org/tiny": tmp_path / "model"}) as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        code, shown = terminal("fit", photos, "--model", "org/tiny", *PROBE, **env)
        assert code == 0, shown
        screen = lines_at_the_end(shown)
        assert steps(screen) == ["read", "check", "fetch", "open", "encode", "adapt", "evaluate", "save"]
        fetch = next(line for line in screen if "fetch" in line)
        assert f"{size:.1f}/{size:.1f} MB" in fetch
        assert re.search(r"[\d.]+ \w+/s +0:00:00 \d+:\d\d:\d\d$", fetch)
        assert "%|" not in shown  # no second kind of bar
        code, shown = terminal("fit", photos, "--model", "org/tiny", *PROBE, "--force", **env)
        assert steps(lines_at_the_end(shown)) == ["read", "check", "open", "encode", "adapt", "evaluate", "save"]


def test_pull_shows_the_same_bar_and_a_setting_hides_it(terminal, tmp_path):
    small_image_model("resnet18", tmp_path / "model")
    with SmallHub({"timm/resnet18.a1_in1k": tmp_path / "model"}) as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}
        code, shown = terminal("models", "resnet18", "--pull", HF_HOME=str(tmp_path / "a"), **env)
        assert code == 0, shown
        assert steps(lines_at_the_end(shown)) == ["fetch"]
        hidden = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HOME": str(tmp_path / "b")}
        code, shown = terminal("models", "resnet18", "--pull", **hidden, **env)
        assert (code, steps(lines_at_the_end(shown))) == (0, [])
        assert "resnet18" in shown


@pytest.mark.parametrize(("command", "step"), [("fit", "choose"), ("rank", "rank")])
def test_choosing_says_how_far_it_is(command, step, terminal, photos):
    """Of four models with 32 training photos each; three are left out, for lack of time, and count as done."""
    code, shown = terminal(command, photos, "--budget", "1e-9s")
    assert code == 0, shown
    bar = next(line for line in lines_at_the_end(shown) if line.startswith(f"✓ {step}"))
    assert "128/128" in bar
    counts = [int(n) for n in re.findall(r"(\d+)/128", shown)]
    assert counts == sorted(counts)


class Told(Silent):
    """How far each step was, whenever it said so."""

    def __init__(self) -> None:
        self.steps: dict[str, list[int]] = {}

    @contextmanager
    def step(self, name, total=None, *, unit="examples"):
        done = self.steps.setdefault(name, [0])
        yield lambda n: done.append(done[-1] + n)


def test_ranking_tells_of_each_model_while_it_goes_on(photos, own_cache):
    """A bar may be too slow to be drawn between two of them."""
    told = Told()
    hs.rank(photos, budget="1e-9s", progress=told)
    assert told.steps["rank"][-1] == 128
    assert {32, 64, 96} <= set(told.steps["rank"])


def test_each_step_has_a_line_of_its_own(terminal, photos, tmp_path):
    code, shown = terminal("fit", photos, *STARTER)
    assert code == 0, shown
    screen = lines_at_the_end(shown)
    assert steps(screen) == ["read", "check", "open", "encode", "adapt", "evaluate", "save"]
    assert Path(tmp_path / "photos.headstart").is_dir()
