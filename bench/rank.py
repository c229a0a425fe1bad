"""Claims: ranking three models takes at most 1.3 times what encoding takes, and its order is that of full fits.

    python bench/rank.py FLOWERS HYMENOPTERA [--seeds 0 1 2] [--repeat 2]      (the textile photos are packaged)

Time, on FLOWERS: a new process with an empty cache each, in turn. `rank` is the whole call, reading and checking
included; encoding is opening the three models and encoding the same sample, nothing else. The faster of the repeats
counts. Beside it stand processor seconds, which say more where others use the machine, and the ratio to encoding all
photos of FLOWERS, of which the sample leaves out the test part.

Order, on the three data sets together: the scores of rank against held-out accuracy and log loss of full fits, for each
model, data set and seed. Both are centred within each data set and seed (so that it counts which model is better, not
which data are easier), and Spearman's coefficient is taken over all of them: at least 0.5. It is printed for each seed
by itself and for the means over the seeds (then centred within each data set), since one test part of 120 photos
orders models of nearly the same quality by luck; and for each score that rank gives, since that is why it sorts by log
loss.
"""

import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

import numpy as np
from common import arguments, asked, packaged, photos, small_photo_model
from scipy.stats import spearmanr

import headstart as hs

MODELS = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
START = """
import sys, time
import headstart as hs
data, models = sys.argv[1], sys.argv[2:]
def clocks():
    return time.perf_counter(), time.process_time()
start = clocks()
"""
RANK = """
hs.rank(data, models=models, budget="1h")
print(*(now - then for now, then in zip(clocks(), start)))
"""
ENCODE = """
from headstart.encode.encode import encode
from headstart.pretrained.load import load
imported = clocks()
from headstart.data.check import check
from headstart.data.read import read
from headstart.data.sampling import sample
from headstart.data.split import split
from headstart.tasks.table import TASKS
from headstart.values import Request
dataset = check(read(Request(data), TASKS))
some = sample(dataset, split(dataset).train) if {part} else dataset
begun = clocks()
for name in models:
    encode(some.inputs, some.checked_digests, load(name, kind=dataset.modality.kind))
print(*(done - at + first - then for done, at, first, then in zip(clocks(), begun, imported, start)))
"""


def seconds(code: str, data: str, models: list[str]) -> list[float]:
    """Of wall and of processor, of what the code measures."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", START + code, data, *models],
            env={**os.environ, "HEADSTART_CACHE": cache},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return [float(value) for value in done.stdout.split()]


def times(data: str, models: list[str], repeat: int) -> None:
    codes = (RANK, ENCODE.format(part=True), ENCODE.format(part=False))
    runs = np.array([[seconds(code, data, models) for code in codes] for _ in range(repeat)])
    for clock, name in enumerate(("wall", "processor")):
        rank, part, whole = runs[:, :, clock].min(axis=0)
        print(
            f"{name:9} rank {rank:.1f} s, encoding the sample {part:.1f} s: ratio {rank / part:.2f} (at most 1.3);",
            end="",
        )
        print(f" all photos {whole:.1f} s: {rank / whole:.2f}   each run: {runs[:, :, clock].round(1).tolist()}")
    print(flush=True)


def scores(name: str, data: str, models: list[str], seed: int) -> list[dict]:
    """A row a model: what rank says, and what a fit says on the test part."""
    ranking = hs.rank(data, models=models, seed=seed, budget="1h")
    rows = []
    for row in sorted(ranking.rows, key=lambda row: row.model):
        with tempfile.TemporaryDirectory() as folder:
            told = hs.fit(data, model=row.model, seed=seed, out=f"{folder}/model").summary
        rows.append(
            {
                "data": name,
                "seed": seed,
                "model": row.model,
                "taken": row.model == ranking.choice,
                "log loss": -row.log_loss,
                "accuracy": row.accuracy,
                "LogME": row.logme,
                "neighbours": row.neighbours,
                "held-out accuracy": told["accuracy"],
                "held-out log loss": -told["log_loss"],
                "separation": row.separation,
            }
        )
        ours = f"{row.log_loss:8.3f} {row.accuracy:8.3f} {row.logme:7.3f} {row.neighbours:6.3f} {row.separation:10.1f}"
        full = f"{told['accuracy']:8.3f} {told['log_loss']:8.3f}  ({ranking.n}, {told['n_test']})"
        star = "*" if rows[-1]["taken"] else " "
        print(f"{name:12} {seed:4} {row.model:19}{star} {ours}   {full}", *ranking.warnings, flush=True)
    return rows


def centred(rows: list[dict], key: str, *, by: tuple[str, ...]) -> np.ndarray:
    groups = [tuple(row[name] for name in by) for row in rows]
    values = np.array([row[key] for row in rows])
    means = {group: np.mean([v for v, g in zip(values, groups, strict=True) if g == group]) for group in groups}
    return values - [means[group] for group in groups]


def over_seeds(rows: list[dict]) -> list[dict]:
    keys = list(dict.fromkeys((row["data"], row["model"]) for row in rows))
    numbers = [key for key, value in rows[0].items() if isinstance(value, float)]
    means = []
    for data, model in keys:
        mine = [row for row in rows if (row["data"], row["model"]) == (data, model)]
        means.append({"data": data, "model": model, **{key: np.mean([row[key] for row in mine]) for key in numbers}})
    return means


def correlations(table: list[dict]) -> None:
    print("Spearman's coefficient      each seed              mean over seeds")
    print("against held-out:           accuracy log loss      accuracy log loss")
    for score in ("log loss", "accuracy", "LogME", "neighbours"):
        found = []
        for rows, by in ((table, ("data", "seed")), (over_seeds(table), ("data",))):
            for truth in ("held-out accuracy", "held-out log loss"):
                found.append(spearmanr(centred(rows, score, by=by), centred(rows, truth, by=by)).statistic)
        print(f"by {score:24} {found[0]:8.2f} {found[1]:8.2f}      {found[2]:8.2f} {found[3]:8.2f}")


def choices(cells: list[list[dict]]) -> None:
    ways = {
        "taken by auto": [next(row for row in cell if row["taken"]) for cell in cells],
        "lowest log loss in rank": [max(cell, key=lambda row: row["log loss"]) for cell in cells],
        "always the starter": [cell[0] for cell in cells],
        "best in hindsight": [max(cell, key=lambda row: row["held-out accuracy"]) for cell in cells],
    }
    print()
    for name, picked in ways.items():
        accuracy, loss = (np.mean([row[key] for row in picked]) for key in ("held-out accuracy", "held-out log loss"))
        print(f"{name:24} held-out accuracy {accuracy:.3f}, log loss {-loss:.3f}")


def order(options: Namespace) -> None:
    print("                                  rank on a sample                                full fit, held out")
    print("data         seed model                log loss accuracy   LogME   5-NN separation   accuracy log loss")
    sets = {"flowers": options.flowers, "hymenoptera": options.hymenoptera, "textile": options.textile or packaged()}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HEADSTART_CACHE"] = cache
        cells = [scores(name, data, options.models, seed) for name, data in sets.items() for seed in options.seeds]
    print("* taken by --model auto; in brackets the examples in the sample and in the test part\n")
    correlations([row for cell in cells for row in cell])
    choices(cells)


def small(work: Path) -> list[object]:
    """The same few photos as all three data sets."""
    models = [small_photo_model(work / str(seed) / "model.onnx", seed=seed) for seed in range(2)]
    data = photos(work / "photos", 6)
    return [data, data, "--textile", data, "--models", *models, "--seeds", 0, "--repeat", 1]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("flowers")
    parser.add_argument("hymenoptera")
    parser.add_argument("--textile", help="default: the packaged photos")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--only-time", action="store_true")
    with asked(parser, small) as options:
        times(options.flowers, options.models, options.repeat)
        if not options.only_time:
            order(options)


if __name__ == "__main__":
    main()
