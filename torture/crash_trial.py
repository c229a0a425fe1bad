"""One fault: a command runs in a case of its own, something fails or kills it, and all that is there is looked at."""

from __future__ import annotations

import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from crash_folders import contents, copied, differences, exact, lasting, left_behind
from crash_runner import HANGS, Ended, Fault, Operation, Runner
from crash_scenarios import OUT, Scenario

_LINES = 3  # of an error, at most
_OURS = ("work", "cache", "tmp")  # top folders that a command may write to
# Temporary folders beside what is saved; a name that is not made of a process's number is the user's.
_BESIDE = re.compile(rf"\.{OUT}\.\d+-\w+\.\w+|\.?{OUT}\.lock")
_MORE = 4  # undisturbed runs of a scenario, at most, where a result is not that of the first one


@dataclass
class Reference:
    """What a scenario comes to when nothing disturbs it."""

    scenario: Scenario
    start: Path
    runner: Runner
    operations: list[Operation]
    cache: dict[str, str]  # when it is over
    results: list[dict[str, str]]  # of undisturbed runs, where they differ
    begun: dict[str, str]  # the result that is there at the start
    lock: Lock = field(default_factory=Lock)
    more: int = 0

    def is_right(self, result: dict[str, str], case: Path) -> bool:
        """Whether an undisturbed run gives this too. Not every one need give the same: some choices are timed."""
        while result not in self.results:
            with self.lock:
                if self.more >= _MORE:
                    return False
                self.more += 1
                try:
                    found = undisturbed(self.scenario, self.start, case.with_name(f"{case.name}-more"), self.runner)
                except RuntimeError:  # of a machine that is out of something; the first one went well
                    return False
                if found not in self.results:
                    self.results.append(found)
        return True


def reference(scenario: Scenario, start: Path, case: Path, runner: Runner) -> Reference:
    """Run it undisturbed and counted; raises RuntimeError where even that fails."""
    copied(start, case)
    ended = runner.run(case, scenario.command, Fault())
    if ended.code or not ended.operations:
        raise RuntimeError(f"{scenario.name}: exit code {ended.code}\n{ended.err}")
    cache = contents(case / "cache")
    found = undisturbed(scenario, start, case, runner)
    cache |= contents(case / "cache")
    return Reference(scenario, start, runner, ended.operations, cache, [found], _result(scenario, start, None))


def undisturbed(scenario: Scenario, start: Path, case: Path, runner: Runner) -> dict[str, str]:
    """The result of a run without any fault, and without the library."""
    copied(start, case)
    if scenario.again is not None:
        runner.run(case, scenario.command)
    ended = runner.run(case, scenario.again or scenario.command)
    if ended.code:
        raise RuntimeError(f"{scenario.name}: exit code {ended.code}\n{ended.err}")
    return _result(scenario, case, ended)


def _result(scenario: Scenario, case: Path, ended: Ended | None) -> dict[str, str]:
    if scenario.result == "stdout":
        return {"stdout": ended.out if ended is not None else ""}
    return lasting(contents(case / "cache")) if scenario.result == "cache" else contents(case / "work" / OUT)


@dataclass(frozen=True)
class Found:
    """What came of a fault."""

    fault: Fault
    hit: Operation | None  # None: the run was over before
    problems: tuple[str, ...]
    ended: str  # how the disturbed run ended
    seconds: float


def tried(known: Reference, fault: Fault, case: Path) -> Found:
    """A fault, what it did, and the same command once more without it."""
    begun, scenario, runner = time.perf_counter(), known.scenario, known.runner
    copied(known.start, case)
    before = _elsewhere(case, scenario)
    ended = runner.run(case, scenario.command, fault)
    problems = [*_end(ended, fault), *_whole(known, ended, case)]
    problems += [f"touched: {what}" for what in differences(before, _elsewhere(case, scenario))]
    again = runner.run(case, scenario.again or scenario.command)
    if again.code == 2 and "already there" in again.err and scenario.result == "folder":
        again = runner.run(case, (*scenario.command, "--force"))  # it was saved before the kill
    problems += _afterwards(known, again, case)
    problems += [f"touched afterwards: {what}" for what in differences(before, _elsewhere(case, scenario))]
    told = "hangs" if ended.code is None else f"exit code {ended.code}: {_last(ended.err)}"
    return Found(fault, ended.hit, tuple(problems), told, time.perf_counter() - begun)


def _elsewhere(case: Path, scenario: Scenario) -> dict[str, str]:
    """All that the command may not change: what it saves, what it writes beside that, and the cache are left out."""
    ours = [path.name for path in (case / "work").iterdir() if _BESIDE.fullmatch(path.name)]
    saved = [OUT] if scenario.result == "folder" else []
    work = exact(case / "work", but=(*saved, *ours))
    return exact(case, but=_OURS) | {f"work/{name}": what for name, what in work.items()}


def _end(ended: Ended, fault: Fault) -> list[str]:
    """Whether the run ended as it should."""
    if ended.code is None:
        return [f"it hangs: more than {HANGS} s"]
    if fault.kills and ended.hit is not None:
        return [] if ended.code == -signal.SIGKILL else [f"exit code {ended.code} instead of a kill"]
    problems = []
    if ended.code not in (0, 1, 2):
        problems.append(f"exit code {ended.code}")
    if "Traceback" in ended.err:
        problems.append(f"a traceback: {_last(ended.err)}")
    elif ended.code:
        lines = ended.err[ended.err.find("error:") :].strip().splitlines() if "error:" in ended.err else []
        if not lines:
            problems.append("no error is told")
        if len(lines) > _LINES:
            problems.append(f"an error of {len(lines)} lines: {lines[0]}")
    return problems


def _whole(known: Reference, ended: Ended, case: Path) -> list[str]:
    """Whether the earlier result or the new one is there after the fault."""
    result = _result(known.scenario, case, ended)
    if known.scenario.result == "stdout":
        return [] if ended.code != 0 or known.is_right(result, case) else ["other output"]
    if known.scenario.result == "cache":
        begun = known.begun
        return [f"damaged: {name}" for name, what in result.items() if name in begun and begun[name] != what]
    if known.scenario.again is not None:
        return [f"changed: {what}" for what in differences(known.begun, result)]
    if ended.code != 0 and result == known.begun:
        return []
    if known.is_right(result, case):
        return []
    if known.begun and not result:
        return ["nothing is there under the name of the earlier folder"]
    there = known.results[0]
    return [f"neither the earlier folder nor the new one: {', '.join(differences(there, result)[:3])}"]


def _afterwards(known: Reference, again: Ended, case: Path) -> list[str]:
    if again.code != 0:
        return [f"afterwards: exit code {again.code}: {_last(again.err)}"]
    problems = []
    result = _result(known.scenario, case, again)
    if not known.is_right(result, case):
        problems.append(f"afterwards: other bytes: {', '.join(differences(known.results[0], result)[:4])}")
    left = [f"work/{name}" for name in left_behind(case / "work", contents(known.start / "work"))]
    left += [f"cache/{name}" for name in left_behind(case / "cache", known.cache)]
    rooms = {name.split("/")[0] for name in contents(case / "cache") if "/" in name}
    usual = {name.split("/")[0] for name in known.cache if "/" in name}
    left += [f"cache/{room}/" for room in sorted(rooms - usual)]
    if left:
        problems.append(f"left behind: {', '.join(left[:3])}{' and more' if len(left) > 3 else ''}")
    return problems


def _last(err: str) -> str:
    lines = [line for line in err.strip().splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("error:")), lines[-1] if lines else "nothing is told")
    return told[:200]
