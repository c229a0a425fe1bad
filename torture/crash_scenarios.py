"""What the crash harness runs: command lines, and the state of the folders in which each of them begins.

A case is a folder with `work` (where the command runs, with neighbours that it must leave alone), `data`, `models`,
`cache`, `home` and `tmp`. All paths on the command line are relative, so that outputs do not depend on where it lies.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from crash_folders import copied
from crash_runner import HERE, Command, Fault, Runner

OUT = "model"  # what fits are saved as, in `work`
OTHER = "other"  # what is only made on the way to the state in which a scenario begins


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
    planned: bool = False  # begun before, up to its timed choices: so each run makes the same ones


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
_KILLED = Fault("kill", 150)  # while it trains
_PLAN = "scheme.json"  # what a fit writes its timed choices into

_PROBED = (_fit("photos", "probe"),)
_EARLIER_PHOTOS = (_fit("photos", "probe", *_EARLIER),)
_EARLIER_TEXTS = (_fit("texts", "probe", *_EARLIER),)
_ENGINES = (_fit("photos", "probe", out=OTHER), _PRUNE)  # what models were turned into is there, and no feature
_FORCED = _fit("photos", "probe", "--force")

SCENARIOS = (
    Scenario("photos", "photos", _fit("photos", "probe"), 60),
    Scenario("photos-again", "photos", _fit("photos", "probe"), 80, before=_ENGINES),
    Scenario("photos-force", "photos", _FORCED, 75, before=_EARLIER_PHOTOS),
    Scenario("texts", "texts", _fit("texts", "probe", "--force"), 40),
    Scenario("texts-force", "texts", _fit("texts", "probe", "--force"), 70, before=_EARLIER_TEXTS),
    Scenario("tune", "texts", _fit("texts", "tune", "--force"), 60, before=_EARLIER_TEXTS, planned=True),
    Scenario("lora", "texts", _fit("texts", "lora", "--force"), 50, before=_EARLIER_TEXTS, planned=True),
    Scenario("photos-tune", "photos", _fit("photos", "tune", "--force"), 40, planned=True),
    Scenario("questions", "questions", _fit("questions", "tune", "--force"), 50, planned=True),
    Scenario("predict", "photos", _PREDICT, 25, before=(*_PROBED, _PRUNE), result="stdout"),
    Scenario("predict-known", "photos", _PREDICT, 8, before=_PROBED, result="stdout"),
    Scenario("prune", "photos", _PRUNE, 42, before=_PROBED, result="cache", killed=_fit("photos", "tune", out=OTHER)),
    Scenario("prune-fit", "photos", _PRUNE, 20, before=_EARLIER_PHOTOS, again=_FORCED),
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


def started(scenario: Scenario, base: Path, folder: Path, runner: Runner) -> Path:
    """The state in which a scenario begins."""
    copied(base, folder)
    for command in scenario.before:
        ended = runner.run(folder, command)
        if ended.code:
            raise RuntimeError(f"{scenario.name}: {' '.join(command)}: exit code {ended.code}\n{ended.err}")
    if scenario.killed is not None:
        runner.run(folder, scenario.killed, _KILLED)
    if scenario.planned:
        _plan(scenario, folder, runner)
    shutil.rmtree(folder / "work" / OTHER, ignore_errors=True)
    for left in (folder / "tmp").iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return folder


def _plan(scenario: Scenario, folder: Path, runner: Runner) -> None:
    """Kill a run once its choices are written down. Where there is no such file, undisturbed runs may differ."""
    trial = copied(folder, folder.with_name(f"{folder.name}-plan"))
    operations = runner.run(trial, scenario.command, Fault()).operations
    at = next((o.number for o in operations if o.kind == "rename" and o.path.endswith(f"/{_PLAN}")), None)
    if at is not None:
        runner.run(folder, scenario.command, Fault("after", at))
    shutil.rmtree(trial)
