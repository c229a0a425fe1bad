"""Claim: probabilities are honest where examples are few, since one of unknown class is counted with them.

    python bench/few_examples.py DATA... [--sizes 5 25 100] [--draws 20]

DATA is a folder or a table, or TRAIN:TEST. Accuracy, log loss and the worst draw's log loss on the test part, over
draws of so many examples a class: at headstart's temperature, and at the one with the least log loss on examples that
are held out.
"""

import argparse
from unittest import mock

import numpy as np
from few import drawn, scored

from headstart.data.check import check
from headstart.data.read import read, read_with_test
from headstart.data.split import split
from headstart.encode.encode import encode
from headstart.evaluate.calibration import HIGHEST, LOWEST, temperature
from headstart.evaluate.metrics import log_losses
from headstart.pretrained.catalog import DEFAULT
from headstart.pretrained.load import load
from headstart.values import Features

parser = argparse.ArgumentParser()
parser.add_argument("data", nargs="+")
parser.add_argument("--sizes", nargs="+", type=int, default=[5, 25, 100])
parser.add_argument("--draws", type=int, default=20)
options = parser.parse_args()
GRID = np.geomspace(LOWEST, HIGHEST, 241)


def least(logits: np.ndarray, y: np.ndarray) -> float:
    return float(min(GRID, key=lambda t: float(log_losses(logits.astype(np.float64) / t, y).mean())))


for data in options.data:
    train, _, test = data.partition(":")
    dataset = check(read_with_test(train, test) if test else read(train))
    known = encode(dataset.inputs, dataset.checked_digests, load(DEFAULT[dataset.kind], kind=dataset.kind))
    parts, matrix = split(dataset, seed=0), known.matrix[:]
    for size in options.sizes:
        for name, way in (("one of unknown class counted", temperature), ("least log loss", least)):
            with mock.patch("headstart.adapt.cross_validation.temperature", way):
                found = []
                for draw in range(options.draws):
                    rows = drawn(dataset, parts.train, size, draw)
                    features = Features(matrix[rows], known.key, 0)
                    found.append(scored(dataset, features, rows, matrix[parts.test], parts.test))
            (accuracy, log_loss), worst = np.mean(found, axis=0), np.max(found, axis=0)[1]
            print(f"{dataset.name:12} {size:4} a class  {name:28} accuracy {accuracy:.3f}  ", end="")
            print(f"log loss {log_loss:.3f}, worst {worst:.2f}", flush=True)
