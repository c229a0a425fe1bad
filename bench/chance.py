"""Claim: where there is nothing to learn, `auto` keeps the probe, but for about one fit in twenty.

    python bench/chance.py [--examples 30 60 300] [--fits 25]

Labels of chance on texts of chance, a BERT of three narrow layers with random weights: whatever a tuned model seems to
gain there is noise, and choosing the recipe on the examples that it is judged on.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import headstart as hs
from small_models import small_text_model

WORDS = ["where", "is", "my", "the", "rate", "new", "it", "?", "card", "pin"]

parser = argparse.ArgumentParser()
parser.add_argument("--examples", nargs="+", type=int, default=[30, 60, 300])
parser.add_argument("--fits", type=int, default=25)
options = parser.parse_args()

print("| examples | fits | tuned model taken |\n|---|---|---|")
with tempfile.TemporaryDirectory() as work:
    small_text_model("bert", Path(work, "bert"))
    for n in options.examples:
        taken = 0
        for seed in range(options.fits):
            rng = random.Random(seed)
            labels = ["this", "that"] * (n // 2)
            rng.shuffle(labels)
            texts = [" ".join(rng.choices(WORDS, k=rng.randint(6, 9))) for _ in labels]
            fitted = hs.fit(texts, labels, model=f"{work}/bert", how="auto", seed=seed, budget=60)
            taken += fitted.summary["how"] == "tune"
        print(f"| {n} | {options.fits} | {taken} |", flush=True)
