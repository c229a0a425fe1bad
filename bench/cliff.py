"""Claim: on a small model no learning rate has to be guessed, where a usual one loses many points.

    pip install accelerate
    python bench/cliff.py TRAIN TEST [--layers 2] [--budget 2m] [--seeds 0 1 2]

TRAIN and TEST are tables of texts and labels. The model is the lower layers of MiniLM, as small as BERT-tiny but
for its width. transformers' Trainer trains all of it with the recipes of two model cards of BERT-tiny, which are 17 F1
apart on SQuAD, and with its own defaults; `fit --how tune` searches. Accuracy on TEST, seconds, and the rates that
the search tried.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "30000")  # as the command line does; for both

import numpy as np
from by_trainer import TrainerRecipe, both_read, by_trainer

import headstart as hs
from headstart.pretrained.find import find

RECIPES = {
    "anas-awadalla/bert-tiny-finetuned-squad": TrainerRecipe(rate=2e-5, batch=32, epochs=2),
    "srcocotero/tiny-bert-qa": TrainerRecipe(rate=3e-5, batch=5),
    "the Trainer's defaults": TrainerRecipe(),
}

parser = argparse.ArgumentParser()
parser.add_argument("train")
parser.add_argument("test")
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--budget", default="2m")
parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
options = parser.parse_args()


def small(folder: Path) -> Path:
    """The lower layers of MiniLM, in a folder."""
    from transformers import AutoModel, AutoTokenizer

    source = find("all-MiniLM-L6-v2").path
    model = AutoModel.from_pretrained(source)
    model.encoder.layer = model.encoder.layer[: options.layers]
    model.config.num_hidden_layers = options.layers
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def theirs(folder: Path, recipe: TrainerRecipe, seed: int) -> float:
    texts, asked = dataset.take(train).inputs, dataset.take(test).inputs
    logits = by_trainer(folder, texts, dataset.y[train], asked, recipe=recipe, seed=seed)
    return float((logits.argmax(1) == dataset.y[test]).mean())


def told(name: str, accuracies: list[float], seconds: float, more: str = "") -> None:
    each = ", ".join(f"{accuracy:.3f}" for accuracy in accuracies)
    print(f"{name:42} {np.mean(accuracies):.3f} ({each})  {seconds / len(accuracies):5.0f} s each  {more}", flush=True)


dataset, train, test = both_read(options.train, options.test)
with tempfile.TemporaryDirectory() as work:
    folder = small(Path(work) / "small")
    for name, recipe in RECIPES.items():
        begun = time.perf_counter()
        found = [theirs(folder, recipe, seed) for seed in options.seeds]
        told(f"{name}, {recipe.rate:.0e}", found, time.perf_counter() - begun)
    for how in ("probe", "tune"):
        begun, found, tried = time.perf_counter(), [], set()
        for seed in options.seeds:
            fitted = hs.fit(
                options.train,
                test=options.test,
                model=str(folder),
                how=how,
                budget=options.budget,
                seed=seed,
                out=f"{work}/{how}-{seed}",
            )
            found.append(fitted.summary["accuracy"])
            tried |= {trial["rate"] for trial in (fitted.summary["tuning"] or {}).get("trials", [])}
        told(
            f"headstart, --how {how}", found, time.perf_counter() - begun, ", ".join(f"{r:.0e}" for r in sorted(tried))
        )
