"""Claim: of many texts, a fit learns no less than three epochs of the Hugging Face Trainer do.

    pip install accelerate
    python bench/against_trainer.py TRAIN TEST [--rate 1e-4] [--budget 42m] [--seeds 0]

TRAIN and TEST are tables of texts and labels. Both train the same MiniLM. The Trainer has what it has for speed:
texts of similar length together, and bfloat16 where the processor has it; what is not said here is its default. A fit
holds some of TRAIN out, searches if there is time, and decides by itself. Accuracy and log loss on TEST, seconds;
the Trainer's log loss is told at the temperature that suits TEST best, which a fit may not know.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from by_trainer import TrainerRecipe, both_read, by_trainer
from common import arguments, asked, installed, small_text_model, texts

import headstart as hs
from headstart.encode.engines import may_train_in_bf16
from headstart.evaluate.calibration import temperature
from headstart.evaluate.classification import evaluate
from headstart.pretrained.find import find
from headstart.task import Scores


def theirs(model: str, train: str, test: str, *, recipe: TrainerRecipe, seed: int) -> Scores:
    dataset, learn, judge = both_read(train, test)
    inputs, wanted = dataset.take(learn).inputs, dataset.y[judge]
    logits = by_trainer(
        find(model).path, inputs, dataset.y[learn], dataset.take(judge).inputs, recipe=recipe, seed=seed
    )
    logits = (logits / temperature(logits, wanted)).astype(np.float32)
    return evaluate(logits, wanted, classes=dataset.classes, majority_class=dataset.classes[0])


def ours(model: str, train: str, test: str, *, budget: str, seed: int) -> Scores:
    with tempfile.TemporaryDirectory() as home:
        return hs.fit(train, test=test, model=model, how="tune", budget=budget, seed=seed, out=f"{home}/fit").scores


def told(name: str, scores: Scores, begun: float) -> None:
    seconds = time.perf_counter() - begun
    print(f"{name:20} accuracy {scores.accuracy:.4f}  log loss {scores.log_loss:.4f}  {seconds:6.0f} s", flush=True)


def small(work: Path) -> list[object]:
    data = texts(work / "train.csv", 48), texts(work / "test.csv", 24, seed=1)
    return [*data, "--model", small_text_model(work / "bert"), "--budget", "8s"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--budget", default="42m")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    with asked(parser, small) as options:
        recipe = TrainerRecipe(options.rate, batch=32, bf16=may_train_in_bf16(), by_length=True)
        peer = installed("accelerate", needed_for="the Trainer")
        for seed in options.seeds:
            data = options.model, options.train, options.test
            if peer:
                begun = time.perf_counter()
                told(f"Trainer, seed {seed}", theirs(*data, recipe=recipe, seed=seed), begun)
            begun = time.perf_counter()
            told(f"headstart, seed {seed}", ours(*data, budget=options.budget, seed=seed), begun)


if __name__ == "__main__":
    main()
