"""What the crash harness runs: command lines, and the state of the folders in which each of them begins.

A case is a folder with `work` (where the command runs, with neighbours that it must leave alone), `data`, `models`,
`cache`, `home` and `tmp`. All paths on the command line are relative, so that outputs do not depend on where it lies.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crash_folders import copied

Command = tuple[str, ...]
Run = Callable[[Path, Command, int], tuple[int, str]]  # case, command, when it is killed -> exit code and stderr
OUT = "model"  # what fits are saved as, in `work`
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Scenario:
    """A command that is disturbed, and what is looked at afterwards."""

    name: str
    needs: str  # photos, texts or questions
    command: Command
    share: int  # of the faults, over those of the other scenarios
    before: tuple[Command, ...] = ()  # run undisturbed, to make the state in which it begins
    result: str = "folder"  # or "stdout", or "cache"
    again: Command | None = None  # what is run after the fault, if it is not the same command
    killed: Command | None = None  # run before too, and killed in the middle: what it leaves is part of the state


def _fit(kind: str, how: str, *more: str, out: str = OUT) -> Command:
    data, model = {
        "photos": ("../data/photos", "../models/image"),
        "texts": ("../data/texts.csv", "../models/text"),
        "questions": ("../data/questions.jsonl", "../models/reading"),
    }[kind]
    # With half an hour the budget binds nowhere, so no run is as long as this machine is fast at the moment.
    return ("fit", data, "--model", model, "--how", how, "--budget", "30m", "--out", out, *more)


_PRUNE: Command = ("cache", "--prune", "0")
_PREDICT: Command = ("predict", OUT, "../data/photos/dark", "../data/photos/light", "--json")
_EARLIER = ("--seed", "1")  # another split, so another head: of an earlier model
KILLED_AT = 150  # operations: while it trains

SCENARIOS = (
    Scenario("photos", "photos", _fit("photos", "probe"), 60),
    Scenario("photos-again", "photos", _fit("photos", "probe"), 80, before=(_fit("photos", "probe", out="x"), _PRUNE)),
    Scenario(
        "photos-force",
        "photos",
        _fit("photos", "probe", "--force"),
        75,
        before=(_fit("photos", "probe", *_EARLIER),),
    ),
    Scenario("texts", "texts", _fit("texts", "probe", "--force"), 40),
    Scenario(
        "texts-force",
        "texts",
        _fit("texts", "probe", "--force"),
        70,
        before=(_fit("texts", "probe", *_EARLIER),),
    ),
    Scenario("tune", "texts", _fit("texts", "tune", "--force"), 60, before=(_fit("texts", "probe", *_EARLIER),)),
    Scenario("lora", "texts", _fit("texts", "lora", "--force"), 50, before=(_fit("texts", "probe", *_EARLIER),)),
    Scenario("photos-tune", "photos", _fit("photos", "tune", "--force"), 40),
    Scenario("questions", "questions", _fit("questions", "tune", "--force"), 50),
    Scenario("predict", "photos", _PREDICT, 25, before=(_fit("photos", "probe"), _PRUNE), result="stdout"),
    Scenario("predict-known", "photos", _PREDICT, 8, before=(_fit("photos", "probe"),), result="stdout"),
    Scenario(
        "prune",
        "photos",
        _PRUNE,
        42,
        before=(_fit("photos", "probe"),),
        result="cache",
        killed=_fit("photos", "tune", out="y"),
    ),
    Scenario(
        "prune-fit",
        "photos",
        _PRUNE,
        20,
        before=(_fit("photos", "probe", *_EARLIER),),
        again=_fit("photos", "probe", "--force"),
    ),
)


def base(folder: Path, kinds: set[str], environment: dict[str, str]) -> None:
    """Data, models and neighbours of these kinds."""
    path = f"{environment['PYTHONPATH']}:{HERE.parent / 'tests'}"
    made = subprocess.run(
        [sys.executable, str(HERE / "crash_data.py"), str(folder), *sorted(kinds)],
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(f"no data: {made.stderr}")
    for name in ("work", "cache", "home", "tmp"):
        (folder / name).mkdir()
    (folder / "home" / "letter.txt").write_text("dear reader\n", encoding="utf-8")
    work = folder / "work"
    (work / "notes.txt").write_text("mine\n", encoding="utf-8")
    (work / f".{OUT}.my-notes.tmp").write_text("mine too, whatever it is called\n", encoding="utf-8")
    (work / f"{OUT}-old").mkdir()
    (work / f"{OUT}-old" / "headstart.json").write_text("{}\n", encoding="utf-8")
    (work / "photos").symlink_to("../data")


def started(scenario: Scenario, base: Path, folder: Path, run: Run) -> Path:
    """The state in which a scenario begins."""
    copied(base, folder)
    for command in scenario.before:
        code, err = run(folder, command, 0)
        if code:
            raise RuntimeError(f"{scenario.name}: {' '.join(command)}: exit code {code}\n{err}")
    if scenario.killed is not None:
        run(folder, scenario.killed, KILLED_AT)
    for unwanted in ("x", "y"):
        shutil.rmtree(folder / "work" / unwanted, ignore_errors=True)
    for left in (folder / "tmp").iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return folder
