"""Does headstart survive a fault at any of its writes? Kills and failing system calls, one at a time.

    python torture/crash.py [--scenario NAME] [--most 500] [--jobs 2] [--out results.json]

Each scenario is a command line. It is run undisturbed to count its operations (writes, fsyncs, renames, mkdirs and so
on: see faults.c), then from the same state with a fault at one of them, then once more without. Exit code 1 where
afterwards anything is not as it should be; each such line says how to repeat it. Linux, glibc and a C compiler are
needed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from crash_runner import HERE, Fault, Operation, Runner, environment
from crash_scenarios import SCENARIOS, Scenario, base, started
from crash_trial import Found, Reference, reference, tried

_WRITES = ("write", "copy")
_ERRORS = {
    "write": ("ENOSPC", "EIO"),
    "copy": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "open": ("ENOSPC", "EACCES", "EROFS"),
    "mkdir": ("ENOSPC", "EACCES", "EROFS"),
    "rename": ("EIO", "EACCES", "ENOSPC"),
}
_OTHERS = ("EACCES", "EIO", "EROFS")  # of unlink, rmdir, utime
# In messages: random names, numbers of processes, and the case's folder.
_NAMES = re.compile(r"/\S*/crash-\w+/[\w-]+-\d+|\d{20}-\d+|\d+-[0-9a-f]{8}\b|\b[0-9a-f]{24}\b|(?<=\.tmp)\w{6}\b")
_FROM = ("EIO", "EROFS")
_FULL = ("ENOSPC", "EDQUOT")  # nothing that frees space fails with these


def main() -> int:
    asked = _asked()
    reason = _cannot()
    if reason:
        sys.stdout.write(f"skipped: {reason}\n")
        return 0
    wanted = [scenario for scenario in SCENARIOS if not asked.scenario or scenario.name in asked.scenario]
    home = Path(tempfile.mkdtemp(prefix="crash-")).resolve()
    begun, done = time.perf_counter(), list[Done]()
    try:
        for one in _all(wanted, asked, home):
            done.append(one)
            if asked.out:
                rows = json.dumps([d.row() for d in done], indent=1)
                Path(asked.out).write_text(rows + "\n", encoding="utf-8")
    finally:
        if not asked.keep:
            shutil.rmtree(home, ignore_errors=True)
    _say(_table(done))
    _say(_causes(done))
    tries, failed = sum(len(d.found) for d in done), sum(d.failures() for d in done)
    missed = sum(d.missed() for d in done)
    minutes = (time.perf_counter() - begun) / 60
    never = f"{missed} never happened; " if missed else ""  # an undisturbed run had more operations
    _say(f"{failed} of {tries} faults were not survived; {never}{minutes:.1f} minutes")
    return 1 if failed else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--scenario", action="append", choices=names, help="only this one; may be given again")
    parser.add_argument("--most", type=int, default=600, help="faults, over all scenarios")
    parser.add_argument("--jobs", type=int, default=2, help="cases at once")
    parser.add_argument("--seed", type=int, default=0, help="another one, other faults")
    parser.add_argument(
        "--fault", action="append", default=[], help="this one only, as a failure tells it: fail:12:EIO"
    )
    parser.add_argument("--out", help="file for the results, as JSON")
    parser.add_argument("--keep", action="store_true", help="leave the folders where they are")
    return parser.parse_args()


def _cannot() -> str:
    """Why there is nothing to run here; empty: there is."""
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return "faults are injected on Linux with glibc only"
    return "" if _compiler() else "no C compiler"


def _compiler() -> str | None:
    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)


@dataclass(frozen=True)
class Done:
    """A scenario, and what came of its faults."""

    scenario: Scenario
    operations: list[Operation]
    found: list[Found]
    broken: str = ""  # it does not run undisturbed

    def failures(self) -> int:
        return sum(bool(found.problems) for found in self.found) + bool(self.broken)

    def missed(self) -> int:
        return sum(found.hit is None for found in self.found)

    def row(self) -> dict[str, object]:
        faults = [
            {
                "fault": str(found.fault),
                "operation": f"{found.hit.kind} {found.hit.path}" if found.hit else None,
                "ended": found.ended,
                "problems": found.problems,
                "seconds": round(found.seconds, 2),
            }
            for found in self.found
        ]
        kinds = Counter(operation.kind for operation in self.operations)
        told = {"operations": len(self.operations), "kinds": kinds, "broken": self.broken}
        told |= {"failed": self.failures(), "missed": self.missed()}
        return {"scenario": self.scenario.name, **told, "faults": faults}


def _all(wanted: Sequence[Scenario], asked: argparse.Namespace, home: Path) -> Iterator[Done]:
    library = home / "faults.so"
    subprocess.run(
        [_compiler() or "cc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "faults.c", "-ldl"], check=True
    )
    runner = Runner(library, environment())
    base(home / "base", {scenario.needs for scenario in wanted}, runner.environment)
    shares = sum(scenario.share for scenario in wanted)
    for scenario in wanted:
        most = max(1, round(asked.most * scenario.share / shares))
        yield _one(scenario, most, asked, home, runner)


def _one(scenario: Scenario, most: int, asked: argparse.Namespace, home: Path, runner: Runner) -> Done:
    try:
        start = started(scenario, home / "base", home / f"{scenario.name}-start", runner)
        known = reference(scenario, start, home / f"{scenario.name}-whole", runner)
    except RuntimeError as error:
        _say(f"{scenario.name}: it does not run undisturbed: {error}")
        return Done(scenario, [], [], str(error))
    faults = [_parsed(text) for text in asked.fault] or chosen(known.operations, most, seed=asked.seed)
    _say(f"{scenario.name}: {len(known.operations)} operations, {len(faults)} faults")
    return Done(scenario, known.operations, [*_tries(known, faults, home, asked)])


def _tries(known: Reference, faults: Sequence[Fault], home: Path, asked: argparse.Namespace) -> Iterator[Found]:
    name = known.scenario.name

    def one(number: int, fault: Fault) -> Found:
        case = home / f"{name}-{number}"
        try:
            return tried(known, fault, case)
        finally:
            if not asked.keep:
                shutil.rmtree(case, ignore_errors=True)

    with ThreadPoolExecutor(asked.jobs) as pool:
        for future in as_completed([pool.submit(one, *pair) for pair in enumerate(faults)]):
            found = future.result()
            if found.problems:
                where = f" at {found.hit.kind} {found.hit.path}" if found.hit else ""
                _say(f"  FAILED {found.fault}{where}\n    ended: {found.ended}")
                _say("".join(f"    {problem}\n" for problem in found.problems).rstrip("\n"))
                _say(f"    repeat: python torture/crash.py --scenario {name} --fault {found.fault}")
            yield found


def chosen(operations: Sequence[Operation], most: int, *, seed: int) -> list[Fault]:
    """Faults at all operations in turn: one at each before there is a second one at any.

    Of many writes to one file in a row the first, the middle and the last count; all operations of other kinds do.
    """
    rng = random.Random(seed)
    places = _places(operations)
    lists = [_faults(operation, rng) for operation in places]
    turns: list[Fault] = []
    for turn in range(max(map(len, lists), default=0)):
        these = [faults[turn] for faults in lists if turn < len(faults)]
        rng.shuffle(these)
        turns += these
    return sorted(turns[:most], key=lambda fault: fault.at)


def _places(operations: Sequence[Operation]) -> list[Operation]:
    kept: list[Operation] = []
    row: list[Operation] = []
    for operation in [*operations, None]:
        if row and (operation is None or operation.kind != row[0].kind or operation.path != row[0].path):
            kept += row if len(row) < 4 else [row[0], row[len(row) // 2], row[-1]]
            row = []
        if operation is not None:
            row.append(operation)
    return kept


def _faults(operation: Operation, rng: random.Random) -> list[Fault]:
    """What may happen at an operation, in an order of its own."""
    at, kind = operation.number, operation.kind
    kills = [Fault("kill", at), Fault("half" if kind in _WRITES else "after", at)]
    fails = [Fault("fail", at, error) for error in _ERRORS.get(kind, _OTHERS)]
    rng.shuffle(kills)
    rng.shuffle(fails)
    first = [kills[0], fails[0], Fault("from", at, rng.choice(_FROM + _FULL if kind in _ERRORS else _FROM))]
    rng.shuffle(first)
    return [*first, kills[1], *fails[1:]]


def _parsed(text: str) -> Fault:
    mode, at, *error = text.split(":")
    return Fault(mode, int(at), *error)


def _table(done: Sequence[Done]) -> str:
    lines = ["", f"{'scenario':<14}{'operations':>11}{'faults':>8}{'failures':>10}{'seconds each':>14}"]
    for d in done:
        each = sum(found.seconds for found in d.found) / max(1, len(d.found))
        lines.append(f"{d.scenario.name:<14}{len(d.operations):>11}{len(d.found):>8}{d.failures():>10}{each:>14.1f}")
    return "\n".join(lines)


def _causes(done: Sequence[Done]) -> str:
    """What went wrong how often, whatever the names were, and an example of each."""
    seen: dict[str, list[str]] = {}
    for d in done:
        for found in d.found:
            for problem in found.problems:
                seen.setdefault(_NAMES.sub("#", problem), []).append(f"{d.scenario.name} {found.fault}")
    most = sorted(seen.items(), key=lambda pair: -len(pair[1]))
    return "\n".join(f"{len(examples):>5} {problem[:160]} ({examples[0]})" for problem, examples in most)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())
