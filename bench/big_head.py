"""Claim: the head of a million examples x 1,280 x 100 classes: within 1e-4 of its optimum in at most 12 passes over
float16 files, in at most 2 GB, each pass within 1.5 times its two matrix products.

    python bench/big_head.py [--n 100000] [--width 1280] [--classes 100] [--data correlated isotropic] [--peers]

The features are made, block by block from a seed, and lie as float16 .npy files in --folder (2.6 GB for a million).
"correlated": the spectrum of photos by efficientnet_lite0 (the i-th variance within classes goes with
(1 + i / 3) ** -0.9), classes that are apart along the wide directions, and half of all numbers cut off at 0, as by a
ReLU. "isotropic": all directions alike. One class in 31 has a quarter of the examples of the first.

Each run is a process of its own, whose peak the kernel counts. "gap" is how far the objective lies above that of a run
to 1e-7, relative; passes are those of the solver and, beside them, the one of moments that the basis is made of. The
bound is the larger of two times: of the two products of a pass on blocks of the same size in memory, and of reading
all blocks. With --peers scikit-learn's SAGA and SGD get as many passes over the transformed features, in memory.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, asked, installed

from headstart.adapt.basis import fit_basis
from headstart.adapt.solver import solve_path
from headstart.storage.matrix import widened

_SHARD, _BLOCK = 65_536, 4_096  # rows of a file; made at a time
_GAPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_NEAR, _CLOSE = 2e-6, 1e-7  # tolerances: of a head, and of what is taken for the optimum
_PASSES = 12  # that the peers get


class Shards:
    """(n, d) float16 rows in .npy files, read as float32 by slices. Read, not mapped: mapped pages count as memory."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.npy"))
        mapped = [np.load(file, mmap_mode="r") for file in self.files]
        self.starts = np.cumsum([0, *map(len, mapped)])
        self.offset = mapped[0].offset
        self.shape = (int(self.starts[-1]), mapped[0].shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        half = np.empty((max(0, stop - start), self.shape[1]), dtype=np.float16)
        while start < stop:
            number = int(np.searchsorted(self.starts, start, side="right")) - 1
            most = min(stop, int(self.starts[number + 1])) - start
            with self.files[number].open("rb", buffering=0) as file:
                file.seek(self.offset + 2 * self.shape[1] * (start - int(self.starts[number])))
                done = len(half) - (stop - start)
                file.readinto(half[done : done + most].reshape(-1).view(np.uint8).data)
            start += most
        return widened(half)

    def __setitem__(self, rows: slice, values: np.ndarray) -> None:
        raise TypeError("shards are read only")


def made(kind: str, width: int, classes: int, n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of features and classes: the first n rows of an endless table."""
    rng, each = np.random.default_rng(7), np.arange(width)
    mix, means = None, rng.normal(size=(classes, width)) * np.sqrt(8 / width)
    if kind == "correlated":
        within = (1 + each / 3) ** -0.9
        within *= 0.118 * width / within.sum()
        turned = np.linalg.qr(rng.normal(size=(width, width)))[0].T
        mix = (np.sqrt(within)[:, None] * turned).astype(np.float32)
        means = means / np.sqrt(8 / width) * np.sqrt(0.3 * within / (1 + each / 8)) @ turned
    share = 1 / (1 + np.arange(classes) / 10)
    for number, start in enumerate(range(0, n, _BLOCK)):
        rng, rows = np.random.default_rng([11, number]), min(_BLOCK, n - start)
        y = rng.choice(classes, size=_BLOCK, p=share / share.sum())[:rows]
        x = rng.standard_normal((_BLOCK, width), dtype=np.float32)[:rows]
        x = (x if mix is None else x @ mix) + means[y].astype(np.float32)
        yield (x if mix is None else np.maximum(x, 0)).astype(np.float16), y


def write(folder: Path, kind: str, width: int, classes: int, n: int) -> np.ndarray:
    """The files of the features; their classes."""
    blocks, y = made(kind, width, classes, n), list[np.ndarray]()
    for number, start in enumerate(range(0, n, _SHARD)):
        rows = min(_SHARD, n - start)
        shard = np.lib.format.open_memmap(folder / f"{number:04d}.npy", "w+", np.float16, (rows, width))
        for first in range(0, rows, _BLOCK):
            shard[first : first + _BLOCK], classes_here = next(blocks)
            y.append(classes_here)
        shard.flush()
    return np.concatenate(y)


def products(shards: Shards, classes: int) -> tuple[float, float]:
    """Seconds of the two products of a pass, on blocks in memory; and of reading all of them, by one thread."""
    rows = min(len(shards), max(256, 400_000 // classes))  # as many as the solver takes at a time
    block, few = shards[:rows], np.zeros((classes, shards.shape[1] + 1), np.float32)
    block = np.column_stack([block, np.ones(rows, np.float32)])
    residuals, best = np.zeros((classes, rows), np.float32), np.inf
    for _ in range(20):  # the machine may be busy
        start = time.perf_counter()
        few @ block.T
        residuals @ block
        best = min(best, time.perf_counter() - start)
    start = time.perf_counter()
    for first in range(0, len(shards), rows):
        shards[first : first + rows]
    return best * len(shards) / rows, time.perf_counter() - start


def ours(folder: Path, classes: int, penalty: float) -> dict[str, Any]:
    """How near each pass comes to the optimum, how long it takes, and the peak of memory until then."""
    shards, y = Shards(folder), np.fromfile(folder / "classes", dtype=np.int64)
    start = time.perf_counter()
    basis = fit_basis(shards)
    moments = time.perf_counter() - start
    x, everything = basis.transform(shards), np.ones((1, len(y)), np.float32)
    options = {"example_weights": everything, "basis": basis, "n_classes": classes, "penalties": [penalty]}
    start = time.perf_counter()
    near = next(solve_path(x, y, tolerance=_NEAR, **options))
    seconds, peak = time.perf_counter() - start, _peak()
    close = next(solve_path(x, y, tolerance=_CLOSE, start=near, **options))
    best = min(float(value[0]) for value in close.trail)
    gaps = [float(value[0]) / best - 1 for value in near.trail]
    np.savez(folder / "optimum", at=close.at[0], best=best, mean=basis.mean, scale=basis.scale, rotation=basis.rotation)
    two, reading = products(shards, classes)
    return {
        "columns": len(basis.variance),
        "seconds": {"moments": moments, "a pass": seconds / near.passes, "two products": two, "reading": reading},
        "peak_mb": peak,
        "gaps": gaps,
        "passes": {f"{gap:.0e}": next((i + 1 for i, g in enumerate(gaps) if g <= gap), None) for gap in _GAPS},
        "close": {"passes": close.passes, "apart": gaps[-1]},
    }


def theirs(folder: Path, classes: int, penalty: float) -> dict[str, Any]:
    """scikit-learn's SAGA and SGD after as many passes as we may take, on transformed features in memory."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    warnings.filterwarnings("ignore", category=UserWarning)  # that so few passes are not to the end
    shards, y = Shards(folder), np.fromfile(folder / "classes", dtype=np.int64)
    known = np.load(folder / "optimum.npz")
    x = np.concatenate(
        [
            ((shards[start : start + _BLOCK] - known["mean"]) / known["scale"]) @ known["rotation"]
            for start in range(0, len(shards), _BLOCK)
        ]
    )
    told: dict[str, Any] = {}
    learners = {
        "SAGA": LogisticRegression(solver="saga", C=1 / (penalty * len(y)), max_iter=_PASSES, tol=0),
        "SGD": SGDClassifier(loss="log_loss", alpha=penalty, max_iter=_PASSES, tol=None, average=True, n_jobs=-1),
    }
    for name, learner in learners.items():
        start = time.perf_counter()
        learner.fit(x, y)
        seconds = time.perf_counter() - start
        at = np.column_stack([learner.coef_, learner.intercept_])
        told[name] = {"seconds a pass": seconds / _PASSES, "accuracy": float((learner.predict(x) == y).mean())}
        if name == "SAGA":  # SGD solves another problem: a class against the rest, one by one
            told[name]["gap"] = objective(x, y, at, penalty) / float(known["best"]) - 1
    at = known["at"]
    told["headstart"] = {"accuracy": float(((x @ at[:, :-1].T + at[:, -1]).argmax(axis=1) == y).mean())}
    told["headstart"]["gap"] = objective(x, y, at, penalty) / float(known["best"]) - 1  # in their arithmetic
    return {**told, "peak_mb": _peak()}


def objective(x: np.ndarray, y: np.ndarray, at: np.ndarray, penalty: float) -> float:
    """Of (c, r + 1) weights and biases on (n, r) transformed features, in float64."""
    loss = 0.0
    for start in range(0, len(x), _BLOCK):
        z = x[start : start + _BLOCK] @ at[:, :-1].T.astype(np.float64) + at[:, -1]
        top = z.max(axis=1)
        true = z[np.arange(len(z)), y[start : start + _BLOCK]]
        loss += float((np.log(np.exp(z - top[:, None]).sum(axis=1)) + top - true).sum())
    return loss / len(x) + 0.5 * penalty * float(np.square(at[:, :-1], dtype=np.float64).sum())


def _peak() -> float:
    """Megabytes that this process held at most, since it began as a program of its own."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return float("nan") if found is None else int(found[1]) / 1024


def alone(part: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """What `part` says in a process of its own."""
    asked_for = ["--part", part, "--folder", folder, "--classes", options.classes, "--penalty", options.penalty]
    done = subprocess.run([sys.executable, __file__, *map(str, asked_for)], stdout=subprocess.PIPE, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def show(kind: str, options: argparse.Namespace, told: dict[str, Any]) -> None:
    seconds, to = told["seconds"], told["passes"]
    print(f"{kind}, {options.n:,} x {options.width:,} ({told['columns']:,} directions) x {options.classes} classes")
    reached = ", ".join(f"{gap} {passes}" for gap, passes in to.items() if passes)
    print(f"  passes to gaps of {reached} (and one of moments); ended {told['close']['apart']:.0e} above the optimum")
    print("  gaps " + " ".join(f"{gap:.0e}" for gap in told["gaps"]))
    ratio = seconds["a pass"] / max(seconds["two products"], seconds["reading"])
    timed = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
    print(f"  {timed}: a pass is {ratio:.2f} times its bound; peak {told['peak_mb']:.0f} MB", flush=True)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--penalty", type=float, default=1e-3)
    parser.add_argument("--data", nargs="+", default=["correlated", "isotropic"])
    parser.add_argument("--folder", type=Path, default=None, help="where there is room; emptied again")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--part", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    small = ["--n", 101_000, "--width", 180, "--classes", 5, "--data", "correlated", "--peers"]
    with asked(parser, lambda work: small) as options:
        if options.part:
            part = ours if options.part == "ours" else theirs
            print(json.dumps(part(options.folder, options.classes, options.penalty)))
            return
        for kind in options.data:
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                y = write(Path(folder), kind, options.width, options.classes, options.n)
                y.astype(np.int64).tofile(Path(folder) / "classes")
                show(kind, options, alone("ours", Path(folder), options))
                if options.peers and installed("sklearn", needed_for="scikit-learn's SAGA and SGD"):
                    for name, figures in alone("theirs", Path(folder), options).items():
                        print(f"  {name}: {figures}", flush=True)


if __name__ == "__main__":
    main()
