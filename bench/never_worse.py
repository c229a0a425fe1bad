"""Claim: `auto` is never much worse than the better of probe and tuned model, whatever the data and however few.

    python bench/never_worse.py RESULTS.csv DATA... [--sizes 5 25 0] [--seeds 0 1 2] [--budget 2m] [--table]

DATA is a folder or a table, or TRAIN:TEST. For each of them, each number of examples a class (0: all) and each seed:
the probe, the tuned model (`--how tune`), and what `auto` takes by the verdict of the same run; accuracy on the same
test part. A line of RESULTS.csv a cell; cells that are there already are not run again. `--table` only prints.
"""

import csv
import tempfile
from argparse import Namespace
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
from common import arguments, asked, in_parts, small_text_model, texts

import headstart as hs
from headstart.values import Dataset

ERRORS = ("gain_errors", "right_errors")  # of the verdict
FIELDS = ("data", "size", "seed", "n_train", "n_test", "probe", "tune", "share", "better", *ERRORS)


def some(dataset: Dataset, size: int, seed: int) -> Dataset:
    """`size` examples of each class to learn from; the test part is what the whole data set has."""
    if dataset.parts is None:
        parts = np.array(["train"] * len(dataset), dtype=object)
        rng = np.random.default_rng(1000 + seed)
        for c in range(len(dataset.classes)):
            mine = rng.permutation(np.flatnonzero(dataset.y == c))
            parts[mine[: max(1, len(mine) // 5)]] = "test"
    else:
        tested = "test" if "test" in dataset.parts else "val"
        parts = np.array(["test" if part == tested else "train" for part in dataset.parts], dtype=object)
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(parts == "test")
    for c in range(len(dataset.classes)):
        mine = rng.permutation(np.flatnonzero((dataset.y == c) & (parts == "train")))
        kept = np.concatenate([kept, mine[: size or len(mine)]])
    kept = np.sort(kept)
    return replace(dataset.take(kept), parts=[str(part) for part in parts[kept]])


def frame(dataset: Dataset) -> pandas.DataFrame:
    inputs = {dataset.modality.kind: list(dataset.inputs)}
    return pandas.DataFrame({**inputs, "label": list(dataset.targets), "split": dataset.parts})


def cell(name: str, dataset: Dataset, size: int, seed: int, options: Namespace) -> dict[str, object]:
    table = frame(some(dataset, size, seed))
    asked = {"model": options.model or dataset.modality.default_model, "seed": seed}
    with tempfile.TemporaryDirectory() as work:
        probe = hs.fit(table, how="probe", out=f"{work}/probe", **asked).summary
        tuned = hs.fit(table, how="tune", budget=options.budget, out=f"{work}/tune", **asked).summary
    verdict = (tuned["tuning"] or {}).get("verdict") or {}
    return {
        "data": name,
        "size": size or "all",
        "seed": seed,
        "n_train": probe["n_train"],
        "n_test": probe["n_test"],
        "probe": probe["accuracy"],
        "tune": tuned["accuracy"],
        "share": (tuned["tuning"] or {}).get("share"),
        "better": bool(verdict.get("tuned_is_better")),
        **{key: round(verdict.get(key, 0.0), 2) for key in ERRORS},
    }


def known(results: Path) -> list[dict[str, str]]:
    if not results.exists():
        return []
    with results.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(data: str, options: Namespace) -> None:
    """The cells of one data set that are not known yet."""
    dataset, name = in_parts(data), Path(data.partition(":")[0]).stem
    for size in options.sizes:
        for seed in options.seeds:
            wanted = (name, str(size or "all"), str(seed))
            if any((r["data"], r["size"], r["seed"]) == wanted for r in known(options.results)):
                continue
            row = cell(name, dataset, size, seed, options)
            new = not options.results.exists()
            with options.results.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, FIELDS)
                if new:
                    writer.writeheader()
                writer.writerow(row)
            print(row, flush=True)


def taken(row: dict[str, str]) -> str:
    """By `--how auto`."""
    return "tune" if row["better"] == "True" else "probe"


def show(found: list[dict[str, str]]) -> None:
    cells = defaultdict(list)
    for row in found:
        cells[row["data"], row["size"]].append(row)
    print("\n| data | examples a class | test | probe | tune | auto | taken | behind the better |")
    print("|---|---|---|---|---|---|---|---|")
    behind, behind_in_cells = [], []
    for (name, size), rows in cells.items():
        runs = [{"probe": float(r["probe"]), "tune": float(r["tune"]), "auto": float(r[taken(r)])} for r in rows]
        probe, tune, auto = (float(np.mean([run[k] for run in runs])) for k in ("probe", "tune", "auto"))
        behind += [100 * (max(run["probe"], run["tune"]) - run["auto"]) for run in runs]
        behind_in_cells.append(100 * (max(probe, tune) - auto))
        took = ", ".join(map(taken, rows))
        shown = f"| {probe:.3f} | {tune:.3f} | {auto:.3f} | {took} | {behind_in_cells[-1]:.1f} |"
        print(f"| {name} | {size} | {rows[0]['n_test']} {shown}")
    if behind:
        for what, points in (("rows of this table", behind_in_cells), ("single runs", behind)):
            told = f"{np.mean(points):.2f} points in the mean, {max(points):.1f} at most"
            print(f"\nbehind the better one, {what}: {told}")


def small(work: Path) -> list[object]:
    data = texts(work / "texts.csv", 60), "--model", small_text_model(work / "bert")
    return [work / "results.csv", *data, "--sizes", 10, "--seeds", 0, "--budget", "8s"]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("data", nargs="*")
    parser.add_argument("--sizes", nargs="+", type=int, default=[5, 25, 0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--budget", default="2m")
    parser.add_argument("--model", help="default: the starter for these data")
    parser.add_argument("--table", action="store_true")
    with asked(parser, small) as options:
        for data in [] if options.table else options.data:
            run(data, options)
        show(known(options.results))


if __name__ == "__main__":
    main()
