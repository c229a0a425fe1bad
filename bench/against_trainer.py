"""Claim: of many texts, a fit learns no less than three epochs of the Hugging Face Trainer do.

    pip install accelerate
    python bench/against_trainer.py TRAIN TEST [--rate 1e-4] [--budget 42m] [--seeds 0]

TRAIN and TEST are tables of texts and labels. Both train the same MiniLM. The Trainer has what it has for speed:
texts of similar length together, and bfloat16 where the processor has it; what is not said here is its default. A fit
holds some of TRAIN out, searches if there is time, and decides by itself. Accuracy and log loss on TEST, seconds;
the Trainer's log loss is told at the temperature that suits TEST best, which a fit may not know.
"""

import argparse
import os
import tempfile
import time

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does; for both

import numpy as np
from by_trainer import TrainerRecipe, both_read, by_trainer

import headstart as hs
from headstart.encode.engines import may_train_in_bf16
from headstart.evaluate.calibration import temperature
from headstart.evaluate.scores import evaluate
from headstart.pretrained.find import find
from headstart.values import Scores

MODEL = "all-MiniLM-L6-v2"

parser = argparse.ArgumentParser()
parser.add_argument("train")
parser.add_argument("test")
parser.add_argument("--rate", type=float, default=1e-4)
parser.add_argument("--budget", default="42m")
parser.add_argument("--seeds", nargs="+", type=int, default=[0])
options = parser.parse_args()

dataset, train, test = both_read(options.train, options.test)
texts, asked, wanted = dataset.take(train).inputs, dataset.take(test).inputs, dataset.y[test]


def told(name: str, scores: Scores, seconds: float) -> None:
    print(f"{name:20} accuracy {scores.accuracy:.4f}  log loss {scores.log_loss:.4f}  {seconds:6.0f} s", flush=True)


recipe = TrainerRecipe(options.rate, batch=32, bf16=may_train_in_bf16(), by_length=True)
for seed in options.seeds:
    begun = time.perf_counter()
    logits = by_trainer(find(MODEL).path, texts, dataset.y[train], asked, recipe=recipe, seed=seed)
    logits = (logits / temperature(logits, wanted)).astype(np.float32)
    theirs = evaluate(logits, wanted, classes=dataset.classes, majority_class=dataset.classes[0])
    told(f"Trainer, seed {seed}", theirs, time.perf_counter() - begun)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        fitted = hs.fit(
            options.train,
            test=options.test,
            model=MODEL,
            how="tune",
            budget=options.budget,
            seed=seed,
            out=f"{home}/fit",
        )
    told(f"headstart, seed {seed}", fitted.scores, time.perf_counter() - begun)
