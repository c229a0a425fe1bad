"""Claim: fine-tuning MiniLM takes at least 12 times as many examples a second as the Hugging Face Trainer does.

    pip install accelerate
    python bench/tune_texts.py TABLE [--examples 1920] [--theirs 256]     (TABLE: a TSV with columns label and text)

Both train every layer's block weights on the same texts in batches of 32, one after the other in this process. The
Trainer runs as transformers' text-classification example does by default: padded to 128 tokens, float32, AdamW. Ours
runs as `fit --how tune` does: the embeddings frozen, length buckets, bfloat16 where the processor has it. The first
steps of each are not counted. Also told: ours with the embeddings trained, by the rows that texts look up (as
in a glance) and as a whole table; and with the Trainer's padding and type.
"""

import argparse
import csv
import os
import time
from dataclasses import replace

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does; for both

import numpy as np
import torch
from by_trainer import TrainerRecipe, by_trainer

from headstart.adapt.batches import tokenised
from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.sparse_embeddings import only_rows
from headstart.adapt.trainable_parts import TextParts
from headstart.encode.engines import device, may_train_in_bf16
from headstart.pretrained.find import find
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training, word_embeddings

BATCH, WARM_UP = 32, 3

parser = argparse.ArgumentParser()
parser.add_argument("table")
parser.add_argument("--examples", type=int, default=1920)
parser.add_argument("--theirs", type=int, default=256, help="examples that the Trainer is timed on")
options = parser.parse_args()

with open(options.table, encoding="utf-8") as file:
    rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
everything = [row[1] for row in rows]
rows = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[: options.examples]]
labels, texts = np.array([int(row[0]) for row in rows]), [row[1] for row in rows]
backbone = load("all-MiniLM-L6-v2", kind="text")


class Classifier(torch.nn.Module):
    def __init__(self, body: torch.nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = body, torch.nn.Linear(width, 2)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(*inputs).float())


def ours(depth: int, *, bf16: bool, padded: bool = False, by_rows: bool = False) -> float:
    fed = tokenised(texts, backbone.preparation)
    if padded:
        ids = np.full((len(fed), 128), fed.pad_id, dtype=np.int32)
        for i, start in enumerate(fed.starts[:-1]):
            tokens = fed.ids[start : fed.starts[i + 1]][:128]
            ids[i, : len(tokens)] = tokens
        fed = replace(fed, ids=ids.ravel(), starts=np.arange(len(fed) + 1) * 128)
    trainable = open_for_training(backbone)
    trainable.module.to(device())
    if by_rows:
        ids = tokenised(everything, backbone.preparation).vocabulary  # of the whole table, as in a fit of it
        trainable, _ = only_rows(trainable, word_embeddings(trainable), ids)
    body = TextParts(trainable, fed).at(depth)
    network = Classifier(body.module, backbone.width)
    wanted = torch.from_numpy(labels)

    def loss(logits: torch.Tensor, numbers: torch.Tensor, smoothing: float) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, wanted[numbers].to(logits.device), reduction="none")

    count = options.theirs if padded else options.examples
    recipe = Recipe(depth, 1e-5, WARM_UP + count // BATCH, BATCH, bf16=bf16)
    groups = [*body.groups, list(network.head.parameters())]
    tuning = Tuning(network, groups, body.plain, loss, recipe, device=device(), dropout=True)
    ends = [time.perf_counter() for _ in tuning]
    return (len(ends) - WARM_UP) * BATCH / (ends[-1] - ends[WARM_UP - 1])


def padding() -> float:
    """The share of padding among all tokens of an epoch: what packing texts behind each other could save at most."""
    feed = tokenised(texts, backbone.preparation)
    masks = [part[1] for batch in feed.batches(BATCH, epoch=0, seed=0) for _, part in feed.parts(batch, epoch=0)]
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)


def theirs() -> float:
    ends: list[float] = []
    recipe = TrainerRecipe(batch=BATCH, steps=WARM_UP + options.theirs // BATCH, padded=True)
    folder = find("all-MiniLM-L6-v2").path
    by_trainer(folder, texts, labels, [], recipe=recipe, on_step=lambda: ends.append(time.perf_counter()))
    return (len(ends) - WARM_UP) * BATCH / (ends[-1] - ends[WARM_UP - 1])


half = may_train_in_bf16()
trainer, tuned = theirs(), ours(6, bf16=half)
kind = "bfloat16" if half else "float32"
print(f"Trainer, padded to 128, float32     {trainer:7.1f} examples/s")
print(f"headstart, {kind}, length buckets  {tuned:7.1f} examples/s, {tuned / trainer:.1f} times as many")
print(f"  the embeddings' rows trained too  {ours(7, bf16=half, by_rows=True):7.1f} examples/s")
print(f"  all of the embeddings             {ours(7, bf16=half):7.1f} examples/s")
print(f"  in float32                        {ours(6, bf16=False):7.1f} examples/s")
print(f"  in float32, padded to 128         {ours(6, bf16=False, padded=True):7.1f} examples/s")
print(f"padding in length buckets: {padding():.1%} of the tokens")
