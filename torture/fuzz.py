"""Mutated inputs of every kind that headstart takes: each must give a result or an error that a user can read.

    python torture/fuzz.py                                  # every target, 10,000 cases each
    python torture/fuzz.py --target jpeg --case 4711 -v --keep here     # one case again, and its files
    python torture/fuzz.py --seconds 600 --out found.json   # as many as there is time for, of each the same time

A case is made from its target, the seed and its number alone. A failure is: any exception but a UserError, a process
that dies, more than 20 seconds, more than 6 GB, and anything written, removed, started or called outside the case's own
folder and cache. Exit code 1 where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_pool import Job, Limits, Pool
from fuzz_targets import targets

_SHOWN = 5  # case numbers of a failure
_CHUNK_SECONDS = 1.0


@dataclass
class Group:
    """Failures that look alike."""

    kind: str
    frame: str
    count: int = 0
    cases: list[int] = field(default_factory=list)
    smallest: dict[str, Any] = field(default_factory=dict)

    def add(self, record: dict[str, Any]) -> None:
        self.count += 1
        if len(self.cases) < _SHOWN:
            self.cases.append(record["case"])
        if not self.smallest or record["size"] < self.smallest["size"]:
            self.smallest = record


@dataclass
class Tally:
    """What came of a target's cases."""

    target: str
    cases: int = 0
    result: int = 0
    refused: int = 0
    failed: int = 0
    deaths: int = 0
    slowest: tuple[float, int] = (0.0, 0)
    busy: float = 0.0
    seconds: float = 0.0
    cpu: float = 0.0  # seconds of a core; without those of processes that died
    groups: dict[tuple[str, str], Group] = field(default_factory=dict)

    def add(self, record: dict[str, Any]) -> None:
        self.cases += 1
        setattr(self, record["end"], getattr(self, record["end"]) + 1)
        self.deaths += record.get("died", False)
        self.busy += record["seconds"]
        self.slowest = max(self.slowest, (record["seconds"], record["case"]))
        if record["end"] == "failed":
            key = (record["kind"], record["frame"])
            self.groups.setdefault(key, Group(*key)).add(record)


def main() -> int:
    """Run what was asked for, print the table; 1 where something failed."""
    asked = _arguments()
    known = targets()
    names = [name for name in known if not asked.target or name in asked.target]
    if unknown := set(asked.target) - set(known):
        sys.exit(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    folder = Path(tempfile.mkdtemp(prefix="headstart-fuzz-", dir=_memory()))
    pool = Pool(folder, asked.jobs, Limits(asked.hang, int(asked.memory * 2**30)))
    start, tallies = time.monotonic(), list[Tally]()
    try:
        for place, name in enumerate(names):
            left = None if asked.seconds is None else asked.seconds - (time.monotonic() - start)
            tallies.append(_run(pool, name, asked, None if left is None else left / (len(names) - place)))
            print(_row(tallies[-1]), flush=True)
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        pool.stop()
        shutil.rmtree(folder, ignore_errors=True)
    _report(tallies, asked.verbose)
    if asked.out:
        told = {
            "seed": asked.seed,
            "seconds": round(time.monotonic() - start, 1),
            "targets": [_plain(t) for t in tallies],
        }
        asked.out.write_text(json.dumps(told, indent=1))
    return int(any(tally.failed for tally in tallies))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--target", action="append", default=[], help="may be given several times; default: all")
    parser.add_argument("--cases", type=int, default=10_000, help="of each target (10,000)")
    parser.add_argument("--case", type=int, help="only this number")
    parser.add_argument("--keep", type=Path, help="with --case: a folder that is made, for the files of the case")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other cases")
    parser.add_argument("--jobs", type=int, default=2, choices=(1, 2), help="processes (2)")
    parser.add_argument("--seconds", type=float, help="for all targets together; default: until all cases are done")
    parser.add_argument("--hang", type=float, default=20.0, help="seconds after which a case hangs (20)")
    parser.add_argument("--memory", type=float, default=6.0, help="GB of a case at most (6)")
    parser.add_argument("--deaths", type=int, default=20, help="hangs and crashes after which a target is left (20)")
    parser.add_argument("--out", type=Path, help="write what was found as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="with tracebacks")
    return parser.parse_args()


def _memory() -> str | None:
    """A disk in memory, where there is a roomy one: folders are made and removed there ten times as fast."""
    roomy = os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 2 * 2**30
    return "/dev/shm" if roomy and os.access("/dev/shm", os.W_OK) else None


def _run(pool: Pool, name: str, asked: argparse.Namespace, seconds: float | None) -> Tally:
    tally, start = Tally(name), time.monotonic()
    before = sum(worker.cpu for worker in pool.workers)
    for record in pool.run(_jobs(name, asked, tally, start, seconds)):
        tally.add(record)
    tally.seconds = time.monotonic() - start
    tally.cpu = sum(worker.cpu for worker in pool.workers) - before
    return tally


def _jobs(name: str, asked: argparse.Namespace, tally: Tally, start: float, seconds: float | None) -> Iterator[Job]:
    """Pieces of about a second, until the cases, the time or the patience with deaths is over."""
    if asked.case is not None:
        yield Job(name, asked.seed, asked.case, asked.case + 1, str(asked.keep.resolve()) if asked.keep else "")
        return
    at = 0
    while at < asked.cases and tally.deaths < asked.deaths:
        took = time.monotonic() - start
        if seconds is not None and at and took > seconds:
            return
        pace = tally.cases / took if tally.cases else 10.0
        stop = min(asked.cases, at + max(1, min(500, int(pace * _CHUNK_SECONDS / asked.jobs))))
        yield Job(name, asked.seed, at, stop)
        at = stop


def _row(tally: Tally) -> str:
    pace = tally.cases / (tally.cpu or tally.seconds)
    slowest = f"{tally.slowest[0]:.2f} s (case {tally.slowest[1]})"
    return (
        f"{tally.target:16} {tally.cases:6} cases {tally.result:6} results {tally.refused:6} refused "
        f"{tally.failed:5} failed   slowest {slowest:22} {tally.seconds:6.0f} s {pace:6.0f} a second of a core"
        + (f"   given up after {tally.deaths} deaths" if tally.deaths >= 20 else "")
    )


def _report(tallies: list[Tally], verbose: bool) -> None:
    """Failures by cause, over all targets."""
    causes: dict[tuple[str, str], list[tuple[str, Group]]] = {}
    for tally in tallies:
        for key, group in tally.groups.items():
            causes.setdefault(key, []).append((tally.target, group))
    total = sum(tally.cases for tally in tallies)
    failed = sum(tally.failed for tally in tallies)
    print(f"\n{total} cases, {failed} failed, {len(causes)} causes")
    for (kind, frame), found in sorted(causes.items(), key=lambda item: -sum(g.count for _, g in item[1])):
        print(f"\n{kind} at {frame or '?'}: {sum(group.count for _, group in found)}")
        for target, group in found:
            small = group.smallest
            print(f"  {target} {group.cases} ({group.count}): {small['told'][:300]}")
            print(f"    {small['message'][:200]}")
            if verbose and "trace" in small:
                print("    " + small["trace"].replace("\n", "\n    "))


def _plain(tally: Tally) -> dict[str, Any]:
    groups = [vars(group) for group in tally.groups.values()]
    kept = {key: value for key, value in vars(tally).items() if key != "groups"}
    return {**kept, "slowest": list(tally.slowest), "failures": groups}


if __name__ == "__main__":
    sys.exit(main())
