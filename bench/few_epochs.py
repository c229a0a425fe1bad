"""Claim: in a run of few epochs, a rate that falls in a straight line ends in a better model than half a cosine does.

    python bench/few_epochs.py TRAIN TEST [--examples 40000] [--seeds 3]     (tables of texts and labels: SST-2)

Both learn from the same texts, the less sure half of twice as many, in the same steps of 64, as a fit does that has no
time to see each text. Whatever a step takes here, the same is learned; on a GPU a run takes seconds. The accuracy on
TEST, and its log loss at the temperature that suits it best.
"""

import math
from unittest import mock

import numpy as np
from common import arguments, asked
from many_texts import Texts, half_a_cosine, opened, small_tables, tables

from headstart.adapt import loop as training
from headstart.adapt.loop import Recipe
from headstart.encode.engines import may_train_in_bf16
from headstart.evaluate.paired_test import HeldOut

BATCH, RATE = 64, 4e-4 * math.sqrt(2)


def learned(texts: Texts, way: object, examples: int, seed: int) -> HeldOut:
    rows = texts.worth_most(examples, seed=seed)
    steps = math.ceil(len(rows) / BATCH)
    recipe = Recipe(texts.depth - 1, RATE, steps, BATCH, bf16=may_train_in_bf16(), dropout=False)
    with mock.patch.object(training, "schedule", way):
        return texts.learned(recipe, rows, seed=seed)


def main() -> None:
    parser = arguments(__doc__)
    tables(parser)
    parser.add_argument("--examples", type=int, default=40_000)
    parser.add_argument("--seeds", type=int, default=3)
    with asked(parser, lambda work: [*small_tables(work), "--examples", 20, "--seeds", 1]) as options:
        texts = opened(options)
        for name, way in (("half a cosine", half_a_cosine), ("straight", training.schedule)):
            found = [learned(texts, way, options.examples, seed) for seed in range(options.seeds)]
            runs = np.array([(one.accuracy, one.log_loss) for one in found])
            print(f"{name:14} accuracy {runs[:, 0].mean():.4f}  log loss {runs[:, 1].mean():.4f}", end="  ")
            print(f"(seeds: {', '.join(f'{accuracy:.4f}' for accuracy in runs[:, 0])})", flush=True)


if __name__ == "__main__":
    main()
