"""Claim: a million photos in tars are checked, split and encoded in 2 GB, in a time that grows with their number.

    python bench/million_photos.py [--rows 10000 100000 1000000] [--kill-rows 100000] [--kills 20] [--sample 512]

The photos are made from packaged ones, 64 pixels a side, all different but for those that `made_photos` plants, which
have to be found, and no others. They lie in tars of 10,000, as WebDataset has them. What runs is the path of a fit up
to its features: tars are read, each photo is hashed and decoded for its fingerprint, what is nearly the same is found,
the data are split; then a small convolution encodes all of them, once more decoded, into a store. Each size is a
process of its own with an empty cache, which has done all of that with a thousand photos when it begins. Peak memory is
what the kernel counts, in all and above what was taken by then.

What a million photos of 224 pixels take a real engine is projected from a sample.

Then `headstart encode DATA --store FOLDER` and its --merge are killed (SIGKILL) at random moments and started again,
until so many were killed; a quarter of them is of the merge. The sha256 of all files of the store are compared with
those of a run that nobody killed. A million photos take about 3 GB of disk, and as much again while they are encoded.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, asked, packaged, read, small_photo_model
from made_photos import planted, tars

from headstart import pipeline
from headstart.clock import UNLIMITED
from headstart.data.check import check
from headstart.encode.encode import encode_rows
from headstart.encode.store import features_in
from headstart.pretrained.load import load
from headstart.session import Session
from headstart.values import Dataset, Request

_WARM = 1000  # photos that a process has seen before it is measured
_MERGES = 4  # of so many kills one is of the merge
_STEPS = ("read", "check", "split", "encode")
_OPENS = 16  # every so many photos are encoded before the engine is timed
_TOUCHED = 4096  # rows of features that are read together
_SEED = 0


def prefix(folder: Path, tars_of_it: int) -> str:
    """The first tars, as they are typed."""
    return str(folder / f"photos-{{000000..{tars_of_it - 1:06d}}}.tar")


def measured(data: str, warm: str, model: str, store: str) -> dict[str, Any]:
    """Seconds a step, memory, and what was found."""
    through(warm, model, Path(store) / "warm")
    base = memory("VmRSS")
    dataset, seconds, checked = through(data, model, Path(store) / "all")
    n, peak = len(dataset) + sum(finding.rejected for finding in dataset.findings), memory("VmHWM")
    found = Counter(finding.kind for finding in dataset.findings)
    return {"rows": n, "seconds": seconds, "base": base, "checked": checked, "peak": peak, "found": found}


def through(data: str, model: str, store: Path) -> tuple[Dataset, dict[str, float], int]:
    """The checked data, seconds a step, and the peak of memory once they were split."""
    session = Session(UNLIMITED)
    with features_in(store):
        dataset, parts = pipeline.prepare(Request(data), session)
        checked, rows = memory("VmHWM"), np.sort(np.concatenate([parts.train, parts.test]))
        with session.step("encode", shown=False):
            features = encode_rows(dataset, rows, load(model, kind="image")).matrix
            for start in range(0, len(features), _TOUCHED):
                if not np.isfinite(features[start : start + _TOUCHED]).all():
                    raise SystemExit("features that are no numbers")
    return dataset, session.seconds, checked


def engine(model: str, most: int) -> dict[str, float]:
    """Photos of 224 pixels a second, once the engine is open."""
    dataset, backbone = check(read(packaged())), load(model, kind="image")
    rows = np.unique(np.linspace(0, len(dataset) - 1, most).astype(np.int64))
    encode_rows(dataset, rows[::_OPENS], backbone)
    begun, done = time.perf_counter(), encode_rows(dataset, rows, backbone)
    return {"a second": (len(rows) - done.cached) / (time.perf_counter() - begun)}


@contextmanager
def folder_in(work: Path) -> Iterator[Path]:
    """One that goes when the block ends."""
    with tempfile.TemporaryDirectory(dir=work) as place:
        yield Path(place)


def memory(name: str) -> int:
    """Bytes of this process, as the kernel counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


@dataclass
class Processes:
    """Starts processes with a cache of their own, and kills them at random moments."""

    cache: Path

    def __post_init__(self) -> None:
        self.cache.mkdir()
        self._draw, self._environment = random.Random(_SEED), {**os.environ, "HEADSTART_CACHE": str(self.cache)}

    def alone(self, what: str, *given: object) -> dict[str, Any]:
        """What a process of this script measured."""
        command = [sys.executable, __file__, "--one", what, *map(str, given)]
        done = subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, check=True)
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def seconds(self, command: Sequence[object]) -> float:
        """A command of headstart to its end."""
        begun = time.perf_counter()
        if self._started(command).wait():
            raise SystemExit(f"headstart {command[0]} failed")
        return time.perf_counter() - begun

    def killed(self, command: Sequence[object], *, within: tuple[float, float]) -> bool:
        """Whether a command was killed, so many seconds after its start, before it was done."""
        process = self._started(command)
        try:
            process.wait(self._draw.uniform(*within))
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() < 0

    def _started(self, command: Sequence[object]) -> subprocess.Popen[bytes]:
        whole = [sys.executable, "-m", "headstart", *map(str, command)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(whole, env=self._environment, **quiet)


def killed_often(data: str, model: str, folder: Path, kills: int, processes: Processes) -> str:
    """What was killed, and which files of the store differ from those of a run that was not."""

    def shard(store: Path) -> list[object]:
        return ["encode", data, "--store", store, "--model", model, "--precision", "float32"]

    def merge(store: Path) -> list[object]:
        return ["encode", "--merge", "--store", store]

    plain, often = folder / "plain", folder / "often"
    whole = processes.seconds(shard(plain))
    start = processes.seconds(shard(plain))  # when nothing is left to do
    merging = processes.seconds(merge(plain))
    gone, tries = [0, 0], 0
    for number, (command, most, times) in enumerate(
        ((shard(often), kills - kills // _MERGES, whole - start), (merge(often), kills // _MERGES, merging))
    ):
        least = start / 2 if number == 0 else 0.0
        longest = start + 1.5 * times / most if number == 0 else merging
        while gone[number] < most and tries < 2 * kills:
            tries += 1
            gone[number] += processes.killed(command, within=(least, longest))
        processes.seconds(command)
    one, other = files_of(plain), files_of(often)
    wrong = sum(one.get(name) != other.get(name) for name in {*one, *other})
    told = f"{gone[0]} runs and {gone[1]} merges killed of {whole:.1f} s and {merging:.1f} s"
    return f"{told}: {wrong} of {len(one)} files of the store differ"


def files_of(store: Path) -> dict[str, str]:
    """The sha256 of each file; not of what killed processes left under names that nobody reads, until it is removed."""
    files = (path for path in store.rglob("*") if path.is_file())
    named = {str(path.relative_to(store)): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in named.items()
        if not any(part.startswith(".") and part.endswith(".tmp") for part in Path(name).parts)
    }


def said(result: dict[str, Any], first: dict[str, Any]) -> str:
    """A size in a line; how long a photo takes beside one of the smallest size."""
    n, seconds = result["rows"], result["seconds"]
    whole, before = sum(seconds.values()) / n, sum(first["seconds"].values()) / first["rows"]
    steps = ", ".join(f"{name} {seconds[name]:.1f} s ({seconds[name] / n * 1e6:.0f} us each)" for name in _STEPS)
    wanted, found = planted(n), result["found"]
    odd = {kind: (found.get(kind, 0), wanted.get(kind, 0)) for kind in {*found, *wanted}}
    odd = {kind: pair for kind, pair in odd.items() if pair[0] != pair[1]}
    return (
        f"{n:9,} photos: {steps}; {whole / before:.2f} times the first size's time a photo; "
        f"{(result['checked'] - result['base']) / n:,.0f} bytes a row until split, peak {result['peak'] / 1e6:,.0f} MB "
        f"({result['base'] / 1e6:,.0f} of them before); found all that was planted and nothing else: "
        f"{f'no, (found, planted) {odd}' if odd else 'yes'}"
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--each", type=int, default=10_000, help="photos of a tar")
    parser.add_argument("--kill-rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--sample", type=int, default=512, help="photos that the engine is timed on; 0: none")
    parser.add_argument("--model", default="efficientnet_lite0", help="the engine's")
    parser.add_argument("--one", nargs="+", help="what is measured in this process, as JSON")

    def small(work: Path) -> list[object]:
        model = small_photo_model(work / "model" / "small.onnx")
        sizes = ["--rows", 1000, 2000, "--each", 1000, "--kill-rows", 1000, "--kills", 4]
        return [*sizes, "--sample", 20, "--model", model]

    with asked(parser, small) as options:
        if options.one is not None:
            what, *given = options.one
            result = measured(*given) if what == "photos" else engine(given[0], int(given[1]))
            print(json.dumps(result))
            return
        with tempfile.TemporaryDirectory() as work:
            everything(options, Path(work))


def everything(options: Any, work: Path) -> None:
    model = small_photo_model(work / "model" / "small.onnx")
    warm = str(tars(work / "warm", _WARM, _WARM)[0])
    begun, most = time.perf_counter(), max([*options.rows, options.kill_rows])
    paths = tars(work / "photos", most, options.each)
    size = sum(path.stat().st_size for path in paths)
    print(f"{most:,} photos made in {time.perf_counter() - begun:.0f} s, {size / 1e9:.2f} GB of tars", flush=True)
    first = None
    for rows in options.rows:
        with folder_in(work) as place:
            data = prefix(work / "photos", -(-rows // options.each))
            result = Processes(place / "cache").alone("photos", data, warm, model, place / "store")
        first = first or result
        print(said(result, first), flush=True)
    if options.sample:
        with folder_in(work) as place:
            told = Processes(place / "cache").alone("engine", options.model, options.sample)
        hours = 1_000_000 / told["a second"] / 3600
        print(
            f"engine {Path(options.model).name}, a sample of {options.sample} photos of 250 pixels: "
            f"{told['a second']:.1f} a second; a million, projected: {hours:.1f} hours",
            flush=True,
        )
    if options.kills:
        with folder_in(work) as place:
            data, processes = prefix(work / "photos", -(-options.kill_rows // options.each)), Processes(place / "cache")
            told = killed_often(data, str(model), place, options.kills, processes)
            print(f"{options.kill_rows:,} photos, {told}", flush=True)


if __name__ == "__main__":
    main()
