"""The canary itself: it is quiet where a command writes its output, and fails where anything else is touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from canary import make_home, nothing_else_touched


@pytest.fixture
def place(tmp_path) -> Path:
    """A home, a data folder, a neighbour, and a cache, as they lie around a fit."""
    make_home(tmp_path / "home")
    for name in (
        "work/data/roses/1.jpg",
        "work/data/tulips/2.jpg",
        "work/thesis.txt",
        "cache/features/x",
        "model/config.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "work" / "large.bin").write_bytes(bytes(2**19))
    return tmp_path


def fit(place: Path, *more: str) -> object:
    arguments = ("fit", "data", "--model", f"resnet18={place / 'model'}", *more)
    env = {"HEADSTART_CACHE": str(place / "cache")}
    return nothing_else_touched(arguments, here=place / "work", env=env, around=(place / "work", place / "home"))


def written(name: str, content: str = "x") -> Callable[[Path], object]:
    def write(place: Path) -> None:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content)

    return write


TOUCHED: dict[str, Callable[[Path], object]] = {
    "home/.bashrc": written("home/.bashrc", "alias ll='rm -r'\n"),
    "home/.cache": written("home/.cache/left/behind"),
    "home/.ssh": lambda place: shutil.rmtree(place / "home" / ".ssh"),
    "work/data/roses/1.jpg": lambda place: (place / "work/data/roses/1.jpg").unlink(),
    "work/data": lambda place: shutil.rmtree(place / "work/data"),
    "work/data/lilies": lambda place: (place / "work/data/lilies").mkdir(),
    "work/data/rosas": lambda place: (place / "work/data/roses").rename(place / "work/data/rosas"),
    "work/thesis.txt": written("work/thesis.txt", "WORK/THESIS.TXT"),
    "work/.data.headstartx": written("work/.data.headstartx"),
    "work/other.headstart": written("work/other.headstart/headstart.json"),
    "work/large.bin": lambda place: os.utime(place / "work/large.bin", ns=(0, 1)),
    "model/config.json": written("model/config.json", "{}"),
    "work/data/tulips/2.jpg": lambda place: (
        (place / "work/data/tulips/2.jpg").unlink(),
        (place / "work/data/tulips/2.jpg").symlink_to("../roses/1.jpg"),
    ),
}


@pytest.mark.parametrize("name", TOUCHED)
def test_what_is_touched_is_named(name, place):
    with pytest.raises(AssertionError, match=r"^(made|gone|changed) by fit data") as failed, fit(place):
        TOUCHED[name](place)
    assert str(failed.value).endswith(f": {place / name}")


@pytest.mark.parametrize(
    "name", ["work/data.headstart/headstart.json", "work/.data.headstart.1-x.tmp/headstart.json", "cache/features/y"]
)
def test_the_output_and_the_cache_may_change(name, place):
    with fit(place):
        written(name)(place)


def test_the_output_has_the_name_that_was_asked_for(place):
    with fit(place, "--out", "mine", "--track", "tensorboard:logs"):
        written("work/mine/headstart.json")(place)
        written("work/logs/events")(place)
    with pytest.raises(AssertionError, match=r"data\.headstart$"), fit(place, "--out", "mine"):
        written("work/data.headstart/headstart.json")(place)


def test_commands_of_the_suite_are_watched(command, tmp_path):
    """Python runs this file before headstart: a command that writes into the home it has."""
    (tmp_path / "sitecustomize.py").write_text("from pathlib import Path\n(Path.home() / 'mine').write_text('x')\n")
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    with pytest.raises(AssertionError, match=r"^made by doctor: .*mine$"):
        command("doctor", PYTHONPATH=path)
    assert command("doctor")[0] == 0


def test_a_command_that_removes_its_neighbour_is_caught(command, tmp_path):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "sitecustomize.py").write_text("import os\nos.path.exists('thesis') and os.unlink('thesis')\n")
    (tmp_path / "thesis").write_text("three years\n")
    path = os.pathsep.join(filter(None, (str(tmp_path / "evil"), os.environ.get("PYTHONPATH"))))
    with pytest.raises(AssertionError, match=r"^gone by cache --prune 0: .*thesis$"):
        command("cache", "--prune", "0", PYTHONPATH=path)
