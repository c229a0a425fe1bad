"""Claim: three epochs with dropout teach more in batches of 128 than of 64, two without dropout in batches of 128 as
much as that, and the mean of several runs is better yet.

    python bench/larger_batches.py TRAIN TEST [--batches 64,128] [--rates 0.0003,0.00045] [--seeds 3] [--epochs 2]
        [--dropout]

TRAIN and TEST are tables of texts and labels, as SST-2's are. Every layer is trained, as in a fit's long run, each
batch at its rate. Printed are the accuracy on TEST and its log loss at the temperature that suits it best, of each run,
and of the mean of the runs' weights. A run takes a quarter of an hour on one core of a processor with AMX.
"""

import math

from common import arguments, asked
from many_texts import opened, small_tables, tables

from headstart.adapt.loop import Recipe
from headstart.encode.engines import may_train_in_bf16
from headstart.evaluate.paired_test import HeldOut


def tell(name: str, found: HeldOut) -> None:
    print(f"{name}: accuracy {found.accuracy:.4f}  log loss {found.log_loss:.4f}", flush=True)


def main() -> None:
    parser = arguments(__doc__)
    tables(parser)
    parser.add_argument("--batches", default="64,128", type=lambda told: [int(n) for n in told.split(",")])
    parser.add_argument("--rates", default="0.0003,0.00045", type=lambda told: [float(x) for x in told.split(",")])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--dropout", action="store_true")
    with asked(parser, lambda work: [*small_tables(work), "--batches", "16,32", "--seeds", 2, "--dropout"]) as options:
        texts = opened(options)
        for batch, rate in zip(options.batches, options.rates, strict=True):
            steps = options.epochs * math.ceil(len(texts.learn) / batch)
            more = {"bf16": may_train_in_bf16(), "averaged": 0.25, "dropout": options.dropout}
            recipe, runs = Recipe(texts.depth, rate, steps, batch, **more), []
            for seed in range(options.seeds):
                runs.append(texts.trained(recipe, texts.learn, seed=seed))
                tell(f"batches of {batch}, rate {rate:g}, seed {seed}", texts.judged(runs[-1]))
                if seed:
                    tell(f"the mean of {seed + 1} runs' weights", texts.averaged(recipe, runs))


if __name__ == "__main__":
    main()
