"""Claim: a backbone that the catalog says so of answers in bfloat16 as it does in float32.

    python bench/precision.py DATA... [--models efficientnet_lite0 mobilenetv2_deep_sort] [--splits 10] [--low int8]

Needs a processor with bfloat16. Everything is encoded in both; in each of some splits a probe is made on the features
of either. Accuracy on the test part in the mean, by float32, by bfloat16, and crossed over: a head of the one on
features of the other, which is what a model meets that moves to another machine. The difference is paired; its spread
is twice the standard error of the splits' differences, data sets together. Examples a second are those of the whole
encode, decoding included, with nothing in the cache. `--low int8` compares int8 (needs nncf) with float32.

A row of the catalog may say bfloat16 where the mean over the data sets is no lower than -0.002 and no set loses 0.01.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from common import arguments, asked, photos, probed, read, small_photo_model

from headstart.backbone import Backbone, Features, Precision
from headstart.data.check import check
from headstart.data.sampling import drawn
from headstart.data.split import split
from headstart.encode.encode import encode
from headstart.encode.int8 import EXAMPLES, calibrated
from headstart.encode.precision import in_precision, may_encode_in_bf16
from headstart.pretrained.catalog import at_hand
from headstart.pretrained.load import load
from headstart.values import Dataset

WAYS = ("float32", "{}", "head of float32 on {}", "head of {} on float32")


def encoded(dataset: Dataset, backbone: Backbone, precision: Precision) -> tuple[np.ndarray, float]:
    """What it says of all examples, and how many of them a second; nothing was known before."""
    with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, HEADSTART_CACHE=cache):
        backbone = in_precision(backbone, precision)
        if precision == "int8":
            backbone = calibrated(backbone, dataset.take(drawn(dataset, np.arange(len(dataset)))[:EXAMPLES]))
        encode(dataset.inputs[:1], dataset.checked_digests[:1], backbone)  # compiled, and the graph is kept
        begun = time.perf_counter()
        made = encode(dataset.inputs, dataset.checked_digests, backbone)
        return np.array(made.matrix[:]), len(dataset) / (time.perf_counter() - begun)


def accuracies(dataset: Dataset, exact: np.ndarray, low: np.ndarray, seed: int) -> list[float]:
    """In the order of WAYS."""
    parts, found = split(dataset, seed=seed), []
    train, test = parts.train, parts.test
    for learned, tested in ((exact, exact), (low, low), (exact, low), (low, exact)):
        features = Features(learned[train], "", 0)
        found.append(probed(dataset, features, train, tested[test], test, seed=seed).accuracy)
    return found


def bench(backbone: Backbone, datasets: Sequence[Dataset], splits: int, lower: Precision) -> None:
    each = []
    for dataset in datasets:
        exact, slow = encoded(dataset, backbone, "float32")
        low, fast = encoded(dataset, backbone, lower)
        found = np.array([accuracies(dataset, exact, low, seed) for seed in range(splits)])
        each.append(found)
        told = ", ".join(f"{way.format(lower)} {mean:.4f}" for way, mean in zip(WAYS, found.mean(axis=0), strict=True))
        print(f"{backbone.name:24} {dataset.name:14} {told}; {slow:.0f} and {fast:.0f} a second", flush=True)
    differences = np.stack([found[:, 1] - found[:, 0] for found in each])  # of each set, of each split
    by_set, spread = differences.mean(axis=1), 2 * differences.std() / differences.size**0.5
    verdict = "alike" if by_set.mean() >= -0.002 and by_set.min() > -0.01 else "not alike"
    print(f"{backbone.name:24} {lower} less float32: {by_set.mean():+.4f} ± {spread:.4f}: {verdict}")
    print(f"{backbone.name:24} hash of its weights: {backbone.weights_hash[:16]}", flush=True)


def small(work: Path) -> list[object]:
    model = small_photo_model(work / "model" / "model.onnx")
    return [photos(work / "photos", 6), "--splits", 2, "--models", model]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--models", nargs="*", default=[card.name for card in at_hand("image")])
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--low", choices=["bfloat16", "int8"], default="bfloat16")
    with asked(parser, small) as options:
        datasets = [check(read(data)) for data in options.data]
        for name in options.models:
            backbone = load(name, kind=datasets[0].modality.kind)
            if options.low == "bfloat16" and not may_encode_in_bf16(backbone):
                print("this processor has no bfloat16: both are float32", flush=True)
            bench(backbone, datasets, options.splits, options.low)


if __name__ == "__main__":
    main()
