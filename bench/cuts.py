"""The same examples for headstart and for others, each in a process of its own, for the benches that compare."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from common import read

if TYPE_CHECKING:
    import pandas

    from headstart.values import Dataset

Way = Callable[["Cut", str, int], float]  # what is learned from and tested on, the model, the seed -> accuracy


@dataclass(frozen=True)
class Cut:
    """What everybody learns from, and what everybody is tested on."""

    name: str
    kind: str  # "image" or "text"
    classes: tuple[str, ...]
    inputs: list[Any]  # to learn from
    y: np.ndarray  # (n,) int64, their classes
    asked: list[Any]  # to be tested on
    wanted: np.ndarray  # (n_asked,) int64

    @property
    def table(self) -> pandas.DataFrame:
        """All of it, as `headstart fit` takes it: the parts are a column."""
        import pandas

        of = [self.classes[c] for c in (*self.y, *self.wanted)]
        parts = ["train"] * len(self.inputs) + ["test"] * len(self.asked)
        return pandas.DataFrame({self.kind: self.inputs + self.asked, "label": of, "split": parts})

    def accuracy(self, outputs: np.ndarray) -> float:
        """Of (n_asked, n_classes) outputs."""
        return float((outputs.argmax(axis=1) == self.wanted).mean())


def named(data: str) -> str:
    """What DATA or TRAIN:TEST is called: the folder, since many a file in it is "train"."""
    path = Path(data.partition(":")[0]).resolve()
    return path.name if path.is_dir() else path.parent.name


def cut(data: str, dataset: Dataset, learn: np.ndarray, test: np.ndarray) -> Cut:
    """These rows of a checked dataset with one class an example."""
    kind, y = dataset.modality.name, dataset.y
    if kind not in ("image", "text") or y.ndim != 1 or not np.issubdtype(y.dtype, np.integer):
        raise SystemExit(f"{dataset.name}: photos or texts with one class each are compared, not {dataset.title}")
    inputs, asked = (list(dataset.take(rows).inputs) for rows in (learn, test))
    return Cut(named(data), kind, dataset.classes, inputs, y[learn], asked, y[test])


def alone(way: Way, given: Cut, model: str, seed: int) -> tuple[float, float]:
    """Accuracy by one way, and the wall seconds of its process: libraries are loaded, and the cache is empty."""
    begun = time.perf_counter()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        accuracy = process.submit(_with_empty_cache, way, given, model, seed).result()
        return accuracy, time.perf_counter() - begun


def _with_empty_cache(way: Way, given: Cut, model: str, seed: int) -> float:
    with tempfile.TemporaryDirectory() as cache:
        os.environ["HEADSTART_CACHE"] = cache
        return way(given, model, seed)


def by_headstart(given: Cut, model: str, seed: int, *, how: str = "auto", budget: str | None = None) -> float:
    """A fit, saved, as a user has it."""
    import headstart as hs

    with tempfile.TemporaryDirectory() as home:
        fitted = hs.fit(
            given.table,
            task="classification",
            kind=given.kind,
            model=model,
            how=how,
            budget=budget,
            seed=seed,
            out=f"{home}/fit",
        )
        return float(fitted.scores.accuracy)


def by_transformers(given: Cut, model: str, seed: int) -> float:
    """Three epochs of the Trainer of transformers in batches of 16; the rest is its default."""
    from by_trainer import TrainerRecipe, by_trainer

    from headstart.pretrained.find import find

    recipe = TrainerRecipe(rate=5e-5, batch=16, epochs=3)
    return given.accuracy(by_trainer(find(model).path, given.inputs, given.y, given.asked, recipe=recipe, seed=seed))


def in_rows(given: Cut) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """The cut as a checked dataset, and the rows to learn from and to test on."""
    from headstart.data.check import check

    dataset = check(read(given.table))
    parts = np.array(dataset.parts)
    return dataset, np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test")
