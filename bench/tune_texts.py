"""Claim: fine-tuning MiniLM takes at least 12 times as many examples a second as the Hugging Face Trainer does.

    pip install accelerate
    python bench/tune_texts.py TABLE [--examples 1920] [--theirs 256]     (TABLE: a TSV with columns label and text)

Both train every layer's block weights on the same texts in batches of 32, one after the other in this process. The
Trainer runs as transformers' text-classification example does by default: padded to 128 tokens, float32, AdamW. Ours
runs as `fit --how tune` does: the embeddings frozen, length buckets, bfloat16 where the processor has it. The first
steps of each are not counted. Also told: ours with the embeddings trained, by the rows that texts look up (as
in a run of few epochs) and as a whole table; and with the Trainer's padding and type.
"""

import csv
import os
import time
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does; for both

import numpy as np
import torch
from by_trainer import TrainerRecipe, by_trainer
from common import arguments, asked, installed, small_reading_model

from headstart.adapt.batches import Texts, tokenised
from headstart.adapt.loop import Recipe, Tuning
from headstart.adapt.sparse_embeddings import only_rows
from headstart.adapt.trainable_parts import TextParts
from headstart.backbone import Backbone
from headstart.encode.engines import device, may_train_in_bf16
from headstart.pretrained.find import find
from headstart.pretrained.load import load
from headstart.pretrained.training import open_for_training, word_embeddings

BATCH, WARM_UP, PADDED = 32, 3, 128


class Classifier(torch.nn.Module):
    def __init__(self, body: torch.nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = body, torch.nn.Linear(width, 2)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(*inputs).float())


@dataclass(frozen=True)
class Bench:
    """Some texts of a table, and the model."""

    everything: list[str]  # the whole table
    texts: list[str]
    labels: np.ndarray
    backbone: Backbone
    theirs: int  # examples that the Trainer is timed on

    def ours(self, *, bf16: bool, frozen: int = 1, padded: bool = False, by_rows: bool = False) -> float:
        """Examples a second; `frozen`: groups of weights from the input up, of which the embeddings are the first."""
        fed = tokenised(self.texts, self.backbone.texts)
        trainable = open_for_training(self.backbone)
        trainable.module.to(device())
        if by_rows:
            ids = tokenised(self.everything, self.backbone.texts).vocabulary  # as in a fit of the whole table
            trainable, _ = only_rows(trainable, word_embeddings(trainable.module), ids)
        body = TextParts(trainable, as_padded(fed) if padded else fed).at(len(trainable.groups) - frozen)
        network = Classifier(body.module, self.backbone.width)
        wanted = torch.from_numpy(self.labels)

        def loss(logits: torch.Tensor, numbers: torch.Tensor, smoothing: float) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(logits, wanted[numbers].to(logits.device), reduction="none")

        count = self.theirs if padded else len(self.texts)
        recipe = Recipe(len(body.groups), 1e-5, WARM_UP + count // BATCH, BATCH, bf16=bf16)
        groups = [*body.groups, list(network.head.parameters())]
        tuning = Tuning(network, groups, body.plain, loss, recipe, device=device(), dropout=True)
        return pace([time.perf_counter() for _ in tuning])

    def padding(self) -> float:
        """The share of padding among an epoch's tokens: what packing texts behind each other could save at most."""
        feed = tokenised(self.texts, self.backbone.texts)
        masks = [part[1] for batch in feed.batches(BATCH, epoch=0, seed=0) for _, part in feed.parts(batch, epoch=0)]
        return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)

    def by_trainer(self, model: str) -> float:
        ends: list[float] = []
        recipe = TrainerRecipe(batch=BATCH, steps=WARM_UP + self.theirs // BATCH, padded=True)
        data = find(model).path, self.texts, self.labels, []
        by_trainer(*data, recipe=recipe, on_step=lambda: ends.append(time.perf_counter()))
        return pace(ends)


def as_padded(fed: Texts) -> Texts:
    """Every text as long as the Trainer's."""
    ids = np.full((len(fed), PADDED), fed.pad_id, dtype=np.int32)
    for i, start in enumerate(fed.starts[:-1]):
        tokens = fed.ids[start : fed.starts[i + 1]][:PADDED]
        ids[i, : len(tokens)] = tokens
    return replace(fed, ids=ids.ravel(), starts=np.arange(len(fed) + 1) * PADDED)


def pace(ends: list[float]) -> float:
    """Examples a second, from when each step ended."""
    return (len(ends) - WARM_UP) * BATCH / (ends[-1] - ends[WARM_UP - 1])


def opened(options: Namespace) -> Bench:
    with open(options.table, encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    some = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[: options.examples]]
    labels, texts = np.array([int(row[0]) for row in some]), [row[1] for row in some]
    return Bench([row[1] for row in rows], texts, labels, load(options.model, kind="text"), options.theirs)


def small(work: Path) -> list[object]:
    rows = [f"{number % 2}\twhere is my card lost {number}" for number in range(96)]
    (work / "table.tsv").write_text("label\ttext\n" + "\n".join(rows) + "\n", encoding="utf-8")
    model = small_reading_model(work / "bert")  # for its 128 tokens and more
    return [work / "table.tsv", "--model", model, "--examples", 64, "--theirs", 32]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("table")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--examples", type=int, default=1920)
    parser.add_argument("--theirs", type=int, default=256, help="examples that the Trainer is timed on")
    with asked(parser, small) as options:
        bench, half = opened(options), may_train_in_bf16()
        peer = installed("accelerate", needed_for="the Trainer")
        trainer = bench.by_trainer(options.model) if peer else float("nan")
        print(f"Trainer, padded to 128, float32     {trainer:7.1f} examples/s", flush=True)
        tuned, kind = bench.ours(bf16=half), "bfloat16" if half else "float32"
        print(f"headstart, {kind}, length buckets  {tuned:7.1f} examples/s, {tuned / trainer:.1f} times as many")
        more = {
            "the embeddings' rows trained too": {"bf16": half, "frozen": 0, "by_rows": True},
            "all of the embeddings": {"bf16": half, "frozen": 0},
            "in float32": {"bf16": False},
            "in float32, padded to 128": {"bf16": False, "padded": True},
        }
        for name, how in more.items():
            print(f"  {name:33} {bench.ours(**how):7.1f} examples/s", flush=True)
        print(f"padding in length buckets: {bench.padding():.1%} of the tokens")


if __name__ == "__main__":
    main()
