"""Claim: a head on features that a store keeps in int8 is right as often as one on features in half precision.

    python bench/kept_in_int8.py DATA... [--model NAME] [--splits 5]

In each of some splits a probe is made on the features as they are kept in float16, and in int8; also crossed over, a
head of int8 on features in float16, which is what a saved model meets. Accuracy and log loss on the test part in the
mean; the difference is paired, its spread twice the standard error. Of the features themselves the root mean square of
what is lost as a share of theirs, and the lowest cosine; beside int8 as it is kept, the same around 0, with one step a
row and with one for every 64 numbers, and around the middle of every 64, which are not.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import arguments, asked, encoded, photos, probed, read, small_photo_model

from headstart.backbone import Features
from headstart.data.check import check
from headstart.data.split import split
from headstart.encode.forms import opened, to_int8
from headstart.encode.store import as_kept
from headstart.values import Dataset

BLOCK = 64
WAYS = ("float16", "int8", "head of int8 on float16")


def as_int8(rows: np.ndarray) -> np.ndarray:
    """As a store would give them back."""
    return opened(to_int8(rows))


def around_zero(rows: np.ndarray) -> np.ndarray:
    """As int8 whose 0 is 0."""
    steps = np.maximum(np.abs(rows).max(axis=1, keepdims=True) / 127, np.float32(1e-30))
    return np.rint(rows / steps) * steps


def by_blocks(rows: np.ndarray, kept: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Each 64 numbers by themselves."""
    return np.hstack([kept(rows[:, start : start + BLOCK]) for start in range(0, rows.shape[1], BLOCK)])


def lost(rows: np.ndarray, there: np.ndarray) -> str:
    """What a form takes from features, in words."""
    share = float(np.sqrt(np.square(there - rows, dtype=np.float64).sum() / np.square(rows, dtype=np.float64).sum()))
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(there, axis=1)
    cosine = ((rows * there).sum(axis=1) / np.maximum(norms, 1e-30)).min()
    return f"{share:.3%}, cosine {cosine:.6f}"


def scores(dataset: Dataset, half: np.ndarray, low: np.ndarray, seed: int) -> list[tuple[float, float]]:
    """Accuracy and log loss, in the order of WAYS."""
    parts, found = split(dataset, seed=seed), []
    train, test = parts.train, parts.test
    for learned, tested in ((half, half), (low, low), (low, half)):
        made = probed(dataset, Features(learned[train], "", 0), train, tested[test], test, seed=seed)
        found.append((made.values["accuracy"], made.values["log_loss"]))
    return found


def bench(dataset: Dataset, model: str | None, splits: int) -> None:
    rows = np.array(encoded(dataset, model).matrix[:])
    forms = {
        "int8": as_int8(rows),
        "around 0": around_zero(rows),
        f"around 0, by {BLOCK}": by_blocks(rows, around_zero),
        f"by {BLOCK}": by_blocks(rows, as_int8),
    }
    for name, there in forms.items():
        print(f"{dataset.name}: {name}: lost {lost(rows, there)}", flush=True)
    found = np.array([scores(dataset, as_kept(rows), as_int8(rows), seed) for seed in range(splits)])
    for number, way in enumerate(WAYS):
        accuracy, loss = found[:, number].mean(axis=0)
        print(f"{dataset.name}: {way}: accuracy {accuracy:.4f}, log loss {loss:.4f}", flush=True)
    differences = found[:, 1] - found[:, 0]
    spread = 2 * differences.std(axis=0) / splits**0.5
    print(f"{dataset.name}: int8 less float16: accuracy {differences[:, 0].mean():+.4f} ± {spread[0]:.4f}, ", end="")
    print(f"log loss {differences[:, 1].mean():+.4f} ± {spread[1]:.4f}", flush=True)


def small(work: Path) -> list[object]:
    model = small_photo_model(work / "model" / "model.onnx")
    return [photos(work / "photos", 6), "--splits", 2, "--model", model]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--model")
    parser.add_argument("--splits", type=int, default=5)
    with asked(parser, small) as options:
        for data in options.data:
            bench(check(read(data)), options.model, options.splits)


if __name__ == "__main__":
    main()
