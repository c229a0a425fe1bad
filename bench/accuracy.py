"""Claim: held-out accuracy of the probe with the packaged starters, and what each choice in the head brings.

    python bench/accuracy.py DATA [--test DATA] [--seeds 0 1 2 3 4] [--choices]

Prints the mean over the seeds. `--choices` also fits the head with one choice undone at a time, on the same features,
folds and split: columns divided by all of their deviation or by none of it; texts without the middle layer; photos
without look-alikes held out together.
"""

from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from common import arguments, asked, encoded, photos, probed, read, small_photo_model

from headstart.adapt import near_duplicates
from headstart.backbone import Features
from headstart.data.check import check
from headstart.data.split import split
from headstart.evaluate.intervals import wilson
from headstart.storage.matrix import take
from headstart.task import Scores
from headstart.values import Dataset


def score(dataset: Dataset, features: Features, seed: int, power: float) -> Scores:
    """`power`: columns are divided by their deviation to this power."""
    parts = split(dataset, seed=seed)
    matrix = np.asarray(features.matrix[:])
    deviation = np.maximum(matrix[parts.train].std(axis=0), 1e-12)
    matrix = matrix / deviation ** (2 * power - 1)  # fit_basis divides by its square root
    train = replace(features, matrix=take(matrix, parts.train))
    return probed(dataset, train, parts.train, take(matrix, parts.test), parts.test, seed=seed)


def show(name: str, dataset: Dataset, features: Features, seeds: list[int], power: float = 0.5) -> None:
    scores = [score(dataset, features, seed, power) for seed in seeds]
    each = ", ".join(f"{s.accuracy:.3f}" for s in scores) if len(scores) > 1 else ""
    interval = wilson(round(scores[0].accuracy * scores[0].n), scores[0].n)
    mean = np.mean([s.accuracy for s in scores])
    loss, ece = np.mean([s.log_loss for s in scores]), np.mean([s.ece for s in scores])
    print(f"{name:32} accuracy {mean:.3f}  log loss {loss:.3f}  ece {ece:.3f}  ", end="")
    print(f"first seed {interval.low:.3f} to {interval.high:.3f}  {each}", flush=True)


def choices(dataset: Dataset, features: Features, seeds: list[int]) -> None:
    show("columns: all deviation out", dataset, features, seeds, 1.0)
    show("columns: as they are", dataset, features, seeds, 0.0)
    if dataset.modality.kind == "text":
        half = features.matrix.shape[1] // 2
        show("last layer only", dataset, replace(features, matrix=features.matrix[:][:, :half]), seeds)
    else:
        with mock.patch.object(near_duplicates, "join", lambda z, y, groups, at_least: groups):
            show("look-alikes apart in the folds", dataset, features, seeds)


def small(work: Path) -> list[object]:
    return [photos(work / "photos", 6), "--model", small_photo_model(work / "model" / "model.onnx"), "--choices"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data")
    parser.add_argument("--test", default=None)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--choices", action="store_true")
    parser.add_argument("--model", help="default: the starter for these data")
    with asked(parser, small) as options:
        dataset = check(read(options.data, options.test))
        features = encoded(dataset, options.model)
        show("as headstart does it", dataset, features, options.seeds)
        if options.choices:
            choices(dataset, features, options.seeds)


if __name__ == "__main__":
    main()
