"""Claim: where there is nothing to learn, `auto` keeps the probe, but for about one fit in twenty.

    python bench/chance.py [--examples 30 60 300] [--fits 25] [--budget 60s]

Labels of chance on texts of chance, a BERT of three narrow layers with random weights: whatever a tuned model seems to
gain there is noise, and choosing the recipe on the examples that it is judged on.
"""

import random
import tempfile
from pathlib import Path

from common import arguments, asked, small_text_model

import headstart as hs

WORDS = ["where", "is", "my", "the", "rate", "new", "it", "?", "card", "pin"]


def fitted(model: Path, n: int, *, seed: int, budget: str) -> str:
    """How `auto` ended."""
    rng = random.Random(seed)
    labels = ["this", "that"] * (n // 2)
    rng.shuffle(labels)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(6, 9))) for _ in labels]
    return hs.fit(texts, labels, model=model, how="auto", seed=seed, budget=budget).summary["how"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--examples", nargs="+", type=int, default=[30, 60, 300])
    parser.add_argument("--fits", type=int, default=25)
    parser.add_argument("--budget", default="60s")
    with (
        asked(parser, lambda work: ["--examples", 30, "--fits", 1, "--budget", "8s"]) as options,
        tempfile.TemporaryDirectory() as work,
    ):
        model = small_text_model(Path(work, "bert"))
        print("| examples | fits | tuned model taken |\n|---|---|---|")
        for n in options.examples:
            ends = [fitted(model, n, seed=seed, budget=options.budget) for seed in range(options.fits)]
            print(f"| {n} | {options.fits} | {ends.count('tune')} |", flush=True)


if __name__ == "__main__":
    main()
