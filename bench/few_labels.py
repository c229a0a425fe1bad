"""Claim: of few labels, names of classes and examples without labels make a better probe, and where not it is said.

    python bench/few_labels.py DATA... [--labels 5] [--draws 50] [--unlabelled 1000] [--model NAME]

DATA is a folder or a table, or TRAIN:TEST. So many labels of each class are drawn from the training part, again and
again; the probe of these alone (as it was at a93ba84), with names of classes or other crops of photos, and with so many
other examples of the training part whose labels are not looked at. Mean accuracy on the test part, the mean difference
to the probe on the same draws with its 95 % interval, and in how many draws what stands beside was used.
"""

from dataclasses import replace

import numpy as np
from common import arguments, asked, drawn, encoded, in_parts, texts

from headstart.adapt.auxiliary import NOTHING, Auxiliary
from headstart.adapt.beside import begin, encoded_beside
from headstart.backbone import Backbone, Features
from headstart.clock import UNLIMITED
from headstart.data.beside import with_words
from headstart.data.check import check
from headstart.data.split import split
from headstart.pretrained.load import load
from headstart.values import Dataset

WAYS = {"image": ("probe", "views", "pool", "views + pool"), "text": ("probe", "names", "pool", "names + pool")}


def one(
    dataset: Dataset, matrix: np.ndarray, rows: np.ndarray, pool: np.ndarray, test: np.ndarray, known: Auxiliary
) -> list[tuple[float, bool]]:
    """Accuracy by each way, and whether all that stands beside was used; known: names, or views."""
    found, features = [], Features(matrix[rows], "", 0)
    for way in WAYS[dataset.modality.name]:
        labelled = "names" in way or "views" in way
        beside = replace(known if labelled else NOTHING, pool=matrix[pool] if "pool" in way else NOTHING.pool)
        made = begin(
            dataset, rows, features, beside=beside, seed=0, within=UNLIMITED, advance=lambda _: None
        )  # fmt: skip
        used = made.beside.labelled == beside.labelled and len(made.beside.pool) == len(beside.pool)
        right = made.probed.head.logits(matrix[test]).argmax(axis=1) == dataset.y[test]
        found.append((float(right.mean()), used))
    return found


def bench(data: str, labels: int, draws: int, size: int, name: str | None) -> None:
    dataset = check(in_parts(data))
    parts, matrix = split(dataset, seed=0), encoded(dataset, name).matrix[:]
    backbone: Backbone = load(name or dataset.modality.default_model, kind=dataset.modality.kind)
    apart = parts.train[~np.isin(dataset.checked_groups[parts.train], dataset.checked_groups[parts.test])]
    results = []
    for draw in range(draws):
        rows = drawn(dataset, apart, labels, draw)
        rest = np.random.default_rng(draw).permutation(np.setdiff1d(apart, rows))[:size]
        named = with_words(dataset, rows, None)
        known = encoded_beside(named, rows, backbone)
        results.append(one(named, matrix, rows, rest, parts.test, known))
    accuracy, used = (np.array([[each[i] for each in result] for result in results]) for i in (0, 1))
    for way, mine, taken in zip(WAYS[dataset.modality.name], accuracy.T, used.T, strict=True):
        more = mine - accuracy[:, 0]
        error = 1.96 * more.std(ddof=1) / np.sqrt(draws) if draws > 1 else np.nan
        print(f"| {dataset.name} | {labels} | {way} | {mine.mean():.4f} | {more.mean():+.4f} ± {error:.4f} | "
              f"{int(taken.sum())} of {draws} |", flush=True)  # fmt: skip


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--labels", type=int, default=5)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--unlabelled", type=int, default=1000)
    parser.add_argument("--model")
    with asked(parser, lambda work: [texts(work / "texts.csv", 60), "--draws", 2, "--unlabelled", 20]) as options:
        print("| data | labels a class | way | accuracy | more than the probe | used in |\n|---|---|---|---|---|---|")
        for data in options.data:
            bench(data, options.labels, options.draws, options.unlabelled, options.model)


if __name__ == "__main__":
    main()
