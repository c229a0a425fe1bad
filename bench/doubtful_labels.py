"""Claim: of labels that were flipped, most are within the first 8 % of the ranking of doubtful ones.

    python bench/doubtful_labels.py DATA... [--draws 20] [--within SECONDS]

--within 2: the probe of each draw has two seconds, as `headstart check` gives it; without, it is solved to the end.
Five labels in a hundred are flipped: to any other class, or to the class whose mean is nearest. Each example's outputs
are those of a probe that left it out. Beside it stand cleanlab's ranking by the same probabilities, how many labels are
called wrong, how many of these were flipped, and the same count of the labels as they came; seconds of the ranking.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from common import arguments, asked, encoded, installed, read, small_text_model, texts

from headstart.adapt.basis import fit_basis
from headstart.adapt.cross_validation import fit_probe
from headstart.clock import Budget
from headstart.data.check import check
from headstart.doctor.doubtful import NEIGHBOURS
from headstart.evaluate.metrics import softmax
from headstart.evaluate.neighbours import nearest_others
from headstart.evaluate.suspects import ranking, suspicious_classes
from headstart.values import Dataset

FLIPPED, LOOKED_AT = 0.05, 0.08


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--model", help="whose features are used; default: the starter")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--within", type=float, default=math.inf)
    with asked(parser, _small) as given:
        peer = installed("cleanlab", needed_for="cleanlab's ranking")
        print("| data | flipped to | found | by cleanlab | called wrong | of these flipped | seconds |")
        for path in given.data:
            _measure(check(read(path)), given.model, given.draws, within=given.within, peer=peer)


def _small(work: Path) -> tuple[object, ...]:
    return texts(work / "texts.csv", 60), "--model", small_text_model(work / "model"), "--draws", 2


def _measure(dataset: Dataset, model: str | None, draws: int, *, within: float, peer: bool) -> None:
    features = encoded(dataset, model)
    rows, n, c = np.arange(len(dataset)), len(dataset), len(dataset.classes)
    basis, near = fit_basis(features.matrix), partial(nearest_others, features.matrix, NEIGHBOURS)

    def outputs(labels: np.ndarray) -> np.ndarray:
        with_labels = replace(dataset, targets=[dataset.classes[k] for k in labels])
        return fit_probe(with_labels, rows, features, basis=basis, within=Budget(within)).outputs

    begun = time.perf_counter()
    found, _ = suspicious_classes(outputs(dataset.y), dataset.y, near())
    clean, seconds = int(found.wrong.sum()), time.perf_counter() - begun
    print(
        f"| {dataset.name}, {n:,} | - | - | - | {clean} of {len(found.rows)} listed | - | {seconds:.1f} |", flush=True
    )
    ways = {"any class": _any(c), "the nearest class": _nearest(np.asarray(features.matrix[:]), dataset.y, c)}
    for name, other in ways.items():
        figures = []
        for draw in range(draws):
            rng = np.random.default_rng(draw)
            flipped = rng.choice(n, max(1, round(FLIPPED * n)), replace=False)
            labels = dataset.y.copy()
            labels[flipped] = other(dataset.y[flipped], rng)
            if len(np.unique(labels)) == c:
                figures.append(_figures(outputs(labels), labels, near, flipped, peer=peer))
        share, theirs, called, right, took = np.mean(figures, axis=0)
        beside = f"{theirs:.1%}" if peer else "-"
        shown = f"{share:.1%} | {beside} | {called:.0f} | {right:.0%} | {took:.1f}"
        print(f"| {dataset.name}, {n:,} | {name} | {shown} |", flush=True)


def _figures(
    outputs: np.ndarray, labels: np.ndarray, near: Callable, flipped: np.ndarray, *, peer: bool
) -> tuple[float, float, int, float, float]:
    most = round(LOOKED_AT * len(labels))
    begun = time.perf_counter()
    order = np.argsort(-ranking(outputs, labels, near()), kind="stable")
    took = time.perf_counter() - begun
    found, _ = suspicious_classes(outputs, labels, near())
    wrong = found.rows[found.wrong]
    right = float(np.isin(wrong, flipped).mean()) if len(wrong) else 1.0
    theirs = 0.0
    if peer:
        from cleanlab.rank import get_label_quality_scores

        scores = get_label_quality_scores(labels, softmax(outputs), method="self_confidence")
        theirs = float(np.isin(np.argsort(scores, kind="stable")[:most], flipped).sum() / len(flipped))
    return float(np.isin(order[:most], flipped).sum() / len(flipped)), theirs, len(wrong), right, took


def _any(c: int) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    return lambda y, rng: (y + rng.integers(1, c, len(y))) % c


def _nearest(x: np.ndarray, y: np.ndarray, c: int) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """To the class whose mean has the largest cosine with that of the own."""
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    means = np.stack([z[y == k].mean(axis=0) for k in range(c)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    cosines = means @ means.T
    np.fill_diagonal(cosines, -2)
    to = cosines.argmax(axis=1)
    return lambda y, rng: to[y]


if __name__ == "__main__":
    main()
