"""Claim: probabilities are honest where examples are few, since one of unknown class is counted with them.

    python bench/few_examples.py DATA... [--sizes 5 25 100] [--draws 20]

DATA is a folder or a table, or TRAIN:TEST. Accuracy, log loss and the worst draw's log loss on the test part, over
draws of so many examples a class: at headstart's temperature, and at the one with the least log loss on examples that
are held out.
"""

from collections.abc import Sequence
from unittest import mock

import numpy as np
from common import arguments, asked, drawn, encoded, in_parts, probed, texts

from headstart.backbone import Features
from headstart.data.check import check
from headstart.data.split import split
from headstart.evaluate.calibration import HIGHEST, LOWEST, temperature
from headstart.evaluate.metrics import log_losses, mean

GRID = np.geomspace(LOWEST, HIGHEST, 241)


def least(logits: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    return float(min(GRID, key=lambda t: mean(log_losses(logits.astype(np.float64) / t, y), weights)))


def bench(data: str, sizes: Sequence[int], draws: int) -> None:
    dataset = check(in_parts(data))
    known = encoded(dataset)
    parts, matrix = split(dataset, seed=0), known.matrix[:]
    for size in sizes:
        for name, way in (("one of unknown class counted", temperature), ("least log loss", least)):
            found = []
            with mock.patch("headstart.adapt.probe.temperature", way):
                for draw in range(draws):
                    rows = drawn(dataset, parts.train, size, draw)
                    features = Features(matrix[rows], known.key, 0)
                    scores = probed(dataset, features, rows, matrix[parts.test], parts.test)
                    found.append((scores.accuracy, scores.log_loss))
            (accuracy, log_loss), worst = np.mean(found, axis=0), np.max(found, axis=0)[1]
            print(f"{dataset.name:12} {size:4} a class  {name:28} accuracy {accuracy:.3f}  ", end="")
            print(f"log loss {log_loss:.3f}, worst {worst:.2f}", flush=True)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--sizes", nargs="+", type=int, default=[5, 25, 100])
    parser.add_argument("--draws", type=int, default=20)
    with asked(parser, lambda work: [texts(work / "texts.csv", 36), "--sizes", 5, "--draws", 2]) as options:
        for data in options.data:
            bench(data, options.sizes, options.draws)


if __name__ == "__main__":
    main()
