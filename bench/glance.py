"""Claim: in a glance, a rate that falls in a straight line ends in a better model than one that falls by half a cosine.

    python bench/glance.py TRAIN TEST [--examples 40000] [--seeds 3]     (tables of texts and labels: those of SST-2)

Both learn from the same texts, the less sure half of twice as many, in the same steps of 64, as a fit does that has no
time to see each text. Whatever a step takes here, the same is learned; on a GPU a run takes seconds. The accuracy on
TEST, and its log loss at the temperature that suits it best.
"""

import argparse
import math
import os
from unittest import mock

os.environ.setdefault("GOMP_SPINCOUNT", "30000")

import numpy as np
import torch

from headstart.adapt import fit_basis, fit_head
from headstart.adapt import tune as training
from headstart.adapt.bodies import TextBodies
from headstart.adapt.feeds import tokenised
from headstart.adapt.network import Classified
from headstart.adapt.tune import Recipe, Tuning, outputs_of
from headstart.adapt.verdict import judged
from headstart.adapt.words import doubt_by_words
from headstart.data import check, read_with_test
from headstart.encode import encode
from headstart.encode.engines import cpu_has_bf16, device
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
texts, y = tokenised(dataset.inputs, backbone.preparation), torch.from_numpy(dataset.y)
bodies = TextBodies(trainable, texts)
table = word_embeddings(trainable).weight
bf16 = device() == "cuda" or cpu_has_bf16()


def cosine(done: int, steps: int) -> float:
    warm = max(1, round(0.1 * steps))
    return (done + 1) / warm if done < warm else 0.5 * (1 + math.cos(math.pi * (done - warm) / max(1, steps - warm)))


def learned(way: object, seed: int) -> tuple[float, float]:
    """Accuracy and log loss on the test part."""
    drawn = np.sort(np.random.default_rng(seed).permutation(learn)[: 2 * options.examples])
    doubt = doubt_by_words(texts.take(drawn), table, dataset.y[drawn], n_classes=len(dataset.classes), seed=seed)
    rows = np.sort(drawn[np.argsort(-doubt, kind="stable")[: options.examples]])
    body = bodies.at(bodies.depths - 1)
    network = Classified(body.module, head, basis)

    def loss(logits: torch.Tensor, numbers: torch.Tensor, smoothing: float) -> torch.Tensor:
        wanted = y[torch.from_numpy(rows)[numbers]].to(logits.device)
        return torch.nn.functional.cross_entropy(logits, wanted, reduction="none")

    recipe = Recipe(bodies.depths - 1, RATE, math.ceil(len(rows) / BATCH), BATCH, bf16=bf16, dropout=False)
    groups = [*body.groups, [network.weight, network.bias]]
    tuning = Tuning(network, groups, body.plain.take(rows), loss, recipe, seed=seed, device=device())
    with mock.patch.object(training, "schedule", way):
        for _ in tuning:
            pass
    tuning.take_average()
    found = judged(outputs_of(network, body.plain.take(test), bf16=bf16, device=device()), dataset.y[test])
    return found.accuracy, found.log_loss


for name, way in (("half a cosine", cosine), ("straight", training.schedule)):
    runs = np.array([learned(way, seed) for seed in range(options.seeds)])
    print(f"{name:14} accuracy {runs[:, 0].mean():.4f}  log loss {runs[:, 1].mean():.4f}", end="  ")
    print(f"(seeds: {', '.join(f'{accuracy:.4f}' for accuracy in runs[:, 0])})", flush=True)
