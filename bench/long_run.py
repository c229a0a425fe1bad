"""Claim: of very many texts, batches of 64 and trained word embeddings make a better model than 32 and frozen ones.

    python bench/long_run.py TRAIN TEST [--seeds 1] [--texts N]     (tables of texts and labels: those of SST-2)

Eleven settings of a long run, each at one of two values in twelve runs (Plackett and Burman, The Design of Optimum
Multifactorial Experiments, 1946): in the six runs with one value every other setting is at its first value as often as
in the six with the other. What is printed is the second value's mean over the first's: the accuracy on TEST, and its
log loss at the temperature that suits it best. On a GPU a run takes minutes, on a CPU a quarter of an hour.
"""

import math
import os
from contextlib import ExitStack
from dataclasses import replace
from unittest import mock

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does

import numpy as np
import torch
from common import arguments, asked
from many_texts import Texts, half_a_cosine, opened, small_tables, tables

from headstart.adapt import loop as training
from headstart.adapt.loop import Recipe
from headstart.adapt.policy import TUNING
from headstart.encode.engines import may_train_in_bf16
from headstart.evaluate.paired_test import HeldOut

SETTINGS = {
    "embeddings trained": (False, True),
    "rate": (1.5e-4, 3.5e-4),
    "averaged share": (0.05, 0.25),
    "layer decay": (0.8, 0.95),
    "label smoothing": (0.0, 0.1),
    "batch": (32, 64),
    "weight decay": (0.01, 0.1),
    "epochs": (2, 4),
    "second moment": (0.999, 0.98),
    "head's rate": (1.0, 0.3),
    "half a cosine": (False, True),
}
FIRST = (1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0)
DESIGN = np.array([np.roll(FIRST, shift) for shift in range(11)] + [[0] * 11])
rates, adamw = training.rates, torch.optim.AdamW


def learned(texts: Texts, rows: np.ndarray, at: dict[str, float], seed: int) -> HeldOut:
    batch = int(at["batch"])
    steps = int(at["epochs"]) * math.ceil(len(rows) / batch)
    depth = texts.depth - (not at["embeddings trained"])
    more = {"smoothing": at["label smoothing"], "averaged": at["averaged share"], "bf16": may_train_in_bf16()}

    def rates_with_the_heads(groups: list, rate: float) -> list:
        *below, head = rates(groups, rate)
        return [*below, head | {name: at["head's rate"] * rate for name in ("highest", "lr")}]

    def forgetting(groups: list, *, fused: bool) -> torch.optim.AdamW:
        return adamw(groups, fused=fused, betas=(0.9, at["second moment"]))

    with ExitStack() as patched:
        for where, name, value in (
            (training, "TUNING", replace(TUNING, layer_decay=at["layer decay"], weight_decay=at["weight decay"])),
            (training, "rates", rates_with_the_heads),
            (training, "schedule", half_a_cosine if at["half a cosine"] else training.schedule),
            (torch.optim, "AdamW", forgetting),
        ):
            patched.enter_context(mock.patch.object(where, name, value))
        return texts.learned(Recipe(depth, at["rate"], steps, batch, **more), rows, seed=seed)


def main() -> None:
    parser = arguments(__doc__)
    tables(parser)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--texts", type=int, help="of the training part, so many only")
    with asked(parser, small_tables) as options:
        texts = opened(options)
        found = np.empty((options.seeds, len(DESIGN), 2))
        for seed in range(options.seeds):
            for number, row in enumerate(DESIGN):
                at = {name: values[level] for (name, values), level in zip(SETTINGS.items(), row, strict=True)}
                one = learned(texts, texts.learn[: options.texts], at, seed)
                found[seed, number] = one.accuracy, one.log_loss
                told = f"accuracy {one.accuracy:.4f}  log loss {one.log_loss:.4f}  {at}"
                print(f"seed {seed}, run {number}: {told}", flush=True)
        mean = found.mean(axis=0)
        print(f"all: accuracy {mean[:, 0].mean():.4f}  log loss {mean[:, 1].mean():.4f}")
        for column, (name, (before, after)) in enumerate(SETTINGS.items()):
            high = DESIGN[:, column] == 1
            accuracy, log_loss = mean[high].mean(axis=0) - mean[~high].mean(axis=0)
            print(f"{name:20} {before} -> {after}: accuracy {accuracy:+.4f}  log loss {log_loss:+.4f}")


if __name__ == "__main__":
    main()
