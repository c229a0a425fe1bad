"""Claim: in a glance, a rate that falls in a straight line ends in a better model than one that falls by half a cosine.

    python bench/glance.py TRAIN TEST [--examples 40000] [--seeds 3]     (tables of texts and labels: those of SST-2)

Both learn from the same texts, the less sure half of twice as many, in the same steps of 64, as a fit does that has no
time to see each text. Whatever a step takes here, the same is learned; on a GPU a run takes seconds. The accuracy on
TEST, and its log loss at the temperature that suits it best.
"""

import argparse
import math
import os
import tempfile
from pathlib import Path
from unittest import mock

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import numpy as np

from headstart.adapt import fit_basis, fit_head
from headstart.adapt import tune as training
from headstart.adapt.bodies import TextBodies
from headstart.adapt.classify import Classifying
from headstart.adapt.examples import worth_most
from headstart.adapt.feeds import tokenised
from headstart.adapt.resume import Journal
from headstart.adapt.run import Runs, Watch
from headstart.adapt.tune import Recipe
from headstart.adapt.verdict import Judged
from headstart.adapt.words import doubt_by_words
from headstart.data import check, read_with_test
from headstart.encode import encode
from headstart.encode.engines import device, may_train_in_bf16
from headstart.pretrained import load
from headstart.pretrained.training import open_for_training, word_embeddings

BATCH, RATE, ENCODED = 64, 4e-4 * math.sqrt(2), 10_000

parser = argparse.ArgumentParser()
parser.add_argument("train")
parser.add_argument("test")
parser.add_argument("--examples", type=int, default=40_000)
parser.add_argument("--seeds", type=int, default=3)
options = parser.parse_args()
dataset = check(read_with_test(options.train, options.test))
learn, test = (np.flatnonzero(np.array(dataset.parts) == part) for part in ("train", "test"))
backbone = load("all-MiniLM-L6-v2", kind="text")
some = dataset.take(np.random.default_rng(0).permutation(learn)[:ENCODED])
features = encode(some.inputs, some.checked_digests, backbone)
basis = fit_basis(features.matrix)
head = fit_head(
    features,
    some.y,
    basis=basis,
    classes=dataset.classes,
    kind="text",
    groups=some.checked_groups,
    digests=some.checked_digests,
)
trainable = open_for_training(backbone)
trainable.module.to(device())
texts = tokenised(dataset.inputs, backbone.preparation)
table = word_embeddings(trainable).weight
bodies = TextBodies(trainable, texts)
depth = bodies.depths - 1


def doubt(rows: np.ndarray) -> np.ndarray:
    return doubt_by_words(texts.take(rows), table, dataset.y[rows], n_classes=len(dataset.classes), seed=0)


task = Classifying(bodies, dataset.y, basis, lambda rows: head, lambda head, rows: np.empty(0), guess=doubt)


def cosine(done: int, steps: int) -> float:
    warm = max(1, round(0.1 * steps))
    return (done + 1) / warm if done < warm else 0.5 * (1 + math.cos(math.pi * (done - warm) / max(1, steps - warm)))


def learned(way: object, seed: int) -> Judged:
    """On the test part."""
    rows = worth_most(task, head, learn, options.examples, seed=seed)
    recipe = Recipe(depth, RATE, math.ceil(len(rows) / BATCH), BATCH, bf16=may_train_in_bf16(), dropout=False)
    with tempfile.TemporaryDirectory() as home, mock.patch.object(training, "schedule", way):
        runs = Runs(task, Journal(Path(home)), Watch(left=lambda: math.inf), seed=seed, device=device())
        return task.judged(runs.run("run", recipe, start=head, learn=rows, judge=test)["kept"], test)


for name, way in (("half a cosine", cosine), ("straight", training.schedule)):
    found = [learned(way, seed) for seed in range(options.seeds)]
    runs = np.array([(one.accuracy, one.log_loss) for one in found])
    print(f"{name:14} accuracy {runs[:, 0].mean():.4f}  log loss {runs[:, 1].mean():.4f}", end="  ")
    print(f"(seeds: {', '.join(f'{accuracy:.4f}' for accuracy in runs[:, 0])})", flush=True)
