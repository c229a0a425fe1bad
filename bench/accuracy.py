"""Claim: held-out accuracy of the probe with the packaged starters, and what each choice in the head brings.

    python bench/accuracy.py DATA [--test DATA] [--seeds 0 1 2 3 4] [--choices]

Prints a row a seed and the mean. `--choices` also fits the head with one choice undone at a time, on the same features,
folds and split: columns divided by all of their deviation or by none of it; texts without the middle layer; photos
without look-alikes held out together.
"""

import argparse
from dataclasses import replace
from unittest import mock

import numpy as np

from headstart.adapt import near_duplicates
from headstart.adapt.basis import Basis, fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.data.check import check
from headstart.data.read import read, read_with_test
from headstart.data.split import split
from headstart.encode.encode import encode
from headstart.evaluate.intervals import wilson
from headstart.evaluate.scores import evaluate
from headstart.pretrained.catalog import DEFAULT
from headstart.pretrained.load import load
from headstart.storage.matrix import take
from headstart.values import Dataset, Features, Scores

parser = argparse.ArgumentParser()
parser.add_argument("data")
parser.add_argument("--test", default=None)
parser.add_argument("--seeds", nargs="+", type=int, default=[0])
parser.add_argument("--choices", action="store_true")
options = parser.parse_args()


def score(dataset: Dataset, features: Features, seed: int, power: float = 0.5) -> Scores:
    """`power`: columns are divided by their deviation to this power."""
    parts = split(dataset, seed=seed)
    matrix = np.asarray(features.matrix[:])
    deviation = np.maximum(matrix[parts.train].std(axis=0), 1e-12)
    other = replace(features, matrix=matrix / deviation ** (2 * power - 1))  # fit_basis divides by its square root
    train = replace(other, matrix=take(other.matrix, parts.train))
    basis: Basis = fit_basis(train.matrix)
    head = fit_probe(dataset, parts.train, train, basis=basis, seed=seed)
    logits = head.logits(take(other.matrix, parts.test))
    return evaluate(logits, dataset.y[parts.test], classes=dataset.classes, majority_class=dataset.classes[0])


def show(name: str, dataset: Dataset, features: Features, power: float = 0.5) -> None:
    scores = [score(dataset, features, seed, power) for seed in options.seeds]
    each = ", ".join(f"{s.accuracy:.3f}" for s in scores) if len(scores) > 1 else ""
    interval = wilson(round(scores[0].accuracy * scores[0].n), scores[0].n)
    mean = np.mean([s.accuracy for s in scores])
    loss, ece = np.mean([s.log_loss for s in scores]), np.mean([s.ece for s in scores])
    print(f"{name:32} accuracy {mean:.3f}  log loss {loss:.3f}  ece {ece:.3f}  ", end="")
    print(f"first seed {interval.low:.3f} to {interval.high:.3f}  {each}")


dataset = check(read_with_test(options.data, options.test) if options.test else read(options.data))
features = encode(dataset.inputs, dataset.digests, load(DEFAULT[dataset.kind], kind=dataset.kind))
show("as headstart does it", dataset, features)
if options.choices:
    show("columns: all deviation out", dataset, features, 1.0)
    show("columns: as they are", dataset, features, 0.0)
    if dataset.kind == "text":
        half = features.matrix.shape[1] // 2
        show("last layer only", dataset, replace(features, matrix=features.matrix[:][:, :half]))
    else:
        with mock.patch.object(near_duplicates, "join", lambda z, y, groups, at_least: groups):
            show("look-alikes apart in the folds", dataset, features)
