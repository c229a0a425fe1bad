"""Claim: labels, numbers and pairs of texts are learned no worse than by the Hugging Face Trainer, in less time.

    pip install accelerate
    python bench/tasks_against_trainer.py TRAIN TEST [--how probe] [--budget 5m] [--seeds 0 1 2] [--epochs 3]

TRAIN and TEST are tables; the task is seen as a fit sees it. Both adapt the same weights. The Trainer has the defaults
of transformers' text-classification example (5e-5, batches of 8, three epochs, 128 tokens), texts of similar length
together and bfloat16 where the processor has it, and gives the labels whose probability is over a half. All metrics of
the task on TEST, seconds; of classes, the difference in accuracy, paired by example, in the mean of the seeds.
"""

import math
import tempfile
import time
from pathlib import Path

import numpy as np
from by_trainer import TrainerRecipe, both_read, by_trainer
from common import arguments, asked, installed, small_text_model

import headstart as hs
from headstart.backbone import Head
from headstart.encode.engines import may_train_in_bf16
from headstart.pretrained.find import find
from headstart.task import Scores
from headstart.values import Dataset


def theirs(
    model: str, dataset: Dataset, learn: np.ndarray, judge: np.ndarray, *, recipe: TrainerRecipe, seed: int
) -> tuple[Scores, np.ndarray]:
    """Scores, and (n,) which examples are right where there are classes."""
    y, inputs = dataset.y, dataset.take(learn).inputs
    y = y.astype(np.float32) if y.ndim == 2 else y
    outputs = by_trainer(find(model).path, inputs, y[learn], dataset.take(judge).inputs, recipe=recipe, seed=seed)
    names = dataset.classes or ("value",)
    nothing = np.zeros((len(names), 1), dtype=np.float32)
    head = Head(names, nothing, nothing[:, 0], "", penalty=0.0, temperature=1.0, thresholds=(0.5,) * len(names))
    scores = dataset.task.scorer.score(head, outputs.reshape(len(judge), -1), dataset, judge, None)
    return scores, outputs.reshape(len(judge), -1).argmax(axis=1) == y[judge] if y.ndim == 1 else np.empty(0)


def ours(options: object, dataset: Dataset, judge: np.ndarray, seed: int) -> tuple[Scores, np.ndarray]:
    with tempfile.TemporaryDirectory() as home:
        model = hs.fit(
            options.train,
            test=options.test,
            model=options.model,
            how=options.how,
            budget=options.budget,
            seed=seed,
            out=f"{home}/fit",
        )
        if "accuracy" not in model.scores.values:
            return model.scores, np.empty(0)
        test = dataset.take(judge)
        given = model.predict_proba(list(test.inputs)).argmax(axis=1)
        return model.scores, np.array(model.classes)[given] == np.array(test.targets)


def told(name: str, scores: Scores, begun: float) -> None:
    figures = "  ".join(f"{key} {value:.4f}" for key, value in scores.values.items())
    print(f"{name:20} {figures}  {time.perf_counter() - begun:6.0f} s", flush=True)


def compared(mine: list[np.ndarray], other: list[np.ndarray]) -> None:
    """The difference by example in the mean of the seeds, and the seeds' spread."""
    by_seed = np.array(mine, dtype=np.float64) - np.array(other, dtype=np.float64)
    by_example = by_seed.mean(axis=0)
    error = 1.96 * by_example.std(ddof=1) / math.sqrt(len(by_example))
    mean, spread = by_example.mean(), by_seed.mean(axis=1)
    print(f"difference in accuracy {mean:+.4f} ({mean - error:+.4f} to {mean + error:+.4f})", end="")
    print(f"  by seed {', '.join(f'{value:+.4f}' for value in spread)}")


def small(work: Path) -> list[object]:
    words = ["card", "pin", "rate", "new", "where", "lost", "my", "it"]
    for name, n in (("train", 48), ("test", 24)):
        rows = [f"my {words[i % 8]} {i},{words[i * 3 % 8]} {name},{'ab'[i % 2]}" for i in range(n)]
        (work / f"{name}.csv").write_text("\n".join(["sentence1,sentence2,label", *rows]) + "\n", encoding="utf-8")
    model = small_text_model(work / "bert")
    return [work / "train.csv", work / "test.csv", "--model", model, "--budget", "8s", "--epochs", "1"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--how", default="auto")
    parser.add_argument("--budget", default="2m")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    with asked(parser, small) as options:
        recipe = TrainerRecipe(epochs=options.epochs, bf16=may_train_in_bf16(), by_length=True)
        peer = installed("accelerate", needed_for="the Trainer")
        dataset, learn, judge = both_read(options.train, options.test)
        mine, other = [], []
        for seed in options.seeds:
            if peer:
                begun = time.perf_counter()
                scores, right = theirs(options.model, dataset, learn, judge, recipe=recipe, seed=seed)
                told(f"Trainer, seed {seed}", scores, begun)
                other.append(right)
            begun = time.perf_counter()
            scores, right = ours(options, dataset, judge, seed)
            told(f"headstart, seed {seed}", scores, begun)
            mine.append(right)
        if peer and mine[0].size:
            compared(mine, other)


if __name__ == "__main__":
    main()
