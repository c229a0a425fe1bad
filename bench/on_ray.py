"""Claim: two nodes of Ray encode at least 0.85 times as fast as two processes without it, and a kill changes no byte.

    python bench/on_ray.py [DATA] [--model NAME] [--most N] [--passes N] [--kills N]    (needs headstart[ray])

Two nodes with one core each, on this machine, and the same worker in two processes of its own that share the chunks
out before. Both have encoded once when the time is taken, in turns; the faster run of each counts. Then workers and
nodes are killed at random, and what comes back is compared with what this process makes of the same chunks.
"""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import HERE, arguments, asked, installed, packaged, photos, read, small_photo_model

from headstart.backbone import Backbone
from headstart.cluster.on_ray import computed_on
from headstart.cluster.ray_worker import Worker
from headstart.data.check import check
from headstart.encode.elsewhere import Chunk, runner
from headstart.encode.encode import batching_of
from headstart.encode.precision import choose_precision
from headstart.pretrained.load import load
from headstart.pretrained.rebuild import where_kept

sys.path.insert(0, str(HERE / "tests"))
from clusters import Nodes, cluster, kill, processes

_SIZE = 32  # photos of a chunk: with few photos, larger ones leave one of the two without work at the end
_KILLS_A_PASS = 4
_NODES = 4  # of so many kills one is a node
_PROCESS = """
import pickle, sys, time
from headstart.cluster.ray_worker import Worker
chunks, kept, function, precision = pickle.load(open(sys.argv[1], "rb"))
worker = Worker({}, ".", None, 1)
worker.encode(chunks[0], kept, function, precision)
for line in sys.stdin:
    for chunk in chunks:
        worker.encode(chunk, kept, function, precision)
    print(time.time(), flush=True)
"""


@dataclass(frozen=True)
class Work:
    """Chunks, and what they are encoded by."""

    chunks: list[Chunk]
    backbone: Backbone
    precision: str

    @property
    def told(self) -> tuple[object, str, str]:
        """As a worker is told of it."""
        return where_kept(self.backbone), self.backbone.function, self.precision

    def encoded(self) -> Iterator[np.ndarray]:
        """The features of each chunk, by the cluster."""
        made = runner().encode(len(self.chunks), self.chunks.__getitem__, self.backbone, self.precision)
        return map(joined, made)


def work_of(data: str, model: str, most: int) -> Work:
    dataset = check(read(data))
    backbone, digests = load(model, kind=dataset.modality.kind), dataset.checked_digests
    rows = np.arange(min(most, len(dataset)))
    pieces = [rows[start : start + _SIZE] for start in range(0, len(rows), _SIZE)]
    chunks = [Chunk([dataset.inputs[row] for row in piece], digests[piece]) for piece in pieces]
    sample = batching_of(chunks[0].inputs, chunks[0].digests, backbone)(np.arange(len(chunks[0].inputs)))
    return Work(chunks, backbone, choose_precision(backbone, list(sample)))


def bench(work: Work, passes: int, kills: int, folder: Path) -> None:
    alone = Worker({}, ".", None, 1)
    expected = [joined(alone.encode(chunk, *work.told)) for chunk in work.chunks]
    halves = [Process(folder / f"{i}.pickle", (work.chunks[i::2], *work.told)) for i in (0, 1)]
    begun = time.perf_counter()
    with cluster(1, 1) as nodes:
        print(f"two nodes start in {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        with computed_on("ray"):
            wrong = differing(list(work.encoded()), expected)
            print(f"connecting, two actors with engines and the first pass take {time.perf_counter() - begun:.1f} s")
            ours = nodes.pids()
            idle = sum(memory(pid) for pid, parent, _ in processes() if pid in ours or parent in ours)
            print(f"memory of Ray's processes and the two actors, idle: {idle / 1e6:.0f} MB")
            wrong += throughput(work, expected, halves, passes)
            told, more = killed(work, expected, nodes, kills)
    print(f"{told}: {wrong + more} wrong bytes")


def throughput(work: Work, expected: list[np.ndarray], halves: list[Process], passes: int) -> int:
    """Says how fast both are; gives the bytes that are wrong."""
    ray, apart, wrong = [], [], 0
    for _ in range(passes):
        begun = time.perf_counter()
        found = list(work.encoded())
        ray.append(time.perf_counter() - begun)
        apart.append(together(halves))
        wrong += differing(found, expected)
    for half in halves:
        half.end()
    n = sum(len(chunk.inputs) for chunk in work.chunks)
    both = f"two nodes {n / min(ray):.1f}/s, two processes {n / min(apart):.1f}/s"
    print(f"{n:,} photos: {both}, ratio {min(apart) / min(ray):.2f}")
    return wrong


def killed(work: Work, expected: list[np.ndarray], nodes: Nodes, kills: int) -> tuple[str, int]:
    """Passes until so many were killed on the way: what that was, and the bytes that are wrong."""
    draw, gone, passes, wrong = random.Random(0), [], 0, 0
    while len(gone) < kills:
        passes, found = passes + 1, []
        for features in work.encoded():
            found.append(features)
            if len(gone) < kills and draw.random() < _KILLS_A_PASS / len(work.chunks):
                gone += one_killed(nodes, draw, node=len(gone) % _NODES == _NODES - 1)
        wrong += differing(found, expected)
    workers = gone.count("worker")
    return f"{workers} workers and {len(gone) - workers} nodes killed in {passes} passes", wrong


def one_killed(nodes: Nodes, draw: random.Random, *, node: bool) -> list[str]:
    """What was killed; nothing where no worker is there at the moment."""
    if node:
        nodes.remove(draw.choice(nodes.nodes))
        nodes.nodes.append(nodes.add())
        return ["node"]
    workers = nodes.workers()
    if not workers:
        return []
    kill(draw.choice(workers))
    return ["worker"]


class Process:
    """A worker without Ray, that encodes its chunks each time it is told to."""

    def __init__(self, file: Path, told: object) -> None:
        file.write_bytes(pickle.dumps(told))
        command = [sys.executable, "-c", _PROCESS, str(file)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def go(self) -> None:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def done(self) -> float:
        return float(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def together(halves: list[Process]) -> float:
    """Seconds until the later one is done."""
    begun = time.time()
    for half in halves:
        half.go()
    return max(half.done() for half in halves) - begun


def joined(made: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    out = np.concatenate([features for _, features in made])
    out[np.concatenate([which for which, _ in made])] = out.copy()
    return out


def differing(found: list[np.ndarray], expected: list[np.ndarray]) -> int:
    """Bytes in which they differ."""
    return sum(
        int((np.frombuffer(a.tobytes(), np.uint8) != np.frombuffer(b.tobytes(), np.uint8)).sum())
        for a, b in zip(found, expected, strict=True)
    )


def memory(pid: int) -> int:
    """Bytes that are a process's own share of what it has in memory."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="?", default=None)
    parser.add_argument("--model", default="efficientnet_lite0")
    parser.add_argument("--most", type=int, default=1024)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)

    def small(work: Path) -> list[object]:
        model = small_photo_model(work / "model" / "small.onnx")
        return [photos(work / "photos", 100), "--model", model, "--passes", 1, "--kills", 4]

    with asked(parser, small) as options:
        if not installed("ray", needed_for="all of it"):
            return
        with tempfile.TemporaryDirectory() as folder:
            work = work_of(options.data or str(packaged()), options.model, options.most)
            bench(work, options.passes, options.kills, Path(folder))


if __name__ == "__main__":
    main()
