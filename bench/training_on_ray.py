"""Claim: two nodes of Ray do more steps of one run a second than one process does, and two trials side by side.

    python bench/training_on_ray.py [TABLE] [--model NAME] [--steps N] [--batch N]    (needs headstart[ray])

Two nodes with one core each, on this machine, and one process with one core: every layer of a text encoder is trained
on the same batches (TABLE: a TSV with columns label and text; without it, texts of 16 words). First the process does
the run; then both nodes do it together by Ray Train, and the losses of their steps are compared; then each node does a
run of its own. Nothing is compared of starting, which is told. What a network between machines costs is not in it.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import HERE, arguments, asked, installed, small_text_model, texts

from headstart.adapt.batches import tokenised
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.elsewhere import Trainers, trainers
from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.trainable_parts import TextParts
from headstart.cluster.on_ray import computed_on
from headstart.encode.machine import limit_torch, using
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training

sys.path.insert(0, str(HERE / "tests"))
from clusters import cluster

_WARM_UP = 3  # steps


class Classifier(torch.nn.Module):
    def __init__(self, body: torch.nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = body, torch.nn.Linear(width, 2)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(*inputs).float())


def run_of(table: Path, model: str, recipe: Recipe) -> Callable[[], Tuning]:
    """What makes the same run anew each time."""
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t" if table.suffix == ".tsv" else ","))
    names = sorted({row["label"] for row in rows})[:2]
    backbone = load(model, kind="text")
    y = torch.tensor([int(row["label"] == names[0]) for row in rows])
    fed = tokenised([row["text"] for row in rows], backbone.texts)

    def loss(logits: torch.Tensor, numbers: torch.Tensor, smoothing: float) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, y[numbers], reduction="none")

    def made() -> Tuning:
        parts = TextParts(open_for_training(backbone), fed)
        body = parts.at(parts.depths - 1)
        torch.manual_seed(0)
        network = Classifier(body.module, backbone.width)
        return Tuning(network, [*body.groups, list(network.head.parameters())], body.plain, loss, recipe)

    return made


def a_second(ends: list[float]) -> float:
    """Steps."""
    return (len(ends) - _WARM_UP) / (ends[-1] - ends[_WARM_UP - 1])


def bench(run: Callable[[], Tuning], folder: Path) -> None:
    with using("cpu", 1):
        limit_torch()
        losses, ends = [], []
        for step in run():
            losses.append(step.loss)
            ends.append(time.perf_counter())
    alone = a_second(ends)
    print(f"one process with one core: {alone:.2f} steps/s", flush=True)
    with cluster(1, 1), computed_on("ray"):
        others = trainers()
        together(others, run, folder, alone, losses)
        side_by_side(others, run, folder, alone)


def together(others: Trainers, run: Callable[[], Tuning], folder: Path, alone: float, losses: list[float]) -> None:
    begun, ends, found = time.perf_counter(), [], []
    for step in others.steps("together", run(), Checkpoint(folder), lambda: False):
        found.append(step.loss)
        ends.append(time.perf_counter())
    apart = np.abs(np.array(found) - losses).max()
    print(f"Ray Train starts in {ends[0] - begun:.1f} s, to the first step")
    both = a_second(ends)
    print(f"two nodes together: {both:.2f} steps/s, {both / alone:.2f} times; losses differ by {apart:.1e} at most")


def side_by_side(others: Trainers, run: Callable[[], Tuning], folder: Path, alone: float) -> None:
    """The first pair starts the processes, which stay."""
    for name in ("first", "second"):
        begun, checkpoint, tunings = time.perf_counter(), Checkpoint(folder), [run(), run()]
        others.side_by_side({f"{name} {i}": run for i in (1, 2)}, checkpoint)
        done = 0
        for i, tuning in enumerate(tunings, start=1):
            done += len(list(others.steps(f"{name} {i}", tuning, checkpoint, lambda: False)))
        took = time.perf_counter() - begun
    print(f"two trials side by side: {done / took:.2f} steps/s, {done / took / alone:.2f} times, with all they take")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("table", nargs="?", default=None, type=Path)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=32)

    def small(work: Path) -> list[object]:
        model = small_text_model(work / "bert")
        return [texts(work / "texts.csv", 96), "--model", model, "--steps", 8, "--batch", 8]

    with asked(parser, small) as options:
        if not installed("ray", needed_for="all of it"):
            return
        with tempfile.TemporaryDirectory() as folder:
            table = options.table or texts(Path(folder) / "texts.csv", 2000)
            recipe = Recipe(99, 1e-5, options.steps, options.batch)
            bench(run_of(table, options.model, recipe), Path(folder) / "states")


if __name__ == "__main__":
    main()
