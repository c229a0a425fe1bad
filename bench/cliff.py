"""Claim: on a small model no learning rate has to be guessed, where a usual one loses many points.

    pip install accelerate
    python bench/cliff.py TRAIN TEST [--layers 2] [--budget 2m] [--seeds 0 1 2]

TRAIN and TEST are tables of texts and labels. The model is the lower layers of MiniLM, as small as BERT-tiny but
for its width. transformers' Trainer trains all of it with the recipes of two model cards of BERT-tiny, which are 17 F1
apart on SQuAD, and with its own defaults; `fit --how tune` searches. Accuracy on TEST, seconds, and the rates that
the search tried.
"""

import tempfile
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
from by_trainer import TrainerRecipe, both_read, by_trainer
from common import arguments, asked, installed, small_text_model, texts

import headstart as hs
from headstart.pretrained.find import find

RECIPES = {
    "anas-awadalla/bert-tiny-finetuned-squad": TrainerRecipe(rate=2e-5, batch=32, epochs=2),
    "srcocotero/tiny-bert-qa": TrainerRecipe(rate=3e-5, batch=5),
    "the Trainer's defaults": TrainerRecipe(),
}


def lower_layers(name: str, layers: int, folder: Path) -> Path:
    """Of a BERT, in a folder."""
    from transformers import AutoModel, AutoTokenizer

    source = find(name).path
    model = AutoModel.from_pretrained(source)
    model.encoder.layer = model.encoder.layer[:layers]
    model.config.num_hidden_layers = layers
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def theirs(folder: Path, options: Namespace) -> None:
    dataset, train, test = both_read(options.train, options.test)
    inputs, asked = dataset.take(train).inputs, dataset.take(test).inputs
    for name, recipe in RECIPES.items():
        begun, found = time.perf_counter(), []
        for seed in options.seeds:
            logits = by_trainer(folder, inputs, dataset.y[train], asked, recipe=recipe, seed=seed)
            found.append(float((logits.argmax(1) == dataset.y[test]).mean()))
        told(f"{name}, {recipe.rate:.0e}", found, time.perf_counter() - begun)


def ours(folder: Path, options: Namespace) -> None:
    for how in ("probe", "tune"):
        begun, found, tried = time.perf_counter(), [], set()
        for seed in options.seeds:
            asked = {"how": how, "budget": options.budget, "seed": seed, "out": folder.with_name(f"{how}-{seed}")}
            summary = hs.fit(options.train, test=options.test, model=folder, **asked).summary
            found.append(summary["accuracy"])
            tried |= {trial["rate"] for trial in (summary["tuning"] or {}).get("trials", [])}
        rates = ", ".join(f"{rate:.0e}" for rate in sorted(tried))
        told(f"headstart, --how {how}", found, time.perf_counter() - begun, rates)


def told(name: str, accuracies: list[float], seconds: float, more: str = "") -> None:
    each = ", ".join(f"{accuracy:.3f}" for accuracy in accuracies)
    print(f"{name:42} {np.mean(accuracies):.3f} ({each})  {seconds / len(accuracies):5.0f} s each  {more}", flush=True)


def small(work: Path) -> list[object]:
    data = texts(work / "train.csv", 48), texts(work / "test.csv", 24, seed=1)
    return [*data, "--model", small_text_model(work / "bert"), "--budget", "8s", "--seeds", 0]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--budget", default="2m")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    with asked(parser, small) as options, tempfile.TemporaryDirectory() as work:
        folder = lower_layers(options.model, options.layers, Path(work) / "small")
        if installed("accelerate", needed_for="the Trainer"):
            theirs(folder, options)
        ours(folder, options)


if __name__ == "__main__":
    main()
