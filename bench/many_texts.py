"""Fixed recipes on many texts, for the benches that compare what is learned: the same steps whatever one takes here."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import read, small_text_model, texts

from headstart.adapt.basis import fit_basis
from headstart.adapt.batches import tokenised
from headstart.adapt.checkpoint import Checkpoint
from headstart.adapt.cross_validation import fit_probe
from headstart.adapt.linear_objective import LinearObjective
from headstart.adapt.loop import Recipe
from headstart.adapt.softmax import SOFTMAX
from headstart.adapt.trainable_parts import TextParts
from headstart.adapt.trial import Runs, StopSignal
from headstart.adapt.validation import worth_most
from headstart.adapt.word_uncertainty import doubt_by_words
from headstart.data.check import check
from headstart.encode.encode import encode
from headstart.encode.engines import device
from headstart.evaluate.paired_test import HeldOut
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training, word_embeddings

_ENCODED = 10_000  # texts that the probe is fitted on


@dataclass(frozen=True)
class Texts:
    """Texts to learn from and to test on, with the model that is trained."""

    task: LinearObjective
    depth: int  # of the whole model
    learn: np.ndarray
    test: np.ndarray

    def worth_most(self, examples: int, *, seed: int) -> np.ndarray:
        return worth_most(self.task, self.task.start(self.learn), self.learn, examples, seed=seed)

    def learned(self, recipe: Recipe, rows: np.ndarray, *, seed: int) -> HeldOut:
        """On the test part, after such a run."""
        return self.judged(self.trained(recipe, rows, seed=seed))

    def judged(self, run: dict[str, np.ndarray]) -> HeldOut:
        """What a run kept, on the test part, at the temperature that suits it best."""
        return self.task.judged(run["kept"], self.test)

    def trained(self, recipe: Recipe, rows: np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
        """What the run keeps: its weights, and "kept", its outputs for the test part."""
        with self._runs(seed) as runs:
            return runs.run("run", recipe, start=self.task.start(rows), learn=rows, judge=self.test)

    def averaged(self, recipe: Recipe, runs: Sequence[dict[str, np.ndarray]]) -> HeldOut:
        """The mean of the runs' weights, on the test part."""
        mean = {name: np.mean([run[name] for run in runs], axis=0) for name in runs[0] if name.startswith("weight ")}
        with self._runs(0) as asked:
            found = asked.outputs(recipe, self.task.start(self.learn), mean, self.test, share=1.0)
            return self.task.judged(found, self.test)

    @contextmanager
    def _runs(self, seed: int) -> Iterator[Runs]:
        with tempfile.TemporaryDirectory() as home:
            yield Runs(self.task, Checkpoint(Path(home)), StopSignal(left=lambda: math.inf), seed=seed, device=device())


def tables(parser: argparse.ArgumentParser) -> None:
    """The arguments that `opened` takes."""
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")


def small_tables(work: Path) -> list[object]:
    """What stands for them in a small form."""
    data = texts(work / "train.csv", 48), texts(work / "test.csv", 24, seed=1)
    return [*data, "--model", small_text_model(work / "bert")]


def opened(options: argparse.Namespace) -> Texts:
    """The model with the probe on some of the texts, ready to be trained."""
    dataset = check(read(options.train, options.test))
    parts = np.array(dataset.parts)
    learn = np.flatnonzero(parts == "train")
    backbone = load(options.model, kind="text")
    some = np.random.default_rng(0).permutation(learn)[:_ENCODED]
    features = encode([dataset.inputs[row] for row in some], dataset.checked_digests[some], backbone)
    basis = fit_basis(features.matrix)
    head = fit_probe(dataset, some, features, basis=basis).head
    trainable = open_for_training(backbone)
    trainable.module.to(device())
    inputs, table = tokenised(dataset.inputs, backbone.texts), word_embeddings(trainable.module).weight
    bodies = TextParts(trainable, inputs)

    def doubt(rows: np.ndarray) -> np.ndarray:
        return doubt_by_words(inputs.take(rows), table, dataset.y[rows], n_classes=len(dataset.classes), seed=0)

    task = LinearObjective(
        bodies=bodies,
        y=dataset.y,
        family=SOFTMAX,
        basis=basis,
        probe=lambda rows: head,
        logits=lambda head, rows: np.empty(0),  # nothing is compared with the probe
        head=head,
        before=lambda rows: head,
        guess=doubt,
    )
    return Texts(task, bodies.depths, learn, np.flatnonzero(parts == "test"))


def half_a_cosine(done: int, steps: int) -> float:
    """Share of the highest rate at a step, in the place of a straight line."""
    warm = max(1, round(0.1 * steps))
    return (done + 1) / warm if done < warm else 0.5 * (1 + math.cos(math.pi * (done - warm) / max(1, steps - warm)))
